"""Features that others made of regions, with their boxes, for the captions of any data set.

Source: Anderson et al., "Bottom-up and top-down attention for image captioning and visual question
answering", 2018, https://github.com/peteanderson80/bottom-up-attention.
"""

import collections
import dataclasses
import functools
import hashlib
import os
import re
import sys

from tfrecords_tools.archive import matching_files, normal_path
from tfrecords_tools.progress import Progress
from tfrecords_tools.sources.caption_source import tails
from tfrecords_tools.sources.region_features import (
    IDS,
    MOST_BYTES,
    BoxLayout,
    parse_row,
    read_arrays,
    read_regions,
)
from tfrecords_tools.sources.source import Skip, WrappedSource
from vsa_tf.file_reading import reason_of

_KIND = "bottom_up:"
_FILES = r"(?i).*\.(tsv(\.\d+)?|npz|npy)"
_NUMBER = re.compile(r"(?:COCO_[a-z]+\d*_)?0*(\d{1,18})")
_ENDING = re.compile(r"(?i)\.(jpe?g|png|gif|bmp|webp)$")
# Files of arrays that are looked at before anything is written.
_SAMPLE = 32


def feature_files(spec):
    """Finds the files that `--features` names, without reading any.

    Args:
        spec: `bottom_up:PATH[,PATH...]`: TSV files, globs of them, or directories.

    Returns:
        A list of `(path, name)`; the name is relative to the directory that was given.

    Raises:
        ValueError: it is of another kind, or there are none.
    """
    found = []
    paths = spec.removeprefix(_KIND).split(",") if spec.startswith(_KIND) else [""]
    for path in paths:
        files = matching_files(path, _FILES) if path else []
        if not files:
            raise ValueError(
                f"Expected --features={_KIND}PATH[,PATH...], of TSV files or of directories of "
                f".npz or .npy files. Received: {spec!r}" + (f", {path!r} is none" if path else "")
            )
        root = path if os.path.isdir(path) else None
        found += [(file, os.path.relpath(file, root or os.path.dirname(file))) for file in files]
    return found


