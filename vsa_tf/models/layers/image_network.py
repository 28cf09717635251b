"""The CNN that is trained where records hold pixels: crops of regions, then a network."""

import keras
from keras import ops

from vsa_tf.errors import meant


def image_network(settings):
    """Returns the `CropNetwork` of `NetworkSettings`.

    Raises:
        ValueError: there is no such network.
    """
    return CropNetwork(_network(settings), settings.crop_size)


def _network(settings):
    if settings.cnn == "small":
        return ConvolutionalEncoder()
    name = settings.cnn.removeprefix("keras:")
    names = [each for each in dir(keras.applications) if each[0].isupper()]  # the rest are modules
    if name not in names:
        raise ValueError(
            "Expected cnn to be small or keras:NAME of keras.applications. "
            f"Received: cnn={settings.cnn!r}{meant(name, names, 'keras:', otherwise='')}"
        )
    shape = (settings.crop_size, settings.crop_size, 3)
    return getattr(keras.applications, name)(
        include_top=False, pooling="avg", weights=settings.cnn_weights or None, input_shape=shape
    )


@keras.saving.register_keras_serializable("vsa_tf")
class CropNetwork(keras.layers.Layer):
    """Applies a network to every region crop of every image.

    Args:
        network: a layer or model from `[N, size, size, 3]` in 0..255 to `[N, D]`.
        size: height and width of a crop, in pixels.

    Call arguments: images `[B, S, S', 3]`, boxes `[B, R, 4]` normalised; in place of images what a
        `RegionCrop` has made of them, `[B, R', size, size, 3]`, R' at least R.
    Output shape: `[B, R, D]`.
    """

    def __init__(self, network, size=32, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.size = size
        self.crop = RegionCrop(size)

    def build(self, images_shape, boxes_shape=None):
        if not self.network.built:
            self.network.build((None, self.size, self.size, images_shape[-1]))

    def call(self, images, boxes, training=False):
        if len(images.shape) == 5:
            crops = ops.cast(images[:, : boxes.shape[1]], self.compute_dtype)
        else:
            crops = self.crop(images, boxes)
        batch, regions, _, _, channels = ops.shape(crops)
        crops = ops.reshape(crops, (batch * regions, self.size, self.size, channels))
        features = self.network(crops, training=training)
        return ops.reshape(features, (batch, regions, features.shape[-1]))

    def compute_output_shape(self, images_shape, boxes_shape):
        features = self.network.compute_output_shape((None, self.size, self.size, images_shape[-1]))
        return (*boxes_shape[:2], features[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "size": self.size,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


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
