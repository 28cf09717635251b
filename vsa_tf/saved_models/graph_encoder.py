"""Region features in a graph, as `tfrecords_tools.encoders` computes them."""

import tensorflow as tf

from tfrecords_tools.encoders import CROPS_PER_CALL, CropEncoder, KerasNetwork
from tfrecords_tools.regions import WHOLE_FRAME
from vsa_tf.saved_models.graph_crops import graph_crops

# Of `average_weights`.
_SAMPLES = 16


class GraphEncoder(tf.Module):
    """An encoder of `make_encoder`, for one image in a graph.

    Args:
        encoder: a `CropEncoder` or `PoolEncoder`.

    Attributes:
        feature_size: D.
    """

    def __init__(self, encoder):
        super().__init__()
        self.feature_size = encoder.feature_size
        self._encoder = encoder
        network = encoder.network
        self._crops = isinstance(encoder, CropEncoder)
        if isinstance(network, KerasNetwork):
            # A list of plain variables: the SavedModel shall not know of Keras.
            self._tracked = [variable.value for variable in network.network.variables]
            self._maps = lambda images: network.network(
                network.preprocess(tf.cast(images, tf.float32)), training=False
            )
            self._vectors = lambda images: tf.reduce_mean(self._maps(images), axis=(1, 2))
        elif self._crops:
            self._tracked = network.model.module
            self._vectors = lambda images: network.model(_unit_range(images))[network.output]
        else:
            find = network.find_map()
            self._maps = lambda images: find(_unit_range(images))

    def __call__(self, image, boxes):
        """Returns the features of an image's regions.

        Args:
            image: uint8 `[h, w, 3]`.
            boxes: float32 `[R, 4]`, normalised; the first is the whole frame.

        Returns:
            float32 `[R, D]`.
        """
        return self._crop(image, boxes) if self._crops else self._pool(image, boxes)

    def _crop(self, image, boxes):
        frame = self._vectors(graph_crops(image, boxes[:1], self._encoder.network.own_size))
        crops = graph_crops(image, boxes[1:], self._encoder.size)
        # As many at a time as in the records, whose features are then the same to the last bit.
        count = tf.shape(crops)[0]
        parts = tf.TensorArray(
            tf.float32, size=0, dynamic_size=True, infer_shape=False,
            element_shape=(None, self.feature_size),
        ).write(0, frame)
        _, parts = tf.while_loop(
            lambda start, _: start < count,
            lambda start, parts: (
                start + CROPS_PER_CALL,
                parts.write(
                    start // CROPS_PER_CALL + 1, self._vectors(crops[start:start + CROPS_PER_CALL])
                ),
            ),
            (tf.constant(0), parts),
            parallel_iterations=1,
        )
        return parts.concat()

    def _pool(self, image, boxes):
        frame = graph_crops(image, tf.constant(WHOLE_FRAME), self._encoder.size)
        feature_map = self._maps(frame)[0]
        shape = tf.shape(feature_map)
        rows = _average_weights(boxes[:, 0], boxes[:, 2], shape[0])
        columns = _average_weights(boxes[:, 1], boxes[:, 3], shape[1])
        lines = tf.tensordot(rows, feature_map, 1)
        return tf.einsum("rx,rxd->rd", columns, lines)


def _average_weights(start, end, length):
    """`tfrecords_tools.encoders.average_weights` of tensors."""
    shares = (tf.range(_SAMPLES, dtype=tf.float64) + 0.5) / _SAMPLES
    extent = tf.cast(end - start, tf.float64)
    points = tf.cast(start, tf.float64)[:, None] + extent[:, None] * shares
    cells = tf.range(length)
    length = tf.cast(length, tf.float64)
    positions = tf.clip_by_value(points * length - 0.5, 0.0, length - 1)
    distance = tf.abs(positions[..., None] - tf.cast(cells, tf.float64))
    return tf.cast(tf.reduce_mean(tf.maximum(1 - distance, 0.0), axis=1), tf.float32)


def _unit_range(images):
    return tf.cast(images, tf.float32) / 255.0
