"""The CNN that is trained where records hold pixels."""

import keras

from vsa_tf.layers.convolutional_encoder import ConvolutionalEncoder
from vsa_tf.layers.crop_network import CropNetwork


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
    constructor = getattr(keras.applications, name, None)
    if not callable(constructor):  # a module, or nothing
        raise ValueError(
            f"Expected cnn to be small or keras:NAME of keras.applications. "
            f"Received: cnn={settings.cnn!r}"
        )
    shape = (settings.crop_size, settings.crop_size, 3)
    return constructor(
        include_top=False, pooling="avg", weights=settings.cnn_weights or None, input_shape=shape
    )
