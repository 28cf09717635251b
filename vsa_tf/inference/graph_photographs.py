"""Encoded photographs to the batch that a model reads, in a graph."""

import tensorflow as tf

from tfrecords_tools.detection.saved_model_detector import PyramidEncoder
from tfrecords_tools.encoding.region_encoders import (
    CROPS_PER_CALL,
    LEAST_LENGTH,
    CropEncoder,
    SideBySideEncoder,
    frame_windows,
)
from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.data.image_input import resized_image
from vsa_tf.inference.graph_images import graph_image, graph_stored_image
from vsa_tf.inference.photograph_reader import NMS_THRESHOLD
from vsa_tf.model_handles import check_in_graph

# As in `select_regions`, whose results these are.
_SMALLEST_SIDE = 1e-3
# Of `average_weights`.
_SAMPLES = 16
# Pillow's 8-bit resampling multiplies pixels by weights of this many binary places.
_WEIGHT_BITS = 22


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
        check_in_graph("detector", self._detector.describe()["spec"])
        self._tracked = getattr(self._detector, "tracked", None)
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


class GraphEncoder(tf.Module):
    """An encoder of `make_encoder`, for one image in a graph.

    Args:
        encoder: a `CropEncoder`, `PoolEncoder`, `SideBySideEncoder` or `PyramidEncoder`.

    Attributes:
        feature_size: D.
    """

    def __init__(self, encoder):
        super().__init__()
        self.feature_size = encoder.feature_size
        side_by_side = isinstance(encoder, SideBySideEncoder)
        self._parts = [
            _in_graph(part)
            for part in ([encoder.crops, encoder.pool] if side_by_side else [encoder])
        ]

    def __call__(self, image, boxes):
        """Returns the features of an image's regions.

        Args:
            image: uint8 `[h, w, 3]`.
            boxes: float32 `[R, 4]`, normalised; the first is the whole frame.

        Returns:
            float32 `[R, D]`.
        """
        features = [part(image, boxes) for part in self._parts]
        if len(features) == 1:
            return features[0]
        return tf.concat([_of_unit_length(part) for part in features], axis=-1)


def _in_graph(encoder):
    if isinstance(encoder, PyramidEncoder):
        # Its detector is what the SavedModel tracks.
        return encoder.features
    return _GraphCrops(encoder) if isinstance(encoder, CropEncoder) else _GraphPool(encoder)


class _GraphCrops(tf.Module):
    """`CropEncoder` in a graph."""

    def __init__(self, encoder):
        super().__init__()
        self._encoder, self._vectors = encoder, encoder.network.graph_vectors
        self._tracked = encoder.network.tracked

    def __call__(self, image, boxes):
        frame = self._vectors(self._views(image, boxes[:1]))
        frame = tf.reduce_mean(frame, axis=0, keepdims=True)
        crops = graph_crops(image, boxes[1:], self._encoder.size)
        # As many at a time as in the records, whose features are then the same to the last bit.
        count = tf.shape(crops)[0]
        parts = tf.TensorArray(
            tf.float32,
            size=0,
            dynamic_size=True,
            infer_shape=False,
            element_shape=(None, self._encoder.feature_size),
        ).write(0, frame)
        _, parts = tf.while_loop(
            lambda start, _: start < count,
            lambda start, parts: (
                start + CROPS_PER_CALL,
                parts.write(
                    start // CROPS_PER_CALL + 1,
                    self._vectors(crops[start : start + CROPS_PER_CALL]),
                ),
            ),
            (tf.constant(0), parts),
            parallel_iterations=1,
        )
        return parts.concat()

    def _views(self, image, frame):
        size = self._encoder.network.own_size
        if self._encoder.num_crops == 1:
            return graph_crops(image, frame, size)
        height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
        windows = tf.stack(frame_windows(height, width, tf.minimum(height, width)))
        views = graph_crops(image, windows, size)
        return tf.concat([views, views[:, :, ::-1]], axis=0)


class _GraphPool(tf.Module):
    """`PoolEncoder` in a graph."""

    def __init__(self, encoder):
        super().__init__()
        self._size = encoder.size
        self._tracked, self._maps = encoder.network.tracked, encoder.network.graph_maps

    def __call__(self, image, boxes):
        frame = graph_crops(image, tf.constant(WHOLE_FRAME), self._size)
        feature_map = self._maps(frame)[0]
        shape = tf.shape(feature_map)
        rows = _average_weights(boxes[:, 0], boxes[:, 2], shape[0])
        columns = _average_weights(boxes[:, 1], boxes[:, 3], shape[1])
        lines = tf.tensordot(rows, feature_map, 1)
        return tf.einsum("rx,rxd->rd", columns, lines)


