"""Crops regions out of images, differentiably and on every backend."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("vsa_tf")
class RegionCrop(keras.layers.Layer):
    """Resamples each region of an image to `size` x `size` pixels.

    Bilinear resampling is separable, so a crop is two matrix products, `Y image X^T`, with rows
    of triangle-filter weights. Where a region is larger than the crop the triangle widens with it
    (antialiasing), which a plain bilinear crop lacks. Unlike gathers, matrix products run well
    under XLA and have a fast gradient.

    Args:
        size: height and width of a crop, in pixels.

    Call arguments:
        images: float `[B, S, S', 3]`.
        boxes: float `[B, R, 4]`, normalised `ymin, xmin, ymax, xmax`.

    Output shape: `[B, R, size, size, 3]`.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, images_shape, boxes_shape=None):
        pass

    def call(self, images, boxes):
        images = ops.cast(images, self.compute_dtype)
        # Positions in pixels are not for bfloat16, which has 8 bits: the weights made of them are.
        boxes = ops.cast(boxes, self.variable_dtype)
        _, height, width, channels = images.shape
        regions = boxes.shape[1]
        rows = self._weights(boxes[..., 0], boxes[..., 2], height)
        columns = self._weights(boxes[..., 1], boxes[..., 3], width)
        # Channels go before columns: then both products need no transposed copy of the lines.
        images = ops.reshape(ops.transpose(images, (0, 1, 3, 2)), (-1, height, channels * width))
        lines = ops.matmul(ops.reshape(rows, (-1, regions * self.size, height)), images)
        lines = ops.reshape(lines, (-1, regions, self.size * channels, width))
        crops = ops.matmul(lines, ops.transpose(columns, (0, 1, 3, 2)))
        crops = ops.reshape(crops, (-1, regions, self.size, channels, self.size))
        return ops.transpose(crops, (0, 1, 2, 4, 3))

    def _weights(self, start, end, length):
        """Returns `[B, R, size, length]` weights that sum to 1 over the last axis."""
        step = (end - start) * (length / self.size)
        centers = ops.arange(self.size, dtype=self.variable_dtype) + 0.5
        centers = ops.expand_dims(start * length, -1) + ops.expand_dims(step, -1) * centers
        pixels = ops.arange(length, dtype=self.variable_dtype) + 0.5
        width = ops.reshape(ops.maximum(step, 1.0), (*ops.shape(step), 1, 1))
        distance = ops.abs(ops.expand_dims(centers, -1) - pixels) / width
        weights = ops.relu(1.0 - distance)
        weights = weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-6)
        return ops.cast(weights, self.compute_dtype)

    def compute_output_shape(self, images_shape, boxes_shape):
        return (*boxes_shape[:2], self.size, self.size, images_shape[-1])

    def get_config(self):
        return {**super().get_config(), "size": self.size}
