"""Detectors: photographs to scored boxes.

A detector has `describe()`, a dict of what it is for `dataset_info.json`, and
`detect(images, examples)`, a list of `(boxes float32 [K, 4], scores float32 [K])`, one an image;
boxes are normalised `ymin, xmin, ymax, xmax`, whatever their order.
"""

import pathlib

import numpy as np

from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.detection.opencv_proposals import EdgeBoxes, SelectiveSearch


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


class SourceProposals:
    """The proposals that the data set itself brings."""

    def describe(self):
        return {"spec": "proposals"}

    def check(self, examples):
        """Refuses examples that have none.

        Raises:
            ValueError: naming the first.
        """
        for example in examples:
            if not example.proposals:
                raise ValueError(
                    f"--detector=proposals: {example.source_id} comes without proposals; give "
                    "them as --detector=proposals:FILE.json"
                )

    def detect(self, images, examples):
        self.check(examples)
        return [
            (np.array(e.proposals, np.float32), np.array(e.proposal_scores, np.float32))
            for e in examples
        ]


class WholeFrameOnly:
    """No boxes: the whole frame, which every record has, is the only region."""

    def describe(self):
        return {"spec": "none"}

    def detect(self, images, examples):
        return [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images]


_BY_NAME = {
    "none": WholeFrameOnly,
    "grid": GridDetector,
    "proposals": SourceProposals,
    "selective_search": SelectiveSearch,
}
_BY_FILE = {"proposals": FileProposals, "edge_boxes": EdgeBoxes}


def make_detector(spec):
    """Returns the detector that `--detector` names.

    Args:
        spec: a SavedModel directory or TF-Hub handle with the object-detection signature,
            `proposals:FILE.json`, `proposals` (those that come with the data set),
            `selective_search`, `edge_boxes:MODEL.yml.gz`, `grid` or `none`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec in _BY_NAME:
        return _BY_NAME[spec]()
    name, _, file = spec.partition(":")
    if name in _BY_FILE:
        return _BY_FILE[name](file)
    return SavedModelDetector(spec)