def _of_unit_length(features):
    return features / tf.maximum(tf.norm(features, axis=-1, keepdims=True), LEAST_LENGTH)


def _average_weights(start, end, length):
    """`average_weights` of `tfrecords_tools.encoding`, of tensors."""
    shares = (tf.range(_SAMPLES, dtype=tf.float64) + 0.5) / _SAMPLES
    extent = tf.cast(end - start, tf.float64)
    points = tf.cast(start, tf.float64)[:, None] + extent[:, None] * shares
    cells = tf.range(length)
    length = tf.cast(length, tf.float64)
    positions = tf.clip_by_value(points * length - 0.5, 0.0, length - 1)
    distance = tf.abs(positions[..., None] - tf.cast(cells, tf.float64))
    return tf.cast(tf.reduce_mean(tf.maximum(1 - distance, 0.0), axis=1), tf.float32)


def graph_crops(image, boxes, size):
    """Resamples regions of an image as `crop_regions` of `tfrecords_tools.encoding` does.

    That is Pillow's bilinear resize with a box: a triangle filter, as wide as a pixel of the result
    and no narrower than one of the image, over columns, rounded to 8 bits, then over rows. Its
    weights are rounded to fixed point, so the sums are whole numbers, which float64 products hold
    exactly in whatever order they are added. Rows come first where the image's height shrinks by
    more than twice as many pixels as its width, which Pillow does since version 13.

    Args:
        image: uint8 `[h, w, 3]`.
        boxes: float32 `[R, 4]`, normalised; each within the frame and not empty.
        size: S, pixels of a crop's sides.

    Returns:
        uint8 `[R, S, S, 3]`.

    Reference: Pillow's src/libImaging/Resample.c.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    boxes = tf.cast(boxes, tf.float64)
    rows = _pixel_spans(boxes[:, 0], boxes[:, 2], height)
    columns = _pixel_spans(boxes[:, 1], boxes[:, 3], width)
    rows_first = (height > size) & (height - size > 2 * (width - size))
    # The second axis is resampled first.
    image, spans, lengths = tf.cond(
        rows_first,
        lambda: (tf.transpose(image, (1, 0, 2)), (columns, rows), (width, height)),
        lambda: (image, (rows, columns), (height, width)),
    )

    def crop(spans):
        later_weights, later_first, later_last = _weights(spans[0], lengths[0], size)
        weights, first, last = _weights(spans[1], lengths[1], size)
        region = image[later_first:later_last, first:last]
        return _resample(_resample(region, weights), later_weights)

    crops = tf.map_fn(crop, spans, fn_output_signature=tf.TensorSpec((size, size, 3), tf.uint8))
    return tf.cond(rows_first, lambda: tf.transpose(crops, (0, 2, 1, 3)), lambda: crops)


def _pixel_spans(start, end, length):
    """Normalised sides to pixels, in the precision that Pillow takes them in; `[R, 2]`."""
    length = tf.cast(length, tf.float64)
    pixels = tf.stack([start * length, tf.minimum(end * length, length)], axis=1)
    return tf.cast(pixels, tf.float32)


def _weights(span, length, size):
    """Returns fixed-point weights float64 `[size, last - first]`, first and last."""
    scale = tf.cast(span[1] - span[0], tf.float64) / size
    support = tf.maximum(scale, 1.0)
    centers = tf.cast(span[0], tf.float64) + (tf.range(size, dtype=tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centers[0] - support + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centers[-1] + support + 0.5, tf.int32), length)
    pixels = tf.cast(tf.range(first, last), tf.float64)
    weights = 1.0 - tf.abs((pixels - centers[:, None] + 0.5) * (1.0 / support))
    weights = tf.maximum(weights, 0.0)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.floor(0.5 + weights * 2.0**_WEIGHT_BITS), first, last


def _resample(pixels, weights):
    """uint8 `[a, b, 3]` and weights `[S, b]` to uint8 `[S, a, 3]`: the axes change places."""
    others = tf.shape(pixels)[0]
    lines = tf.transpose(tf.cast(pixels, tf.float64), (1, 0, 2))
    sums = tf.matmul(weights, tf.reshape(lines, (-1, others * 3)))
    rounded = tf.floor((sums + 2.0 ** (_WEIGHT_BITS - 1)) / 2.0**_WEIGHT_BITS)
    clipped = tf.cast(tf.minimum(rounded, 255.0), tf.uint8)
    return tf.reshape(clipped, (tf.shape(weights)[0], others, 3))
