"""Detectors: photographs to scored boxes.

A detector has `describe()`, a dict of what it is for `dataset_info.json`, and
`detect(images, examples)`, a list of `(boxes float32 [K, 4], scores float32 [K])`, one an image;
boxes are normalised `ymin, xmin, ymax, xmax`, whatever their order. One that can be part of a
SavedModel also has `find(image)`, the same of a tensor uint8 `[h, w, 3]`, in core operations; and,
if it is a network, `tracked`, what the SavedModel must hold of it.
"""

import functools

import numpy as np

from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.detection.opencv_proposals import EdgeBoxes, SelectiveSearch
from vsa_tf.model_handles import check_spec, joined_specs, split_spec

# The generated scenes' own side: larger photographs are looked at reduced to it.
_SCENE_SIDE = 96
# Between the strongest and the weakest primary colour of a pixel: backgrounds have less.
_LEAST_COLOUR = 80
_FEWEST_PIXELS = 26
# Steps, a pixel each, in which a number spreads over a shape: other things than shapes may wind.
_MOST_STEPS = 96


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


class ShapeDetector:
    """Boxes round connected pixels that are more colourful than a background is.

    That finds the things of `ShapeScenes`, simulates a detector for them, and means little
    elsewhere.
    """

    def describe(self):
        return {"spec": "shapes", "side": _SCENE_SIDE, "least_colour": _LEAST_COLOUR}

    def detect(self, images, examples):
        return [tuple(output.numpy() for output in self._traced(image)) for image in images]

    def find(self, image):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of uint8 `[h, w, 3]`, tensors."""
        import tensorflow as tf

        image = tf.image.resize(image, (_SCENE_SIDE, _SCENE_SIDE), "area")
        colourful = tf.reduce_max(image, -1) - tf.reduce_min(image, -1) > _LEAST_COLOUR
        number = tf.reshape(tf.range(1.0, _SCENE_SIDE**2 + 1), (_SCENE_SIDE, _SCENE_SIDE))

        def spread(number, _):
            # The largest number of a shape comes to be that of all its pixels.
            largest = tf.nn.max_pool2d(number[None, :, :, None], 3, 1, "SAME")[0, :, :, 0]
            largest = tf.where(colourful, largest, 0.0)
            return largest, tf.reduce_any(largest != number)

        number, _ = tf.while_loop(
            lambda _, changed: changed,
            spread,
            (tf.where(colourful, number, 0.0), True),
            maximum_iterations=_MOST_STEPS,
        )
        pixels = tf.where(colourful)
        _, shape, size = tf.unique_with_counts(tf.boolean_mask(number, colourful))
        first = tf.math.unsorted_segment_min(pixels, shape, tf.size(size))
        last = tf.math.unsorted_segment_max(pixels, shape, tf.size(size))
        boxes = tf.cast(tf.concat([first, last + 1], axis=1), tf.float32) / _SCENE_SIDE
        boxes = tf.boolean_mask(boxes, size >= _FEWEST_PIXELS)
        return boxes, tf.ones_like(boxes[:, 0])

    @functools.cached_property
    def _traced(self):
        """`find` in a third of the time."""
        import tensorflow as tf

        specification = tf.TensorSpec([None, None, 3], tf.uint8)
        return tf.function(self.find, input_signature=[specification], autograph=False)


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


class JoinedDetector:
    """Boxes of several detectors: those of the first, its best first, then those of the next.

    Scores of different detectors do not compare: here a box's score is its place among all, 1 of
    the first and less of each that follows. What `select_regions` drops as too near another, it so
    drops in favour of the earlier detector.

    Args:
        detectors: list of them.
    """

    def __init__(self, detectors):
        self.detectors = detectors
        networks = [getattr(detector, "tracked", None) for detector in detectors]
        self.tracked = [network for network in networks if network is not None]
        if all(hasattr(detector, "find") for detector in detectors):
            self.find = self._find

    def describe(self):
        described = [detector.describe() for detector in self.detectors]
        return {"spec": ",".join(own["spec"] for own in described), "joined": described}

    def detect(self, images, examples):
        found = [detector.detect(images, examples) for detector in self.detectors]
        return [_join(*zip(*of_image)) for of_image in zip(*found, strict=True)]

    def _find(self, image):
        import tensorflow as tf

        boxes, scores = zip(*(detector.find(image) for detector in self.detectors))
        order, count = [], 0
        for own in scores:
            order.append(count + tf.argsort(own, direction="DESCENDING", stable=True))
            count += tf.size(own)
        places = tf.math.invert_permutation(tf.concat(order, axis=0))
        return tf.concat(boxes, axis=0), 1 - tf.cast(places / count, tf.float32)


def _join(boxes, scores):
    detector = np.repeat(np.arange(len(scores)), list(map(len, scores)))
    boxes, scores = np.concatenate(boxes), np.concatenate(scores)
    if np.isfinite(scores).all():  # what is not, whoever selects regions refuses
        order = np.lexsort((-scores, detector))
        scores[order] = np.linspace(1, 0, len(order), endpoint=False)
    return boxes, scores


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
            scenes) or `none`; or several, `A,B`, see `JoinedDetector`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    parts = joined_specs(spec)
    if len(parts) > 1:
        return JoinedDetector([make_detector(part) for part in parts])
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
