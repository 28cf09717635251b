"""What sources of captions have in common: they list what they leave out, and name photographs.

A photograph is called by its file's name, by its folders where that names several. By such names a
file of splits divides the photographs of any source.
"""

import collections
import csv
import dataclasses
import hashlib
import posixpath
import re

from tfrecords_tools.archive import normal_path
from tfrecords_tools.sources.source import Skip, Source, WrappedSource, read_caption, split_name
from vsa_tf.file_reading import text_lines

# Columns of a file of splits, as others call them.
_NAMES = ("name", "path", "file_name", "filename", "file", "image", "image_path", "image_id")
_FIRST_SPLITS = ("train", "dev", "test")
# Of fewer photographs a model that knows nothing learns little.
_FEW = 100
# Begins the reason of a `Skip` that counts them.
UNNAMED = "photographs left out, which the file of splits does not name"


class CaptionSource(Source):
    """A source that parses each split once and lists what it leaves out.

    A data set is a subclass: it sets `name`, gives `splits()`, and yields the examples of a split
    from `_parse(split)`.
    """

    def __init__(self):
        self._checksums = {}
        self._skipped = []
        self._examples = {}
        self._places = {}

    @property
    def skipped(self):
        """What was left out so far: complete once every split's examples were read."""
        return list(self._skipped)

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        return dict(sorted(self._checksums.items()))

    def caption_numbers(self, example):
        """Returns for each caption its place among the captions of its photograph."""
        return self._places.get(example.source_id) or super().caption_numbers(example)

    def examples(self, split):
        """Yields the `SourceExample`s of a split, always in the same order.

        Raises:
            ValueError: when there is no such split.
        """
        if split not in self._examples:
            if split not in self.splits():
                raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
            self._examples[split] = tuple(self._parse(split))
        yield from self._examples[split]

    def _parse(self, split):
        raise NotImplementedError

    def _skip(self, split, source_id, reason):
        self._skipped.append(Skip(split, source_id, reason))

    def _digest(self, name, data):
        """Notes the checksum of a file; returns its bytes."""
        self._checksums[name] = hashlib.sha256(data).hexdigest()
        return data

    def _usable_captions(self, split, source_id, captions):
        """Checks the captions of a photograph; what cannot be used is skipped and listed.

        Args:
            split: of the photograph.
            source_id: of the photograph, or its file's name.
            captions: sequence of `(number, bytes or string)`.

        Returns:
            A list of `(number, text)`.
        """
        usable, places = [], []
        for place, (number, data) in enumerate(captions):
            text, reason = read_caption(data)
            if text is None:
                self._skip(split, f"{source_id}#{number}", reason)
            else:
                usable.append((number, text))
                places.append(place)
        if not usable:
            self._skip(split, source_id, "a photograph without captions")
        elif len(usable) < len(captions):
            self._places[source_id] = places
        return usable


def tails(path):
    """Returns the last parts of a path, all of them first: `a/b/1.jpg`, `b/1.jpg`, `1.jpg`."""
    parts = path.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]


def file_names(paths):
    """Returns the shortest names that tell photographs apart.

    Args:
        paths: of the photographs, as a data set's file gives them.

    Returns:
        A dict of path to the name of the file, with its last folders where others have it too.

    Example:

    >>> file_names(["x/a/1.jpg", "x/b/1.jpg", "x/b/2.jpg"])
    {'x/a/1.jpg': 'a/1.jpg', 'x/b/1.jpg': 'b/1.jpg', 'x/b/2.jpg': '2.jpg'}
    """
    paths = dict.fromkeys(paths)
    counts = collections.Counter(tail for path in paths for tail in tails(path))
    return {
        path: next((tail for tail in reversed(tails(path)) if counts[tail] == 1), path)
        for path in paths
    }


def source_ids(paths):
    """Returns the names of photographs without their endings, where these do not tell them apart.

    Args:
        paths: of the photographs, as a data set's file gives them.

    Returns:
        A dict of path to `file_names`' name, without its ending where that is no other's.

    Example:

    >>> source_ids(["1.jpg", "a.jpg", "a.png"])
    {'1.jpg': '1', 'a.jpg': 'a.jpg', 'a.png': 'a.png'}
    """
    names = file_names(paths)
    stems = {path: posixpath.splitext(name)[0] for path, name in names.items()}
    counts = collections.Counter([*stems.values(), *names.values()])
    # A name without an ending is its own stem, which is no clash.
    return {
        path: stem if counts[stem] == (2 if stem == names[path] else 1) else names[path]
        for path, stem in stems.items()
    }


def case_key(path):
    """Returns what paths share whose files' names differ in capital letters alone, str."""
    return posixpath.basename(path).casefold()


def split_notes(examples, advice):
    """Returns what somebody should know who divided a data set, list of str.

    Args:
        examples: dict of the names of its splits to sequences of their photographs.
        advice: how to name some for `dev`.
    """
    notes, num_train = [], len(examples.get("train", ()))
    if 0 < num_train < _FEW:
        notes.append(
            f"photographs to train on are few: {num_train}, and a model that begins from nothing "
            f"needs {_FEW} or more"
        )
    if num_train and "dev" not in examples:
        notes.append(f"no photograph is in dev, which training needs: {advice}")
    return notes


