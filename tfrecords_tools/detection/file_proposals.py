"""The detector of `--detector=proposals:FILE.json`, and what tells boxes of another layout."""

import hashlib
import pathlib
import posixpath
import reprlib

import numpy as np

from tfrecords_tools.archive import normal_path
from vsa_tf.boxes import box_overlap
from vsa_tf.file_reading import NOT_AS_EXPECTED, parse_json

# Images before anything is concluded, and how far below zero, in standard errors and in overlap,
# their mean must lie: boxes of no order, or that overlap nothing, are never refused.
_MIN_ORDERED_IMAGES = 16
_STANDARD_ERRORS = 5.0
_MIN_DIFFERENCE = 0.05
# Detectors' boxes exceed the frame by rounding.
_TOLERANCE = 0.01
# Boxes of so many images cover more than a tenth of the frame's sides, unless they are of another
# scale.
_MIN_IMAGES = 10
_MIN_COVER = 0.01


class FileProposals:
    """Proposals of a JSON file: `{FILENAME: {"boxes": [[ymin, xmin, ymax, xmax]], "scores": []}}`.

    A photograph is named by its path in `--images`, by the last parts of it, or by a path that
    leads there from above; by its file's name alone where no other photograph has it. Boxes are
    normalised; scores may be left out where the boxes are ordered, best first. Where the
    data set has annotated boxes, they tell whether x and y were swapped.

    Args:
        path: of the file.

    Raises:
        ValueError: the file cannot be read, or its boxes are of another scale or layout.
    """

    def __init__(self, path):
        try:
            content = pathlib.Path(path).read_bytes()
            entries = parse_json(content, path, object_pairs_hook=_without_repeats)
        except (OSError, ValueError) as error:
            raise ValueError(f"--detector=proposals:{path} cannot be read: {error}") from error
        if not isinstance(entries, dict):
            raise ValueError(
                f"Expected {path} to hold an object of file names. Received: a "
                f"{type(entries).__name__}"
            )
        self.path, self.checksum = path, hashlib.sha256(content).hexdigest()
        self._proposals = {name: self._parse(name, entry) for name, entry in entries.items()}
        self._names, self._by_basename = {}, {}
        for name in entries:
            own = normal_path(name)
            if self._names.setdefault(own, name) != name:
                raise ValueError(
                    f"Expected each photograph once in {path}. Received: {self._names[own]!r} and "
                    f"{name!r}"
                )
            self._by_basename.setdefault(posixpath.basename(own), []).append(own)
        check_box_layout({name: boxes for name, (boxes, _) in self._proposals.items()}, path)
        self._order = BoxOrder()

    def describe(self):
        return {"spec": f"proposals:{pathlib.Path(self.path).name}", "sha256": self.checksum}

    def detect(self, images, examples):
        """Returns the boxes of each image, as every detector.

        Raises:
            ValueError: the file has none for an image, or x and y seem to be swapped.
        """
        self.check(examples)
        found = [self._proposals[self._names[self._name(example)]] for example in examples]
        for example, (boxes, _) in zip(examples, found):
            annotated = np.array([item.box for item in example.objects], np.float32)
            self._order.add(boxes, annotated.reshape(-1, 4))
        if self._order.looks_swapped():
            swapped, given = np.mean(self._order.swapped), np.mean(self._order.given)
            raise ValueError(
                f"Expected boxes of {self.path} as ymin, xmin, ymax, xmax. Received: boxes that "
                f"look like xmin, ymin, xmax, ymax: read so, the best of them overlap the "
                f"annotated boxes of {len(self._order.given)} images by {swapped:.2f}, and by "
                f"{given:.2f} as they are given"
            )
        return found

    def missing(self, examples):
        """Returns the examples that the file has no entry for.

        Raises:
            ValueError: when one of two photographs may be meant, or one of two entries.
        """
        missing, owners = [], {}
        for example in examples:
            name = self._name(example)
            if name is None:
                missing.append(example)
                continue
            owner = owners.setdefault(name, example)
            if _path(owner) != _path(example):
                self._refuse(name, _path(owner), _path(example))
        return missing

    def check(self, examples):
        """Refuses examples that the file has no entry for.

        Raises:
            ValueError: naming the first of them, and how many there are; or as `missing`.
        """
        missing = self.missing(examples)
        names = [example.filename for example in missing]
        if not names:
            return
        bare = posixpath.basename(names[0])
        others = [name for name in names if posixpath.basename(name) == bare]
        if bare in self._names and len(others) > 1:
            self._refuse(bare, *others[:2])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        reason = f", and its {bare} may be another photograph" if bare in self._names else ""
        raise ValueError(f"{self.path} has no proposals for {', '.join(names[:3])}{more}{reason}")

    def _refuse(self, name, path, other):
        raise ValueError(
            f"Expected paths that tell photographs apart in {self.path}. Received: {name!r}, which "
            f"may be {path!r} or {other!r}"
        )

    def _name(self, example):
        """Returns the name under which the file has a photograph, or None."""
        path, filename = normal_path(example.path or example.filename), example.filename
        parts = path.split("/")
        # A file's name with its folders is one that other photographs have, too.
        tails = ["/".join(parts[first:]) for first in range(len(parts) - filename.count("/"))]
        for name in (path, normal_path(filename), *tails):
            if name in self._names:
                return name
        own = self._by_basename.get(parts[-1], ())
        longer = [name for name in own if name.endswith("/" + path)]
        if len(longer) > 1:
            self._refuse(path, *longer[:2])
        return longer[0] if longer else None

    def _parse(self, name, entry):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of one image."""
        try:
            boxes = _numbers(entry["boxes"]).reshape(len(entry["boxes"]), 4)
            scores = entry.get("scores")
            if scores is None:
                scores = np.linspace(1, 0, len(boxes), endpoint=False)
            scores = _numbers(scores).reshape(len(boxes))
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f'Expected {{"boxes": [[ymin, xmin, ymax, xmax], ...], "scores": [...]}}, a score '
                f"a box, for {name} in {self.path}. Received: {_what_is_wrong(entry)}"
            ) from error
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError(
                f"Expected finite numbers for {name} in {self.path}. Received: NaN or infinity"
            )
        return boxes, scores


def _path(example):
    return example.path or example.source_id


def _numbers(values):
    values = np.array(values)
    # Which numpy would take for numbers.
    if values.dtype.kind in "bUS":
        raise TypeError("text or truth values")
    with np.errstate(over="ignore"):  # infinity is told
        return values.astype(np.float32)


def _without_repeats(pairs):
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands in it twice")
    return entries


def _what_is_wrong(entry):
    if not isinstance(entry, dict):
        return f"a {type(entry).__name__}"
    if not isinstance(entry.get("boxes"), list):
        return "no list 'boxes'"
    boxes, scores = entry["boxes"], entry.get("scores")
    for box in boxes:
        if (
            not isinstance(box, list)
            or len(box) != 4
            or not all(type(value) in (int, float) for value in box)
        ):
            return f"the box {reprlib.repr(box)}"
    if isinstance(scores, list) and len(scores) != len(boxes):
        return f"{len(scores)} scores of {len(boxes)} boxes"
    return f"the scores {reprlib.repr(scores)}"


class BoxOrder:
    """Compares boxes as they are given, and with x and y swapped, with annotated boxes.

    Attributes:
        given: for each image the mean over its annotated boxes of the best overlap (IoU).
        swapped: the same with x and y of the boxes swapped.
    """

    def __init__(self):
        self.given, self.swapped = [], []

    def add(self, boxes, annotated):
        """Takes in one image.

        Args:
            boxes: float `[K, 4]`, said to be `ymin, xmin, ymax, xmax`.
            annotated: float `[n, 4]`, in this order.
        """
        if len(boxes) and len(annotated):
            for overlaps, columns in ((self.given, [0, 1, 2, 3]), (self.swapped, [1, 0, 3, 2])):
                found = box_overlap(annotated[:, None], boxes[:, columns])
                overlaps.append(float(found.max(axis=1).mean()))

    def looks_swapped(self):
        """Returns whether the boxes fit clearly better when x and y are swapped."""
        if len(self.given) < _MIN_ORDERED_IMAGES:
            return False
        gain = np.array(self.swapped) - self.given
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        return bool(gain.mean() > max(_MIN_DIFFERENCE, _STANDARD_ERRORS * error))


def check_box_layout(boxes, path):
    """Tells from all boxes together what they look like; whether x is before y cannot be seen.

    Args:
        boxes: dict of file name to float `[K, 4]`, finite.
        path: of the file, for the message.

    Raises:
        ValueError: naming the scale or layout that they seem to have, or the first wrong box.
    """
    every = np.concatenate([np.zeros((0, 4)), *boxes.values()])
    if not len(every):
        return
    expected = f"Expected ymin, xmin, ymax, xmax in 0..1 of the frame in {path}. Received: "
    outside = ((every < -_TOLERANCE) | (every > 1 + _TOLERANCE)).any(axis=1)
    backwards = (every[:, 2:] <= every[:, :2]).any(axis=1)
    if outside.mean() > 0.5:
        scale = "pixels: divide them by the image's height and width"
        if every.max() <= 101:
            scale = f"per cent of the frame: divide them by 100; or like {scale}"
        raise ValueError(f"{expected}numbers up to {every.max():g}, which look like {scale}")
    sums = every[:, :2] + every[:, 2:]
    if backwards.mean() > 0.1 and (sums <= 1 + _TOLERANCE).all():
        raise ValueError(
            f"{expected}boxes that look like a corner and a size (x, y, width, height): the third "
            "number is often below the first, and their sum never above 1"
        )
    for name, own in boxes.items():
        wrong = ((own < -_TOLERANCE) | (own > 1 + _TOLERANCE)).any(axis=1)
        wrong |= (own[:, 2:] <= own[:, :2]).any(axis=1)
        if wrong.any():
            raise ValueError(f"{expected}{own[wrong][0].tolist()} for {name}")
    # Their hull's overlap (IoU) with the frame: it lies in it.
    cover = np.prod(every[:, 2:].max(axis=0) - every[:, :2].min(axis=0))
    if len(boxes) >= _MIN_IMAGES and cover < _MIN_COVER:
        raise ValueError(
            f"{expected}boxes that all lie in {cover:.2g} of the frame, which look divided by the "
            "size of the image twice"
        )
