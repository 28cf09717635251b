"""A small convolutional network for region crops."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("vsa_tf")
class ConvolutionalEncoder(keras.layers.Layer):
    """CNN(I) for crops of a few dozen pixels, trained from scratch.

    Patches of 4 x 4 pixels, then 3 x 3 convolutions with stride 2, each with layer normalisation
    and ReLU. The last map is flattened, so that where a colour lies in the crop is kept. The
    first layer is a plain matrix product and the only one at a high resolution: on a CPU this
    takes a quarter of the time of a stack of strided 3 x 3 convolutions.

    Args:
        filters: channels of the patches and of each convolution after them.

    Call arguments: images float `[N, S, S, 3]` in 0..255.
    Output shape: `[N, D]`.
    """

    def __init__(self, filters=(48, 96), **kwargs):
        super().__init__(**kwargs)
        self.filters = tuple(filters)
        self.convolutions = [
            keras.layers.Conv2D(
                count,
                4 if i == 0 else 3,
                strides=4 if i == 0 else 2,
                padding="same",
                use_bias=False,
                name=f"convolution_{i}",
            )
            for i, count in enumerate(self.filters)
        ]
        # Not batch statistics, which would tie crops of different images together.
        self.normalizations = [
            keras.layers.LayerNormalization(name=f"normalization_{i}")
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
