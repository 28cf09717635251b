"""Tables of photographs and captions: CSV, JSON, and JSON lines."""

import csv
import io
import os
import re
from typing import NamedTuple

from tfrecords_tools.archive import AnnotationFile
from tfrecords_tools.sources.caption_source import file_names
from tfrecords_tools.sources.source import shown, split_name
from vsa_tf.file_reading import decode_text, parse_json, split_lines
from vsa_tf.files import csv_fields, csv_header

COLUMNS = ("path", "caption", "split")
# Of what a row speaks, where it speaks of a region; see `RegionTable`.
BOX_COLUMNS = ("ymin", "xmin", "ymax", "xmax")
# What others call them.
_SYNONYMS = {
    "path": ("path", "file_name", "filename", "file", "image", "image_path"),
    "caption": ("caption", "text", "sentence"),
    "split": ("split",),
    **{name: (name,) for name in BOX_COLUMNS},
}
_SEVERAL = ("captions", "texts", "sentences")
_TABLE = r"(?i).*\.(csv|tsv|json|jsonl|ndjson)"
_PHOTOGRAPH = re.compile(r"(?i).+\.(jpe?g|png|gif|bmp|webp|tiff?|heic|heif|avif)")
_NEEDS_QUOTES = "a caption with commas needs quotes"


class Row(NamedTuple):
    """One caption of a table.

    Attributes:
        where: its line or entry.
        path: of the photograph, as written.
        caption: bytes or a string; or what a JSON file has in its place.
        split: as written, "" where there is none.
        box: the values of `BOX_COLUMNS` as written, None of one that is missing; or None of all.
    """

    where: str
    path: str
    caption: object
    split: str
    box: tuple | None = None


class CaptionTable:
    """The rows of a file.

    A table of commas (or tabs, or semicolons) may name its columns in the first row; else they are
    `columns`. JSON is a list, or a line each, of objects with such entries, or an object of paths
    and captions.

    Args:
        file: an `AnnotationFile`.
        name: of the file, as it is told from others.
        folder: where it lies; None in a zip.
        is_photograph: function of a path; whether there is one.

    Attributes:
        rows: list of `Row`.
        faults: list of `(where, reason)` of lines and entries that are no row, one a lost row.
        has_names: whether columns are named.
        sha256: of the file.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is JSON of another form.
    """

    columns = COLUMNS

    def __init__(self, file, name, folder, is_photograph):
        self.name, self.folder, self._is_photograph = name, folder, is_photograph
        self.rows, self.faults = [], []
        data = file.read()
        self.sha256 = file.sha256
        if re.search(r"(?i)\.(json|jsonl|ndjson)$", file.name):
            self.has_names = True
            self._read_json(data, not file.name.lower().endswith(".json"))
        else:
            lines = list(io.StringIO(decode_text(data), newline=""))
            self._read_lines(lines, "\t" if file.name.lower().endswith(".tsv") else ",")

    def named_split(self):
        """Returns the split that the file's name tells, or its folder's name; or ""."""
        stem = re.sub(r"\.\w+$", "", os.path.basename(self.name))
        if stem.lower() == "metadata" and self.folder is not None:
            stem = os.path.basename(self.folder)
        words = {split_name(word) for word in re.split(r"[\W_]+", stem)}
        found = words & {"train", "dev", "test"}
        return found.pop() if len(found) == 1 else ""

    def _read_lines(self, lines, usual):
        first = next((line for line in lines if line.strip()), "")
        delimiter, columns = csv_header(first, usual, _columns)
        self.has_names = columns is not None
        columns = columns or {name: place for place, name in enumerate(self.columns)}
        is_first = self.has_names
        for number, row in self._records(lines, delimiter, columns["path"]):
            if not any(field.strip() for field in row):
                continue
            if is_first:
                size, is_first = len(_stripped(row, 0)), False
                continue
            size = size if self.has_names else max(columns.values()) + 1
            self._add_fields(f"line {number}", _stripped(row, size), columns, size)

    def _records(self, lines, delimiter, path_column):
        """Yields `(line number, fields)`; a line whose quotes do not close is a fault of its own.

        A text may have line ends within its quotes. Where a quote is not closed, what follows are
        rows, and the next quote opens a text of another row: they are told by their photographs.
        """
        start = 0
        while start < len(lines):
            rest = (lines[number] for number in range(start, len(lines)))
            reader = csv.reader(rest, delimiter=delimiter, skipinitialspace=True, strict=True)
            try:
                row = next(reader)
                # What stands before the path may end in the line that has it.
                inside = lines[start + 1 : start + reader.line_num - (path_column > 0)]
                is_whole = not any(self._is_row(line, delimiter, path_column) for line in inside)
            except csv.Error as error:
                is_whole, reason = False, str(error)
            else:
                reason = "it runs into the next rows"
            if is_whole:
                yield start + 1, row
                start += reader.line_num
                continue
            self.faults.append(
                (
                    f"line {start + 1}",
                    f"Expected quotes that close, and two for one within a text. Received: "
                    f"{lines[start].strip()[:60]!r} ({reason})",
                )
            )
            start += 1

    def _is_row(self, line, delimiter, path_column):
        fields = csv_fields(line, delimiter)
        if len(fields) <= max(1, path_column):
            return False
        path = fields[path_column].strip()
        return bool(_PHOTOGRAPH.fullmatch(path)) or self._is_photograph(path)

    def _add_fields(self, where, row, columns, size):
        # The split may be left out where it is the last.
        least = size - 1 if columns.get("split") == size - 1 else size
        if not least <= len(row) <= size:
            expected = (
                f"{','.join(self.columns[:-1])}[,split]" if least < size else f"{size} columns"
            )
            reason = f"Expected {expected}. Received: {len(row)} columns ({_NEEDS_QUOTES})"
            self.faults.append((where, reason))
            return
        values = {name: row[place] for name, place in columns.items() if place < len(row)}
        # `read_caption` tells what is not UTF-8.
        caption = values["caption"].encode("utf-8", "surrogateescape")
        self._add(where, values["path"], caption, values.get("split", ""), _box(values))

    def _add(self, where, path, caption, split, box=None):
        self.rows.append(Row(where, path.strip(), caption, split.strip(), box))

    def _read_json(self, data, has_lines):
        try:
            content = self._json_lines(data) if has_lines else parse_json(data, self.name)
        except ValueError:
            # Lines are also found under the other ending.
            content = self._json_lines(data)
            if not content:
                raise
        if isinstance(content, dict) and "images" in content:
            other = "coco" if "annotations" in content else "karpathy_json"
            raise ValueError(
                f"Expected entries of path and caption in {self.name}. Received: a file of another "
                f"form. Give --dataset={other} for it."
            )
        if isinstance(content, dict) and not named_columns(content):
            content = [{"path": path, "captions": given} for path, given in content.items()]
        if isinstance(content, dict):
            content = [content]
        if not isinstance(content, list):
            raise ValueError(
                f"Expected entries of path and caption in {self.name}. Received: {shown(content)}"
            )
        for number, entry in enumerate(content, 1):
            if not isinstance(entry, tuple):
                entry = (f"entry {number}", entry)
            self._add_entry(*entry)

    def _json_lines(self, data):
        """Returns a list of `(where, object)`; where there is none, the lines are no faults."""
        entries, faults = [], []
        for number, line in enumerate(split_lines(data), 1):
            if not line.strip():
                continue
            where = f"line {number}"
            try:
                entries.append((where, parse_json(line, where)))
            except ValueError as error:
                faults.append((where, str(error)))
        if entries:
            self.faults += faults
        return entries

    def _add_entry(self, where, entry):
        named = named_columns(entry) if isinstance(entry, dict) else {}
        path, split = (entry[named[name]] if name in named else "" for name in ("path", "split"))
        captions = [entry[named["caption"]]] if "caption" in named else []
        if "captions" in named:
            several = entry[named["captions"]]
            captions += several if isinstance(several, list) else [several]
        if not captions or not isinstance(path, str) or not path:
            reason = f"Expected a path (file_name) and a caption (text). Received: {shown(entry)}"
            self.faults.append((where, reason))
        elif split is not None and not isinstance(split, str):
            self.faults.append((where, f"Expected text as a split. Received: {shown(split)}"))
        else:
            box = _box({name: entry[own] for name, own in named.items()})
            for caption in captions:
                self._add(where, path, caption, split or "", box)


