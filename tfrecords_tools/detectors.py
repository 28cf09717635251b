"""Detectors: photographs to scored boxes.

A detector has `describe()`, a dict of what it is for `dataset_info.json`, and
`detect(images, examples)`, a list of `(boxes float32 [K, 4], scores float32 [K])`, one an image;
boxes are normalised `ymin, xmin, ymax, xmax`, whatever their order.
"""

import hashlib
import json
import pathlib

import numpy as np


def make_detector(spec):
    """Returns the detector that `--detector` names.

    Args:
        spec: a SavedModel directory or TF-Hub handle with the object-detection signature,
            `proposals:FILE.json`, `proposals` (those that come with the data set), `grid` or
            `none`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec == "none":
        return WholeFrameOnly()
    if spec == "grid":
        return GridDetector()
    if spec == "proposals":
        return SourceProposals()
    if spec.startswith("proposals:"):
        return FileProposals(spec.removeprefix("proposals:"))
    return SavedModelDetector(spec)


class WholeFrameOnly:
    """No boxes: the whole frame, which every record has, is the only region."""

    def describe(self):
        return {"spec": "none"}

    def detect(self, images, examples):
        return [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images]


class GridDetector:
    """Windows of three sizes, each a lattice over the frame; the larger ones score higher."""

    # (windows a side, side as a share of the frame): half-overlapping at each size.
    LATTICES = ((2, 2 / 3), (3, 1 / 2), (5, 1 / 3))

    def __init__(self):
        boxes, scores = [], []
        for rank, (count, side) in enumerate(self.LATTICES):
            starts = np.linspace(0, 1 - side, count)
            boxes += [(y, x, y + side, x + side) for y in starts for x in starts]
            scores += [1.0 / (rank + 1)] * count**2
        self.boxes, self.scores = np.array(boxes, np.float32), np.array(scores, np.float32)

    def describe(self):
        return {"spec": "grid", "lattices": [list(lattice) for lattice in self.LATTICES]}

    def detect(self, images, examples):
        return [(self.boxes, self.scores)] * len(images)


class SourceProposals:
    """The proposals that the data set itself brings."""

    def describe(self):
        return {"spec": "proposals"}

    def detect(self, images, examples):
        for example in examples:
            if not example.proposals:
                raise ValueError(
                    f"--detector=proposals: {example.source_id} comes without proposals; give "
                    "them as --detector=proposals:FILE.json"
                )
        return [
            (np.array(e.proposals, np.float32), np.array(e.proposal_scores, np.float32))
            for e in examples
        ]


class FileProposals:
    """Proposals of a JSON file: `{FILENAME: {"boxes": [[ymin, xmin, ymax, xmax]], "scores": []}}`.

    Boxes are normalised; scores may be left out where the boxes are ordered, best first.
    """

    def __init__(self, path):
        try:
            content = pathlib.Path(path).read_bytes()
            self.proposals = json.loads(content)
        except (OSError, ValueError) as error:
            raise ValueError(f"--detector=proposals:{path} cannot be read: {error}") from error
        if not isinstance(self.proposals, dict):
            raise ValueError(
                f"Expected {path} to hold an object of file names. Received: a "
                f"{type(self.proposals).__name__}"
            )
        self.path, self.checksum = path, hashlib.sha256(content).hexdigest()

    def describe(self):
        return {"spec": f"proposals:{pathlib.Path(self.path).name}", "sha256": self.checksum}

    def detect(self, images, examples):
        return [self._of(example.filename) for example in examples]

    def _of(self, filename):
        entry = self.proposals.get(filename)
        if entry is None:
            raise ValueError(f"{self.path} has no proposals for {filename}")
        boxes = np.array(entry["boxes"], np.float32).reshape(-1, 4)
        scores = entry.get("scores")
        if scores is None:
            scores = np.linspace(1, 0, len(boxes), endpoint=False)
        in_frame = (boxes >= -0.01) & (boxes <= 1.01)
        if not in_frame.all() or (boxes[:, 2:] <= boxes[:, :2]).any():
            raise ValueError(
                f"Expected boxes of {filename} in {self.path} as ymin, xmin, ymax, xmax in 0..1 "
                f"of the frame. Received: {boxes[~in_frame.all(1)][:1].tolist() or 'swapped ends'}"
            )
        return boxes, np.array(scores, np.float32)


class SavedModelDetector:
    """An object detector with the common TF-Hub signature.

    uint8 `[1, h, w, 3]` to `detection_boxes [1, K, 4]` normalised, `detection_scores [1, K]` and
    `num_detections [1]`.
    """

    def __init__(self, handle):
        from tfrecords_tools.saved_model import SavedModel

        self.model, self.name = SavedModel(handle), pathlib.Path(handle).name
        outputs = self.model.signature.structured_outputs
        missing = {"detection_boxes", "detection_scores"} - set(outputs)
        if missing:
            raise ValueError(
                f"Expected an object detector with outputs detection_boxes and detection_scores. "
                f"Received: {handle!r} with outputs {sorted(outputs)}"
            )

    def describe(self):
        return {"spec": self.name, "sha256": self.model.checksum}

    def detect(self, images, examples):
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image):
        import tensorflow as tf

        outputs = self.model(tf.constant(image[None]))
        boxes = outputs["detection_boxes"].numpy()[0]
        count = len(boxes)
        if "num_detections" in outputs:
            count = int(outputs["num_detections"].numpy()[0])
        return boxes[:count], outputs["detection_scores"].numpy()[0, :count]
