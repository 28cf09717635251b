"""Anybody's photographs: tables of paths and captions."""

import collections
import dataclasses
import functools
import hashlib
import os
import posixpath
import re

from tfrecords_tools.archive import normal_path, open_photographs
from tfrecords_tools.sources.caption_source import case_key, file_names, split_notes
from tfrecords_tools.sources.caption_tables import read_tables
from tfrecords_tools.sources.source import Skip, Source, SourceExample, read_caption, split_name

DEFAULT_SPLIT = "train"
# Where captions have commas but no quotes, their ends look like splits.
_SPLIT = re.compile(
    r"(train|restval|trainval|minival|dev|test|testall|fold|split|extra)([_0-9]\w*|[A-Z])?",
    re.ASCII,
)
# Reasons are of one kind up to what they say of the one row.
_OF_ONE = re.compile(r"\. Received|[:(]|\d")
_ANY_SPLIT = re.compile(r"\w+", re.ASCII)
# Held out for dev and test where nobody has named any split; of fewer photographs none are.
DEFAULT_SHARES = (0.1, 0.1)
_FEWEST = 10
_IMAGE = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


@dataclasses.dataclass
class _Photograph:
    """What the tables say of one photograph.

    Attributes:
        split: the first that a row names, with the table that does; None where none does.
        num_rows: of captions, usable or not.
        captions: list of `(row's number among those of the photograph, text)`.
    """

    split: tuple[str, str] | None = None
    num_rows: int = 0
    captions: list = dataclasses.field(default_factory=list)