def read_tables(paths, is_photograph, kind=CaptionTable):
    """Reads the tables that `--captions` names.

    Args:
        paths: list of files, and of directories and zips of files.
        is_photograph: function of a path; whether there is one.
        kind: `CaptionTable`, or one of its kind.

    Returns:
        `(tables, repeated)`: a list of `kind`, and the names of files that hold what one
        before them does.

    Raises:
        OSError: when a file is missing or cannot be read, or a directory holds none.
        ValueError: when a file is JSON of another form.
    """
    found = []
    for path in map(os.fspath, paths):
        is_file = os.path.isfile(path) and not path.lower().endswith(".zip")
        files = AnnotationFile.find(path, r"(?s).*" if is_file else _TABLE)
        if not files:
            raise FileNotFoundError(
                "Expected .csv, .json or .jsonl files of captions. Received: "
                f"{path!r}, which holds 0. Pass the file itself as --captions."
            )
        for file in files:
            full = file.path if is_file else os.path.join(path, file.path)
            folder = os.path.dirname(os.path.abspath(full)) if os.path.isfile(full) else None
            found.append((file, full, folder))
    names = file_names(os.path.normpath(full) for _, full, _ in found)
    tables, repeated, seen = [], [], set()
    for file, full, folder in found:
        table = kind(file, names[os.path.normpath(full)], folder, is_photograph)
        if table.sha256 in seen:
            repeated.append(table.name)
        else:
            seen.add(table.sha256)
            tables.append(table)
    return tables, repeated


def _columns(fields):
    """Returns `{column: place}` where the fields name a path and a caption; else None."""
    places = {}
    for place, field in enumerate(fields):
        name = _column(field)
        if name is not None and places.setdefault(name, place) != place:
            return None
    return places if {"path", "caption"} <= set(places) else None


def _column(name):
    name = name.strip().lower()
    return next((own for own, names in _SYNONYMS.items() if name in names), None)


def named_columns(entry):
    """Returns `{column: name}` of those that an object has; several captions are `captions`."""
    named = {}
    for name in entry:
        column = "captions" if name.lower() in _SEVERAL else _column(name)
        if column is not None:
            named.setdefault(column, name)
    return named


def _box(values):
    box = tuple(values.get(name) for name in BOX_COLUMNS)
    return None if box == len(box) * (None,) else box


def _stripped(row, least):
    """Returns a row without empty fields after its last one, as spreadsheets write them."""
    last = max([least, *(place for place, field in enumerate(row, 1) if field.strip())])
    return row[:last]
