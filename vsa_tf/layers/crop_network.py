"""Region features from pixels: crop, then a convolutional network that is trained too."""

import keras
from keras import ops

from vsa_tf.layers.region_crop import RegionCrop


@keras.saving.register_keras_serializable("vsa_tf")
class CropNetwork(keras.layers.Layer):
    """Applies a network to every region crop of every image.

    Args:
        network: a layer or model from `[N, size, size, 3]` in 0..255 to `[N, D]`.
        size: height and width of a crop, in pixels.

    Call arguments: images `[B, S, S', 3]`, boxes `[B, R, 4]` normalised.
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
