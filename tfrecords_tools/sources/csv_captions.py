"""Anybody's photographs: a CSV table of paths and captions."""

import csv
import functools
import hashlib
import io
import os
import posixpath
import re

from tfrecords_tools.archive import Archive
from tfrecords_tools.sources.photograph_names import file_names
from tfrecords_tools.sources.source import Skip, Source, SourceExample, read_caption

COLUMNS = ("path", "caption", "split")
DEFAULT_SPLIT = "train"


class CsvCaptions(Source):
    """Parses a CSV table `path,caption[,split]`, one caption a row.

    A first row of column names is optional; with it the columns may come in any order. Rows of the
    same path are captions of one photograph.

    Args:
        images: directory or zip; paths of the table are relative to it.
        captions: the CSV file, UTF-8; or a directory or zip that holds one.

    Raises:
        OSError: when a file is missing or unreadable.
        ValueError: when the table holds no usable row.
    """

    name = "csv"

    def __init__(self, images, captions):
        self._images = Archive(images)
        self._skipped = []
        self._checksums = {}
        rows, self._numbers, self._num_rows = {}, {}, {}
        for number, path, caption, split in self._rows(self._read_table(captions)):
            self._add(rows, number, path, caption, split)
        if not rows:
            first = f" First reason: {self._skipped[0].reason}." if self._skipped else ""
            raise ValueError(
                "Expected rows path,caption[,split] whose paths are in --images. "
                f"Received: {os.fspath(captions)!r} with no usable row.{first}"
            )
        self._examples = {}
        filenames = file_names(rows)
        for path, (split, texts) in rows.items():
            self._examples.setdefault(split, []).append(
                SourceExample(
                    source_id=path,
                    filename=filenames[path],
                    captions=tuple(texts),
                    read_image=functools.partial(self._images.read, path),
                    path=path,
                )
            )

    @property
    def skipped(self):
        """Rows that were left out."""
        return list(self._skipped)

    def splits(self):
        """Returns the splits in the order of their first row."""
        return tuple(self._examples)

    def checksums(self):
        """Returns the SHA-256 of the table, by name."""
        return dict(self._checksums)

    def caption_numbers(self, example):
        """Returns for each caption the number of its row among those of its photograph."""
        return self._numbers[example.source_id]

    def examples(self, split):
        """Yields the `SourceExample`s of a split in the order of their first rows."""
        if split not in self._examples:
            raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
        yield from self._examples[split]

    def _read_table(self, path):
        path = os.fspath(path)
        if os.path.isfile(path) and not path.lower().endswith(".zip"):
            name = os.path.basename(path)
            with open(path, "rb") as file:
                data = file.read()
        else:
            archive = Archive(path)
            tables = [name for name in archive.names() if name.lower().endswith(".csv")]
            if len(tables) != 1:
                raise FileNotFoundError(
                    f"Expected one .csv file. Received: {path!r}, which holds {len(tables)}. "
                    "Pass the file itself as --captions."
                )
            name = posixpath.basename(tables[0])
            data = archive.read(tables[0])
        self._checksums[name] = hashlib.sha256(data).hexdigest()
        return data.removeprefix(b"\xef\xbb\xbf")

    def _rows(self, data):
        """Yields `(line, path, caption bytes, split)`; lines that are not such rows are skipped."""
        # Bytes that are not UTF-8 pass through as surrogates, so that one caption, not the whole
        # table, is lost with them.
        text = data.decode("utf-8", "surrogateescape")
        reader = csv.reader(io.StringIO(text, newline=""))
        order = None
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._skip("", f"line {reader.line_num}", f"not CSV: {error}")
                continue
            if order is None:
                header = [column.strip().lower() for column in row]
                if set(COLUMNS[:2]) <= set(header) <= set(COLUMNS):
                    order = [header.index(name) for name in COLUMNS if name in header]
                    continue
                order = range(len(COLUMNS))
            if not any(column.strip() for column in row):
                continue
            if not 2 <= len(row) <= len(COLUMNS) or max(order[: len(row)]) >= len(row):
                self._skip(
                    "",
                    f"line {reader.line_num}",
                    f"Expected path,caption[,split]. Received: {len(row)} columns "
                    "(a caption with commas needs quotes)",
                )
                continue
            path, caption, *split = (row[place] for place in order if place < len(row))
            yield (
                reader.line_num,
                path.strip(),
                caption.encode("utf-8", "surrogateescape"),
                (split[0].strip() if split else "") or DEFAULT_SPLIT,
            )

    def _add(self, rows, number, path, caption, split):
        where = f"line {number}"
        # Split names become file names.
        if not re.fullmatch(r"[A-Za-z0-9_]+", split):
            self._skip("", where, f"Expected a split of letters, digits and _. Received: {split!r}")
            return
        shown = path.encode("utf-8", "replace").decode()
        try:
            path = self._images.locate(path)
        except ValueError as error:
            self._skip(split, where, str(error))
            return
        if path is None:
            self._skip(split, where, f"{shown!r} is not in --images")
            return
        row = self._num_rows[path] = self._num_rows.get(path, -1) + 1
        text, reason = read_caption(caption)
        if text is None:
            self._skip(split, where, f"{path!r}: {reason}")
            return
        known = rows.setdefault(path, (split, []))
        if known[0] != split:
            self._skip(split, where, f"{path!r} is already in split {known[0]}")
            return
        known[1].append(text)
        self._numbers.setdefault(path, []).append(row)

    def _skip(self, split, source_id, reason):
        self._skipped.append(Skip(split, source_id, reason))
