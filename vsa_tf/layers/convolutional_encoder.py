"""A small convolutional network for region crops."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("vsa_tf")
class ConvolutionalEncoder(keras.layers.Layer):
    """CNN(I) for crops of a few dozen pixels, trained from scratch.

    Blocks of 3 x 3 convolution with stride 2, group normalisation and ReLU halve the crop down to
    about 4 x 4; the rest is flattened, so that where a colour lies in the crop is kept.

    Args:
        filters: channels of each block.

    Call arguments: images float `[N, S, S, 3]` in 0..255.
    Output shape: `[N, D]`.
    """

    def __init__(self, filters=(24, 48, 96), **kwargs):
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        self.convolutions = [
            keras.layers.Conv2D(n, 3, strides=2, padding="same", use_bias=False, name=f"conv_{i}")
            for i, n in enumerate(self.filters)
        ]
        # Of a single group: batch statistics would tie crops of different images together.
        self.normalizations = [
            keras.layers.GroupNormalization(groups=1, name=f"normalization_{i}")
            for i, _ in enumerate(self.filters)
        ]
        self.flatten = keras.layers.Flatten()

    def build(self, input_shape):
        shape = tuple(input_shape)
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            normalization.build(shape)

    def call(self, images, training=False):
        x = ops.cast(images, self.compute_dtype) / 127.5 - 1.0
        for convolution, normalization in zip(self.convolutions, self.normalizations):
            x = ops.relu(normalization(convolution(x)))
        return self.flatten(x)

    def compute_output_shape(self, input_shape):
        shape = tuple(input_shape)
        for convolution in self.convolutions:
            shape = convolution.compute_output_shape(shape)
        return (shape[0], shape[1] * shape[2] * shape[3])

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
