import json

import keras
import numpy as np

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.layers.convolutional_encoder import ConvolutionalEncoder
from vsa_tf.layers.crop_network import CropNetwork
from vsa_tf.layers.region_crop import RegionCrop

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (2, 12, 12, 3)).astype("uint8")
BOXES = np.float32([[[0, 0, 1, 1], [0.1, 0.2, 0.9, 0.5]], [[0, 0, 1, 1], [0.3, 0.0, 1.0, 0.6]]])


class TestCropNetwork(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(
            CropNetwork,
            lambda: {"network": ConvolutionalEncoder((4, 5)), "size": 8},
            [IMAGES, BOXES],
            (2, 2, 5),
        )

    def test_a_region_is_the_network_of_its_crop(self):
        network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        features = network(IMAGES, BOXES)
        crops = RegionCrop(8)(IMAGES, BOXES)
        for image in range(2):
            for region in range(2):
                np.testing.assert_allclose(
                    features[image, region],
                    network.network(crops[image, region][None])[0],
                    rtol=1e-4,
                    atol=1e-5,
                )

    def test_config_keeps_the_network(self):
        network = CropNetwork(ConvolutionalEncoder((4, 5), name="cnn"), size=8)
        revived = CropNetwork.from_config(json.loads(json.dumps(network.get_config())))
        assert isinstance(revived.network, ConvolutionalEncoder)
        assert revived.network.filters == (4, 5)
        assert revived.size == 8

    def test_a_model_may_be_the_network(self):
        def model():
            return keras.Sequential(
                [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(6)]
            )

        layer = CropNetwork(model(), size=8)
        features = layer(IMAGES, BOXES)
        assert features.shape == (2, 2, 6)
        revived = CropNetwork.from_config(json.loads(json.dumps(layer.get_config())))
        revived(IMAGES, BOXES)
        revived.set_weights(layer.get_weights())
        np.testing.assert_array_equal(revived(IMAGES, BOXES), features)

    def test_the_network_is_trained(self):
        layer = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        layer(IMAGES, BOXES)
        before = np.array(layer(IMAGES, BOXES))
        assert len(layer.trainable_weights) == 3  # kernel; scale and offset of the normalisation
        randomize(layer)
        assert not np.allclose(layer(IMAGES, BOXES), before)
