"""The detector of `--detector=proposals:FILE.json`."""

import hashlib
import json
import pathlib

import numpy as np

from tfrecords_tools.detection.box_order import BoxOrder
from tfrecords_tools.detection.check_box_layout import check_box_layout


class FileProposals:
    """Proposals of a JSON file: `{FILENAME: {"boxes": [[ymin, xmin, ymax, xmax]], "scores": []}}`.

    Boxes are normalised; scores may be left out where the boxes are ordered, best first. Where the
    data set has annotated boxes, they tell whether x and y were swapped.

    Args:
        path: of the file.

    Raises:
        ValueError: the file cannot be read, or its boxes are of another scale or layout.
    """

    def __init__(self, path):
        try:
            content = pathlib.Path(path).read_bytes()
            entries = json.loads(content)
        except (OSError, ValueError) as error:
            raise ValueError(f"--detector=proposals:{path} cannot be read: {error}") from error
        if not isinstance(entries, dict):
            raise ValueError(
                f"Expected {path} to hold an object of file names. Received: a "
                f"{type(entries).__name__}"
            )
        self.path, self.checksum = path, hashlib.sha256(content).hexdigest()
        self._proposals = {name: self._parse(name, entry) for name, entry in entries.items()}
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
        for example in examples:
            annotated = np.array([item.box for item in example.objects], np.float32)
            self._order.add(self._proposals[example.filename][0], annotated.reshape(-1, 4))
        if self._order.looks_swapped():
            swapped, given = np.mean(self._order.swapped), np.mean(self._order.given)
            raise ValueError(
                f"Expected boxes of {self.path} as ymin, xmin, ymax, xmax. Received: boxes that "
                f"look like xmin, ymin, xmax, ymax: read so, the best of them overlap the "
                f"annotated boxes of {len(self._order.given)} images by {swapped:.2f}, and by "
                f"{given:.2f} as they are given"
            )
        return [self._proposals[example.filename] for example in examples]

    def missing(self, examples):
        """Returns the examples that the file has no entry for."""
        return [example for example in examples if example.filename not in self._proposals]

    def check(self, examples):
        """Refuses examples that the file has no entry for.

        Raises:
            ValueError: naming the first of them, and how many there are.
        """
        names = [example.filename for example in self.missing(examples)]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise ValueError(f"{self.path} has no proposals for {', '.join(names[:3])}{more}")

    def _parse(self, name, entry):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of one image."""
        try:
            boxes = np.array(entry["boxes"], np.float32).reshape(len(entry["boxes"]), 4)
            scores = entry.get("scores")
            if scores is None:
                scores = np.linspace(1, 0, len(boxes), endpoint=False)
            scores = np.array(scores, np.float32).reshape(len(boxes))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'Expected {{"boxes": [[ymin, xmin, ymax, xmax], ...], "scores": [...]}}, a score '
                f"a box, for {name} in {self.path}. Received: {_what_is_wrong(entry)}"
            ) from error
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError(
                f"Expected finite numbers for {name} in {self.path}. Received: NaN or infinity"
            )
        return boxes, scores


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
            or not all(isinstance(value, (int, float)) for value in box)
        ):
            return f"the box {str(box)[:80]}"
    if isinstance(scores, list) and len(scores) != len(boxes):
        return f"{len(scores)} scores of {len(boxes)} boxes"
    return f"the scores {str(scores)[:80]}"