class CsvCaptions(Source):
    """Parses tables `path,caption[,split]`, one caption a row: CSV, JSON or JSON lines.

    Rows of the same path are captions of one photograph. A first row of column names is optional;
    with it the columns may come in any order. `val` and `validation` are the split `dev`. Rows
    without a split are of `train` where others of their table have one. Photographs of tables
    without splits have those that the tables' names tell (`train.csv`, `captions_val.csv`), if any
    tells another than train; else some are held out for `dev` and `test`, by a hash of their paths.

    Args:
        images: directory or zip; paths are relative to it, or to the table's own folder in it, or
            absolute, or the last parts of one path.
        captions: the table, UTF-8; or a directory or zip of tables; or a list of these.
        holdout: `(dev, test)`, the shares of the photographs without a split that are held out.
            None: a tenth each, if no row has a split.

    Raises:
        OSError: when a file is missing or unreadable.
        ValueError: when the tables hold no usable row, or a hold-out is asked for where each
            photograph has a split.
    """

    name = "csv"
    # What a table without usable rows should hold.
    rows_wanted = "path,caption[,split]"

    def __init__(self, images, captions, holdout=None):
        captions = [captions] if isinstance(captions, (str, os.PathLike)) else list(captions)
        holdout = holdout if holdout is None else parse_shares(holdout)
        self._images = open_photographs(images)
        self._names = set(self._images.names())
        self._skipped, self.notes, self.split_notes = [], [], []
        tables, repeated = self._read_tables(captions, self._is_photograph)
        self.notes += [f"{name} holds what another file does and is read once" for name in repeated]
        self._checksums = {table.name: table.sha256 for table in tables}
        self._several = len(tables) > 1
        self._conflicts, self._single_words, self._left_out = [], [], {}
        photographs = {}
        for table in tables:
            for where, reason in table.faults:
                self._skip("", table, where, reason)
            self._read(table, _default_split(table, tables, holdout), photographs)
        photographs = {path: own for path, own in photographs.items() if own.captions}
        if not photographs:
            first = f" First reason: {self._skipped[0].reason}." if self._skipped else ""
            raise ValueError(
                f"Expected rows {self.rows_wanted} whose paths are in --images. Received: "
                f"{', '.join(repr(os.fspath(path)) for path in captions)} with no usable row."
                f"{first}"
            )
        splits = self._divide(photographs, holdout)
        self._numbers = {
            path: [number for number, _ in own.captions] for path, own in photographs.items()
        }
        self._examples = self._make_examples(photographs, splits)
        self._note(photographs)

    @property
    def skipped(self):
        """Rows that were left out."""
        return list(self._skipped)

    def splits(self):
        """Returns the splits in the order of their first row, of a hold-out train first."""
        return tuple(self._examples)

    def checksums(self):
        """Returns the SHA-256 of each table, by name, and the shares of a hold-out."""
        return dict(self._checksums)

    def caption_numbers(self, example):
        """Returns for each caption the number of its row among those of its photograph."""
        return self._numbers[example.source_id]

    def examples(self, split):
        """Yields the `SourceExample`s of a split in the order of their first rows."""
        if split not in self._examples:
            raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
        yield from self._examples[split]

    def _read_tables(self, paths, is_photograph):
        return read_tables(paths, is_photograph)

    def _is_photograph(self, path):
        return normal_path(path) in self._names

    def _read(self, table, default, photographs):
        counts = _photographs_by_split(table)
        # Tables often lie beside the photographs.
        folder = os.path.relpath(table.folder or os.curdir, os.path.abspath(self._images.path))
        folder = "" if table.folder is None else folder.replace(os.sep, "/")
        # Of each photograph there are several rows.
        find = functools.cache(functools.partial(self._find, folder))
        for row in table.rows:
            split = split_name(row.split)
            if split and not _is_split(split, table, counts):
                reason = (
                    "Expected a split, train, dev (val) or test, or another that a column split "
                    f"names for several photographs. Received: {row.split[:60]!r} (a caption with "
                    "commas needs quotes)"
                )
                self._skip("", table, row.where, reason)
                continue
            split = split or default
            path, reason = find(row.path)
            if path is None:
                kind = reason.removeprefix(repr(_printable(row.path)))
                self._skip(split or "", table, row.where, reason, kind)
                continue
            self._add(table, row, split, path, photographs.setdefault(path, _Photograph()))

    def _add(self, table, row, split, path, photograph):
        number = photograph.num_rows
        photograph.num_rows += 1
        text, reason = read_caption(row.caption)
        if text is None:
            self._skip(split or "", table, row.where, f"{_printable(path)!r}: {reason}", reason)
            return
        if split and photograph.split is None:
            photograph.split = split, table.name
        known = photograph.split and photograph.split[0]
        if split and known != split:
            self._skip(
                split, table, row.where, f"{_printable(path)!r} is already in split {known}", ""
            )
            self._conflicts.append((path, *photograph.split, split, table.name))
            return
        if len(text.split()) == 1:
            self._single_words.append(f"{self._where(table, row.where)}: {text!r}")
        photograph.captions.append((number, text))

    def _find(self, folder, path):
        """Returns the photograph of a path in a table that lies in `folder` of the images.

        Returns:
            `(name in the images, None)`, or None and why there is none.
        """
        beside, from_root = normal_path(posixpath.join(folder, path)), normal_path(path)
        if beside in self._names:
            if from_root in self._names and from_root != beside:
                return None, (
                    f"Expected a path of one photograph. Received: {path!r}, which may be "
                    f"{from_root!r} or {beside!r}. Name it by its folders."
                )
            return beside, None
        try:
            found = self._images.locate(path)
        except ValueError as error:
            return None, str(error)
        near = None if found else self._in_any_case.get(case_key(path))
        as_there = f" (it has {_printable(near)!r})" if near else ""
        return found, f"{_printable(path)!r} is not in --images{as_there}"

    @functools.cached_property
    def _in_any_case(self):
        return {case_key(name): name for name in self._images.names()}

    def _divide(self, photographs, holdout):
        """Returns `{path: split}` of the photographs, in their order."""
        splits = {path: own.split and own.split[0] for path, own in photographs.items()}
        free = [path for path, split in splits.items() if split is None]
        if holdout is not None and not free:
            raise ValueError(
                f"Expected no --holdout: every photograph has a split. Received: {_shown(holdout)}"
            )
        if holdout is None and len(free) < len(splits):
            return {path: split or DEFAULT_SPLIT for path, split in splits.items()}
        held_out = hold_out(free, holdout)
        counts = collections.Counter(held_out.values())
        if len(counts) > 1:
            shares = _shown(holdout or DEFAULT_SHARES)
            self._checksums["holdout"] = shares
            self.split_notes.append(
                f"{len(free)} photographs have no split: by a hash of their paths {counts['dev']} "
                f"are held out for dev and {counts['test']} for test, {counts['train']} are train "
                f"(--holdout={shares})"
            )
        splits |= held_out
        order = {"train": 0, "dev": 1, "test": 2}
        return dict(sorted(splits.items(), key=lambda item: order.get(item[1], len(order))))

    def _make_examples(self, photographs, splits):
        filenames, examples = file_names(photographs), {}
        for path, split in splits.items():
            examples.setdefault(split, []).append(
                SourceExample(
                    source_id=path,
                    filename=filenames[path],
                    captions=tuple(text for _, text in photographs[path].captions),
                    read_image=functools.partial(self._images.read, path),
                    path=path,
                )
            )
        return examples

    def _note(self, photographs):
        """Says in a line each what people should know who wrote the tables."""

        def add(line):
            self.notes.append(_printable(line))

        for count, first in self._left_out.values():
            add(f"rows left out: {count}, first {first}")
        own = [row for row in self._conflicts if row[2] == row[4]]
        for rows, what in (
            (own, "in two splits"),
            ([row for row in self._conflicts if row not in own], "in other splits by another file"),
        ):
            if rows:
                path, split, table, other, other_table = rows[0]
                add(
                    f"photographs {what}: {len({row[0] for row in rows})}, first {path}, {split} "
                    f"in {table} and {other} in {other_table}; the first holds; "
                    f"rows skipped: {len(rows)}"
                )
        if self._single_words:
            total = sum(len(own.captions) for own in photographs.values())
            add(
                f"captions of one word: {len(self._single_words)} of {total}, first "
                f"{self._single_words[0]}; sentences teach more, and text without spaces between "
                "its words is trained on with --tokenizer=wordpiece"
            )
        bare = [
            path
            for path in self._images.names()
            if path not in photographs and path.lower().endswith(_IMAGE)
        ]
        if bare:
            add(f"photographs of --images without captions: {len(bare)}, first {bare[0]}")
        self.split_notes += split_notes(
            self._examples,
            "name some in the column split, or hold out some of those without a split "
            "(--holdout=0.2,0.2)",
        )

    def _where(self, table, where):
        return f"{table.name} {where}" if self._several else where

    def _skip(self, split, table, where, reason, kind=None):
        """Lists what is left out, and counts its kind; an empty one is said elsewhere."""
        where = self._where(table, where)
        self._skipped.append(Skip(split, where, reason))
        if kind != "":
            kind = _OF_ONE.split(kind or reason)[0]
            count, first = self._left_out.get(kind, (0, f"{where}: {reason}"))
            self._left_out[kind] = count + 1, first