class BottomUpFeatures:
    """An index of features: a row of a TSV file, or the arrays of a file or two, a photograph.

    Rows are the authors' `image_id, image_w, image_h, num_boxes, boxes, features`, or LXMERT's.
    Arrays are `x` (or `feat`, `features`) `[R, D]` and `bbox` (or `boxes`) `[R, 4]`, with `image_h`
    and `image_w`, in a `.npz` file; or in two directories of `.npy` and `.npz` files of the same
    names. Boxes are `xmin, ymin, xmax, ymax` in pixels. Features are read when they are wanted.

    Args:
        spec: see `feature_files`.

    Attributes:
        feature_size: D.
        names: of the photographs, one a place.
        region_counts: Counter of the rows of TSV files by their number of regions.
        faults: list of `(name, reason)` of what cannot be used.
        sha256: of the TSV files' bytes; of arrays' names and sizes.

    Raises:
        OSError: a file cannot be read.
        ValueError: none of it can be used, or boxes are of another layout.
    """

    def __init__(self, spec):
        self.names, self.faults, self._readers = [], [], []
        self.feature_size, self.region_counts = 0, collections.Counter()
        self._index, self._seen = {}, set()
        self._layout = BoxLayout(spec)
        digest, arrays = hashlib.sha256(), {}
        files = feature_files(spec)
        tables = [file for file in files if not file[0].lower().endswith((".npz", ".npy"))]
        num_bytes = sum(os.path.getsize(path) for path, _ in tables)
        shown = Progress(num_bytes >> 20, sys.stderr if tables else None, "MB")
        for path, name in files:
            if (path, name) in tables:
                self._add_table(path, digest, shown)
            else:
                digest.update(f"{name} {os.path.getsize(path)}\n".encode("utf-8", "replace"))
                arrays.setdefault(normal_path(os.path.splitext(name)[0]), []).append(path)
        shown.close()
        self._add_arrays(arrays)
        self.sha256 = digest.hexdigest()
        self._layout.check()
        if not self.names:
            first = f" First: {': '.join(self.faults[0])}." if self.faults else ""
            raise ValueError(
                f"Expected features of photographs. Received: {spec!r} of none.{first}"
            )

    def place(self, example):
        """Returns the place of the features of a `SourceExample`, or None."""
        numbers = []
        for given in (example.path, example.filename, example.source_id):
            for name in tails(_stem(given)) if given else ():
                if self._index.get(name) is not None:
                    return self._index[name]
            base = _stem(given).rpartition("/")[2]
            # Every Flickr8K photograph is one of Flickr30K: the digits are its number there.
            match = _NUMBER.fullmatch(re.sub(r"^(\d+)_[0-9a-f]+$", r"\1", base))
            numbers += [int(match[1])] if match else []
        return next((own for own in map(self._index.get, numbers) if own is not None), None)

    def reader(self, place):
        """Returns a picklable function of the photograph's size that returns `GivenRegions`."""
        return functools.partial(read_regions, self._readers[place], self.feature_size)

    def _add(self, name, reader):
        """Takes in a photograph's features; returns whether they are the first of its name."""
        if name in self._seen:
            self.faults.append((name, "second features of this photograph"))
            return
        self._seen.add(name)
        place = len(self.names)
        for key in tails(name):
            # By the last parts of their paths several may be meant.
            self._index[key] = None if key in self._index else place
        match = _NUMBER.fullmatch(name.rpartition("/")[2])
        if match:
            number = int(match[1])
            self._index[number] = None if number in self._index else place
        self.names.append(name)
        self._readers.append(reader)

    def _add_table(self, path, digest, progress):
        names, offset, rest = None, 0, 0
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), 1):
                digest.update(line)
                start, offset = offset, offset + len(line)
                rest += len(line)
                progress.add(rest >> 20)
                rest &= (1 << 20) - 1
                begin = line[:99].decode("utf-8-sig", "replace") if number == 1 else ""
                if begin.partition("\t")[0] in IDS:
                    names = line.decode("utf-8-sig", "replace").split()
                elif not line.isspace():
                    self._add_line(path, number, line, ("table", path, start, len(line), names))

    def _add_line(self, path, number, line, reader):
        try:
            row = parse_row(line, reader[-1])
            self._check_row(row)
        except ValueError as error:
            self.faults.append((f"{os.path.basename(path)}:{number}", reason_of(error)))
        else:
            self._add(_stem(row.name), reader)

    def _check_row(self, row):
        size = row.num_numbers / len(row.boxes)
        if size.is_integer():
            self.feature_size = self.feature_size or int(size)
        if not size or size != self.feature_size:
            others = f", where others have {self.feature_size} a region"
            raise ValueError(
                f"{row.num_numbers:g} numbers in the features of {len(row.boxes)} regions"
                f"{others if self.feature_size else ''}"
            )
        self._layout.add(row.boxes, row.size)
        self.region_counts[len(row.boxes)] += 1

    def _add_arrays(self, arrays):
        for name, paths in arrays.items():
            self._add(_stem(name), ("arrays", *paths))
        step = max(1, len(arrays) // _SAMPLE)
        reasons = []
        for paths in list(arrays.values())[::step]:
            try:
                features, boxes, size = read_arrays(paths)
                self.feature_size = self.feature_size or features.shape[1]
                if size is not None:
                    self._layout.add(boxes, size)
            except (OSError, ValueError) as error:  # of one, which the writer lists
                reasons.append(reason_of(error))
        if arrays and not self.feature_size:
            raise ValueError(f"Expected features and boxes. Received: {reasons[0]}")


class BottomUpSource(WrappedSource):
    """A source whose examples bring features of regions; all else is the other source's.

    Args:
        source: a `Source` of photographs.
        features: their `BottomUpFeatures`.
        has_photographs: whether the source's photographs are there.

    Raises:
        ValueError: no features are of its photographs, or it is not clear of which.
    """

    def __init__(self, source, features, has_photographs):
        super().__init__(source)
        self._features = features
        self.feature_size, self.features_of = features.feature_size, "bottom_up"
        self._examples, self._missing, owners = {}, [], {}
        for split in source.splits():
            own = self._examples[split] = []
            for example in source.examples(split):
                place = features.place(example)
                if place is None:
                    reason = "no features of this photograph"
                    self._missing.append(Skip(split, example.source_id, reason))
                    continue
                owner = owners.setdefault(place, example.source_id)
                if owner != example.source_id:
                    raise ValueError(
                        "Expected features whose names tell photographs apart. Received: "
                        f"{features.names[place]!r}, which may be {owner!r} or "
                        f"{example.source_id!r}"
                    )
                changes = {} if has_photographs else {"read_image": None}
                reader = features.reader(place)
                own.append(dataclasses.replace(example, read_features=reader, **changes))
        if not owners:
            asked = self._missing[0].source_id if self._missing else "none"
            raise ValueError(
                f"Expected features of the photographs, such as {asked!r}. Received: those of "
                f"{len(features.names)} others, such as {features.names[0]!r}"
            )
        self._unused = len(features.names) - len(owners)
        self.notes = [*source.notes]
        most = max(features.region_counts, default=0)
        num_fewer = features.region_counts.total() - features.region_counts[most]
        for count, what in (
            (num_fewer, f"photographs of fewer than {most} regions"),
            (len(self._missing), "photographs without features"),
            (self._unused, "features of other photographs"),
            (len(features.faults), "rows or files of features that cannot be used"),
        ):
            if count:
                self.notes.append(f"{what}: {count}")

    def examples(self, split):
        """Yields the `SourceExample`s of a split that have features."""
        yield from self._examples[split]

    @property
    def skipped(self):
        """List of `Skip`: the source's, photographs without features, and what is unusable."""
        faults = [Skip("", name, f"features: {reason}") for name, reason in self._features.faults]
        if self._unused:
            reason = f"features of no photograph of the data set: {self._unused}"
            faults.append(Skip("", "", reason, self._unused))
        return [*super().skipped, *self._missing, *faults]

    def checksums(self):
        """Returns `{name: sha256}` of the files that were parsed."""
        return {**super().checksums(), "features": self._features.sha256}


def _stem(name):
    """Returns the path of a photograph without its ending."""
    return _ENDING.sub("", normal_path(name))
