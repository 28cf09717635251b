"""Detectors given as a SavedModel, and features of their pyramid; in the writer and in a graph."""

import collections
import re
import threading

import numpy as np
import tensorflow as tf

from tfrecords_tools.encoding.saved_models import SavedModel, SavedModelError
from tfrecords_tools.image_decoding import IMAGES_PER_BATCH
from tfrecords_tools.probes import probe_image

# Boxes in shares of the image may leave it a little; this far, most of them never do.
_FARTHEST = 2.0
# Wide and high: boxes of another order or scale show.
_PROBE_SHAPES = ((192, 288), (288, 192))
# Checksums of the detectors that were looked at: it costs a pass of the network, and a process
# opens some of them again and again.
_LOOKED_AT = set()
# Points a side at which a region is read, as detectors read theirs.
_POINTS = 7
# The maps' names in Model Garden's exports, at strides of 2^L pixels.
_LEVEL = re.compile(r"decoder_([2-9])")


class SavedModelDetector:
    """An object detector with the signature of TF Hub's detectors, or of Model Garden's exports.

    uint8 `[1, h, w, 3]` to `detection_boxes [1, K, 4]`, `detection_scores [1, K]` and, where not
    all K are detections, `num_detections [1]`. Boxes are normalised; or, of an export with
    `image_info [1, 4, 2]` among its outputs, in pixels of the resized image.

    Args:
        handle: directory or TF-Hub handle.

    Attributes:
        model: the `SavedModel`.

    Raises:
        ValueError: it has another signature, or its boxes of a test image are in no known scale,
            which is looked at once in a process.
    """

    def __init__(self, handle):
        self.model = SavedModel(handle)
        self.name, self.tracked = self.model.name, self.model.module
        self._seen = None
        _check_signature(self.model, handle)
        if self.model.checksum not in _LOOKED_AT:
            self._look_at_boxes(handle)
            _LOOKED_AT.add(self.model.checksum)

    def _look_at_boxes(self, handle):
        for shape in _PROBE_SHAPES:
            image = probe_image(*shape)
            try:
                ((boxes, _),) = self.detect([image], [None])
            except tf.errors.OpError as error:
                raise SavedModelError(
                    "Expected a detector of uint8 images [1, h, w, 3]. Received: "
                    f"{handle!r}, which fails at one of {image.shape}: {error.message}"
                ) from error
            if len(boxes):
                break  # the second is for a detector that found nothing in the first

    def describe(self):
        return {"spec": self.name, "sha256": self.model.checksum}

    def detect(self, images, examples):
        return [self._detect_one(image) for image in images]

    def remember(self):
        """Keeps the outputs of the images it saw last: who asks for them again has them at once."""
        self._seen = _Seen()

    def outputs(self, image):
        """Returns what the network says of an image, uint8 `[h, w, 3]`, a dict of tensors."""
        if self._seen is None:
            return self.model(image[None])
        for seen, outputs in self._seen.last:
            if seen is image:
                return outputs
        outputs = self.model(image[None])
        self._seen.last.append((image, outputs))
        return outputs

    def find(self, image):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of uint8 `[h, w, 3]`, tensors."""
        outputs = self.outputs(image)
        boxes, scores = outputs["detection_boxes"][0], outputs["detection_scores"][0]
        if "num_detections" in outputs:
            count = tf.cast(outputs["num_detections"][0], tf.int32)
            boxes, scores = boxes[:count], scores[:count]
        if "image_info" in outputs:
            boxes = _normalized(boxes, outputs["image_info"][0])
        return boxes, scores

    def _detect_one(self, image):
        boxes, scores = (output.numpy() for output in self.find(image))
        given = boxes[(boxes != 0).any(axis=1)]  # the others are padding
        beyond = (np.abs(given - 0.5) > _FARTHEST - 0.5).any(axis=1)
        inverted = (given[:, :2] > given[:, 2:]).any(axis=1)
        wrong = beyond | inverted
        if wrong.sum() * 2 > len(given):
            first = ", ".join(f"{side:.4g}" for side in given[wrong][0])
            raise ValueError(
                "Expected a detector's boxes as ymin, xmin, ymax, xmax in shares of the image, or "
                "in pixels of the resized image with image_info beside them, as Model Garden "
                f"exports them. Received: {self.name} with {wrong.sum()} of {len(given)} boxes "
                f"that are neither, the first {first}, in an image of {image.shape[0]} x "
                f"{image.shape[1]} pixels"
            )
        return boxes, scores


class PyramidEncoder:
    """One pass of a detector gives an image's boxes and their features.

    A region is read from the level of the pyramid that fits its size, by Model Garden's RoIAlign,
    and averaged.

    Args:
        detector: a `SavedModelDetector` whose outputs hold its pyramid, `decoder_L` float32
            `[1, h, w, D]` for consecutive levels L, and `image_info`: as
            `tfrecords_tools.export_detector` writes it.

    Attributes:
        feature_size: D.

    Reference: Lin et al., Feature pyramid networks for object detection, 2017, equation 1.

    Raises:
        ValueError: the detector has no pyramid, or of a size that is not known.
    """

    def __init__(self, detector):
        network = getattr(detector, "model", None)
        outputs = network.signature.structured_outputs if network else {}
        shapes = {
            int(match[1]): outputs[name].shape
            for name in sorted(outputs)
            if (match := _LEVEL.fullmatch(name))
        }
        whole = shapes and list(shapes) == list(range(min(shapes), max(shapes) + 1))
        known = all(shape.rank == 4 and None not in shape[1:] for shape in shapes.values())
        if not (whole and known) or "image_info" not in outputs:
            raise ValueError(
                "Expected --image_encoder=detector with a detector that gives its feature pyramid "
                "(decoder_3, decoder_4, ... [1, h, w, D], all of known sizes, and image_info), as "
                "tfrecords_tools.export_detector writes it. Received: --detector="
                f"{detector.describe()['spec']} with "
                f"{ {name: str(outputs[name].shape) for name in sorted(outputs)} }"
            )
        # Only here: it takes seconds to import.
        from official.vision.ops.spatial_transform_ops import multilevel_crop_and_resize

        self._levels, self._detector = tuple(shapes), detector
        self._crop_and_resize = multilevel_crop_and_resize
        self.feature_size = shapes[self._levels[0]][3]
        detector.remember()
        specification = [
            {str(level): tf.TensorSpec(shape) for level, shape in shapes.items()},
            tf.TensorSpec((4, 2)),
            tf.TensorSpec((None, 4)),
        ]
        self._pool = tf.function(self._pool, input_signature=specification, autograph=False)

    def describe(self):
        return {
            "spec": "detector",
            "sha256": self._detector.model.checksum,
            "feature_size": self.feature_size,
            "region_features": "pyramid",
            "levels": list(self._levels),
        }

    def encode(self, images, boxes):
        return [self.features(image, own).numpy() for image, own in zip(images, boxes)]

    def features(self, image, boxes):
        """Returns the features of an image's regions; in a graph too.

        Args:
            image: uint8 `[h, w, 3]`.
            boxes: float32 `[R, 4]`, normalised.

        Returns:
            float32 `[R, D]`.
        """
        outputs = self._detector.outputs(image)
        maps = {str(level): outputs[f"decoder_{level}"] for level in self._levels}
        return self._pool(maps, outputs["image_info"][0], boxes)

    def _pool(self, maps, image_info, boxes):
        # To pixels of the image as the network sees it.
        pixels = boxes * tf.tile(image_info[0] * image_info[2], [2])
        points = self._crop_and_resize(maps, pixels[None], output_size=_POINTS)
        return tf.reduce_mean(points[0], axis=(1, 2))


class _Seen(threading.local):
    """Images and their outputs, of each thread its own: threads read some images at a time."""

    def __init__(self):
        self.last = collections.deque(maxlen=IMAGES_PER_BATCH)


def _normalized(boxes, image_info):
    """Boxes of a Model Garden export in shares of the image.

    Args:
        boxes: float32 `[K, 4]`, in pixels of the resized image, or in shares already
            (`output_normalized_coordinates`): then none is beyond 1.
        image_info: float32 `[4, 2]`: the image's height and width, those it was resized to, the
            scales from the one to the other, and offsets, which are 0 in exports.

    Reference: `_normalize_coordinates` of Model Garden's official/vision/serving/detection.py.
    """
    in_pixels = boxes / tf.tile(image_info[2], [2]) / tf.tile(image_info[0], [2])
    return tf.where(tf.reduce_max(boxes) > _FARTHEST, in_pixels, boxes)


def _check_signature(model, handle):
    """Raises SavedModelError, saying what there is, where it is not that of a detector."""
    outputs = model.signature.structured_outputs
    expected = {"detection_boxes": (1, None, 4), "detection_scores": (1, None)}
    expected |= {"image_info": (1, 4, 2)} if "image_info" in outputs else {}
    missing = [
        name
        for name, shape in expected.items()
        if name not in outputs or not outputs[name].shape.is_compatible_with(shape)
    ]
    takes = model.input_spec
    of_any_size = all(takes.shape.is_compatible_with((1, *shape, 3)) for shape in _PROBE_SHAPES)
    if missing or takes.dtype != tf.uint8 or not of_any_size:
        received = {name: str(spec.shape) for name, spec in sorted(outputs.items())}
        raise SavedModelError(
            "Expected an object detector: uint8 images [1, h, w, 3] of any size to detection_boxes "
            f"[1, K, 4] and detection_scores [1, K]. Received: {handle!r} from {takes.dtype.name} "
            f"{takes.shape} to {received}"
        )
