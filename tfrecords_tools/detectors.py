"""Detectors: photographs to scored boxes.

A detector has `describe()`, a dict of what it is for `dataset_info.json`, and
`detect(images, examples)`, a list of `(boxes float32 [K, 4], scores float32 [K])`, one an image;
boxes are normalised `ymin, xmin, ymax, xmax`, whatever their order. One that can be part of a
SavedModel also has `find(image)`, the same of a tensor uint8 `[h, w, 3]`, in core operations; and,
if it is a network, `tracked`, what the SavedModel must hold of it.
"""

import numpy as np

from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.detection.opencv_proposals import EdgeBoxes, SelectiveSearch
from tfrecords_tools.detection.shape_detector import ShapeDetector
from vsa_tf.model_handles import check_spec, split_spec


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

    def find(self, image):
        return self.boxes, self.scores


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
        return [self.find(image) for image in images]

    def find(self, image):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


NAMED_DETECTORS = {
    "none": WholeFrameOnly,
    "grid": GridDetector,
    "shapes": ShapeDetector,
    "proposals": SourceProposals,
    "selective_search": SelectiveSearch,
}
FILE_DETECTORS = {"proposals": FileProposals, "edge_boxes": EdgeBoxes}


def make_detector(spec):
    """Returns the detector that `--detector` names.

    Args:
        spec: a SavedModel with the object-detection signature or `keras_hub:PRESET`, see
            `vsa_tf.model_handles`; `proposals:FILE.json`, `proposals` (those that come with the
            data set), `selective_search`, `edge_boxes:MODEL.yml.gz`, `grid`, `shapes` (of generated
            scenes) or `none`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec in NAMED_DETECTORS:
        return NAMED_DETECTORS[spec]()
    name, _, file = spec.partition(":")
    if name in FILE_DETECTORS:
        return FILE_DETECTORS[name](file)
    check_spec(spec)
    kind, name = split_spec(spec)
    # Each imports what it needs where it is made.
    if kind == "keras_hub":
        from tfrecords_tools.detection.keras_hub_detector import KerasHubDetector

        return KerasHubDetector(name)
    if kind == "keras":
        raise ValueError(
            f"Expected a detector. Received: {spec}: keras.applications has none; keras_hub:PRESET "
            "may be one"
        )
    from tfrecords_tools.detection.saved_model_detector import SavedModelDetector

    return SavedModelDetector(name)