def read_splits(path):
    """Reads a file of splits: rows `name,split`, one a photograph.

    A first row may name these columns, among others and in any order; tabs and semicolons serve as
    commas do. `val` and `validation` are the split `dev`.

    Args:
        path: of the file, UTF-8.

    Returns:
        `({name: split}, sha256)`; names are paths as `normal_path` has them.

    Raises:
        OSError: it cannot be read.
        ValueError: a row is none, or gives a photograph a second split; it has no row.
    """
    with open(path, "rb") as file:
        data = file.read()
    lines = text_lines(data, path)
    mark = next((mark for mark in ",\t;" if mark in next(filter(str.strip, lines), "")), ",")
    columns, splits = None, {}
    # A row ends with its line, so that a quote that is not closed is of one row.
    for number, line in enumerate(lines, 1):
        try:
            row = [field.strip() for field in next(csv.reader([line], delimiter=mark), ())]
        except csv.Error:  # a field that is longer than any path
            row = [line]
        if not any(row):
            continue
        if columns is None:
            named = [field.lower() for field in row]
            name = next((named.index(own) for own in _NAMES if own in named), None)
            columns = (0, 1)
            if name is not None and "split" in named:
                columns = name, named.index("split")
                continue
        name, split = (row[place] if place < len(row) else "" for place in columns)
        if not name or not re.fullmatch(r"\w+", split):
            raise ValueError(
                f"Expected name,split, such as 1.jpg,train, in line {number} of {path}. Received: "
                f"{line.strip()[:60]!r}"
            )
        name, split = normal_path(name), split_name(split)
        if splits.setdefault(name, split) != split:
            raise ValueError(
                f"Expected one split of each photograph in {path}. Received: {splits[name]} and "
                f"{split} for {name!r}"
            )
    if not splits:
        raise ValueError(f"Expected rows name,split in {path}. Received: none")
    return splits, hashlib.sha256(data).hexdigest()


class SplitSource(WrappedSource):
    """A source whose photographs a file divides into splits; all else is the other source's.

    A photograph is named by its path, by the last parts of it or by a path that leads there from
    above, by its file's name or its number in the data set; the ending may be left out. What names
    several is refused. Photographs that the file does not name are left out.

    Args:
        source: a `Source`.
        path: of the file, see `read_splits`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is none, names none of the photographs, gives one two splits, or a name may
            be of two.
    """

    def __init__(self, source, path):
        super().__init__(source)
        # Those are of the splits as published.
        self.official_counts = {}
        self._path = path
        splits, self._sha256 = read_splits(path)
        examples = [example for split in source.splits() for example in source.examples(split)]
        self._unknown, owners = [], {}
        for name, place in zip(splits, self._places(splits, examples)):
            if place is None:
                self._unknown.append(name)
            elif splits[owners.setdefault(place, name)] != splits[name]:
                raise ValueError(
                    f"Expected one split of each photograph in {path}. Received: "
                    f"{splits[owners[place]]} by {owners[place]!r} and {splits[name]} by {name!r} "
                    f"for {_named(examples[place])!r}"
                )
        if not owners:
            names = list(map(_named, examples))
            by_case = {case_key(name): name for name in names}
            pairs = ((by_case.get(case_key(name)), name) for name in self._unknown)
            first = names[0] if names else None, self._unknown[0]
            asked, received = next((pair for pair in pairs if pair[0]), first)
            raise ValueError(
                f"Expected names of the photographs, such as {asked!r}, in {path}. Received: "
                f"{len(splits)} others, such as {received!r}"
            )
        found = {splits[name] for name in owners.values()}
        ordered = [*_FIRST_SPLITS, *sorted(found.difference(_FIRST_SPLITS))]
        self._examples = {split: [] for split in ordered if split in found}
        for place, example in enumerate(examples):
            if place in owners:
                self._examples[splits[owners[place]]].append(example)
        self._unnamed = [_named(own) for place, own in enumerate(examples) if place not in owners]
        self.notes = [*source.notes]
        for names, what in (
            (self._unnamed, f"photographs left out, which {path} does not name"),
            (self._unknown, f"names in {path} of no photograph"),
        ):
            if names:
                self.notes.append(f"{what}: {len(names)}, first {names[0]}")
        # In place of the source's own, whose splits are no more.
        self.split_notes = split_notes(self._examples, f"name some in {path}")

    def splits(self):
        """Returns the splits of the file that have photographs: train, dev and test first."""
        return tuple(self._examples)

    def examples(self, split):
        """Yields the `SourceExample`s of a split in the source's order."""
        if split not in self._examples:
            raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
        yield from self._examples[split]

    @property
    def skipped(self):
        """List of `Skip`: the source's, whose splits are no more, then what the file leaves out."""
        skips = [dataclasses.replace(skip, split="") for skip in super().skipped]
        if self._unnamed:
            count = len(self._unnamed)
            reason = f"{UNNAMED}: {count}"
            skips.append(Skip("", "", reason, count))
        reason = "no photograph of this name, which the file of splits has"
        return skips + [Skip("", name, reason) for name in self._unknown]

    def checksums(self):
        """Returns `{name: sha256}` of the files that were parsed."""
        return {**super().checksums(), "splits_file": self._sha256}

    def _places(self, names, examples):
        """Yields for each name the place of its example, or None."""
        whole, called, ends = {}, {}, {}
        for place, example in enumerate(examples):
            path = _named(example)
            whole.setdefault(path, set()).add(place)
            for name in {normal_path(example.filename), example.source_id}:
                called.setdefault(name, set()).add(place)
            for name in {*tails(path), *tails(posixpath.splitext(path)[0])}:
                ends.setdefault(name, set()).add(place)
        for name in names:
            # From above, the longest path first.
            below = (whole[tail] for tail in tails(name)[1:] if tail in whole)
            found = whole.get(name) or called.get(name) or ends.get(name) or next(below, ())
            if len(found) > 1:
                first, second = (_named(examples[place]) for place in sorted(found)[:2])
                raise ValueError(
                    f"Expected names that tell photographs apart in {self._path}. Received: "
                    f"{name!r}, which may be {first!r} or {second!r}"
                )
            yield next(iter(found), None)


def _named(example):
    return normal_path(example.path or example.filename)
