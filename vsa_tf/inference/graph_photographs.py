"""Encoded photographs to the batch that a model reads, in a graph."""

import tensorflow as tf

from tfrecords_tools.detection.saved_model_detector import SavedModelDetector
from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.data.image_input import resized_image
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.graph_encoder import GraphEncoder
from vsa_tf.inference.graph_images import graph_image, graph_stored_image
from vsa_tf.inference.photograph_reader import NMS_THRESHOLD

# As in `select_regions`, whose results these are.
_SMALLEST_SIDE = 1e-3


class GraphPhotographs(tf.Module):
    """Decoding, detector, regions and encoder of a `PhotographReader`, in core operations.

    Args:
        reader: the `PhotographReader`.

    Raises:
        VsaTfError: its detector cannot be part of a SavedModel.
    """

    def __init__(self, reader):
        super().__init__()
        self._num_regions, self._image_size = reader.num_regions, reader.image_size
        self._detector = reader.detector
        if not hasattr(self._detector, "find"):
            raise VsaTfError(
                "--detector: expected a SavedModel, grid, shapes or none, which can be part of a "
                f"SavedModel. Received: {self._detector.describe()['spec']}"
            )
        if isinstance(self._detector, SavedModelDetector):
            self._tracked = self._detector.model.module
        self._encoder = None if reader.encoder is None else GraphEncoder(reader.encoder)

    def __call__(self, image_bytes):
        """Reads images one by one.

        Args:
            image_bytes: string `[B]`, encoded images.

        Returns:
            dict of region_boxes float32 `[B, R, 4]`, region_mask bool `[B, R]`, and
            region_features float16 `[B, R, D]` or images uint8 `[B, S, S, 3]`.

        Raises:
            tf.errors.InvalidArgumentError: when run, if one of them cannot be read.
        """
        count = self._num_regions
        specification = {
            "region_boxes": tf.TensorSpec((count, 4), tf.float32),
            "region_mask": tf.TensorSpec((count,), tf.bool),
        }
        if self._encoder is None:
            shape = (self._image_size, self._image_size, 3)
            specification["images"] = tf.TensorSpec(shape, tf.uint8)
        else:
            shape = (count, self._encoder.feature_size)
            specification["region_features"] = tf.TensorSpec(shape, tf.float16)
        return tf.map_fn(
            self._read,
            image_bytes,
            fn_output_signature=specification,
            # Each operation uses all cores already.
            parallel_iterations=1,
        )

    def _read(self, encoded):
        image, is_plain = graph_image(encoded)
        found = self._detector.find(image)
        boxes = graph_regions(*found, self._num_regions, NMS_THRESHOLD)
        result = {
            "region_boxes": self._padded(boxes),
            "region_mask": tf.range(self._num_regions) < tf.shape(boxes)[0],
        }
        if self._encoder is None:
            stored = graph_stored_image(encoded, image, is_plain)
            result["images"] = resized_image(stored, self._image_size)
        else:
            # As records keep them.
            features = tf.cast(self._encoder(image, boxes), tf.float16)
            result["region_features"] = self._padded(features)
        return result

    def _padded(self, rows):
        padded = tf.pad(rows, ((0, self._num_regions - tf.shape(rows)[0]), (0, 0)))
        return tf.ensure_shape(padded, (self._num_regions, rows.shape[1]))


def graph_regions(boxes, scores, num_regions, nms_threshold):
    """Returns the boxes of `vsa_tf.boxes.select_regions`, float32 `[R, 4]`.

    Args:
        boxes: float32 `[K, 4]`, normalised.
        scores: float32 `[K]`.
        num_regions: at most this many, the whole frame included, which is the first.
        nms_threshold: a box is suppressed if its IoU with a better one is above this.
    """
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    usable = tf.reduce_min(boxes[:, 2:] - boxes[:, :2], axis=1) > _SMALLEST_SIDE
    boxes, scores = tf.boolean_mask(boxes, usable), tf.boolean_mask(scores, usable)
    chosen = tf.image.non_max_suppression(boxes, scores, num_regions - 1, nms_threshold)
    return tf.concat([WHOLE_FRAME, tf.gather(boxes, chosen)], axis=0)