def _photographs_by_split(table):
    """Returns how many photographs have each split that the rows name."""
    pairs = {(split_name(row.split), row.path) for row in table.rows if row.split}
    return collections.Counter(split for split, _ in pairs)


def _is_split(name, table, counts):
    if _SPLIT.fullmatch(name):
        return True
    return table.has_names and counts[name] > 1 and bool(_ANY_SPLIT.fullmatch(name))


def _default_split(table, tables, holdout):
    """Returns the split of rows that name none; None where it is open."""
    counts = _photographs_by_split(table)
    if any(_is_split(name, table, counts) for name in counts):
        return DEFAULT_SPLIT if holdout is None else None
    # A file of train alone is to be divided.
    if any(other.named_split() not in ("", DEFAULT_SPLIT) for other in tables):
        return table.named_split() or None
    return None


def _printable(path):
    return path.encode("utf-8", "replace").decode()


def _shown(shares):
    return ",".join(f"{share:g}" for share in shares)


def parse_shares(values):
    """Returns the shares that are held out.

    Args:
        values: of dev and test, numbers or what spells them.

    Raises:
        ValueError: when they are not two numbers from 0 whose sum is below 1.
    """
    try:
        shares = tuple(map(float, values))
    except ValueError:
        shares = ()
    if len(shares) != 2 or not all(0 <= share < 1 for share in shares) or sum(shares) >= 1:
        raise ValueError(
            "Expected --holdout=DEV,TEST, two shares from 0 whose sum is below 1, such as 0.1,0.1. "
            f"Received: {','.join(map(str, values))}"
        )
    return shares


def hold_out(paths, shares=None):
    """Divides photographs into train, dev and test.

    Which photographs are held out depends on their paths alone: those with the lowest hashes are
    dev, those with the highest test, so that none goes from one to the other as a set grows.

    Args:
        paths: of the photographs.
        shares: `(dev, test)`, of all photographs: each that is not 0 is at least one photograph.
            None: a tenth each, of ten photographs or more.

    Returns:
        A dict of path to split.

    Example:

    >>> splits = hold_out([f"{number}.jpg" for number in range(20)])
    >>> [list(splits.values()).count(split) for split in ("train", "dev", "test")]
    [16, 2, 2]
    """
    ranked = sorted(set(paths), key=_hash)
    if shares is None:
        shares = DEFAULT_SHARES if len(ranked) >= _FEWEST else (0, 0)
    num_dev, num_test = (max(share > 0, round(share * len(ranked))) for share in shares)
    # Some are left to learn from.
    num_dev = min(num_dev, len(ranked) - 1)
    num_test = max(0, min(num_test, len(ranked) - num_dev - 1))
    num_train = len(ranked) - num_dev - num_test
    splits = ["dev"] * num_dev + ["train"] * num_train + ["test"] * num_test
    return dict(zip(ranked, splits, strict=True))


def _hash(path):
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
