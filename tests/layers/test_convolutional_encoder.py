import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.layers.convolutional_encoder import ConvolutionalEncoder

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype("float32")


class TestConvolutionalEncoder(VsaTfTestCase):
    def test_layer(self):
        # 4 patches of 4 x 4, halved once: one place of 5 channels.
        self.run_layer_test(ConvolutionalEncoder, {"filters": (4, 5)}, [IMAGES], (3, 5))

    @pytest.mark.parametrize(("size", "places"), [(32, 16), (24, 9), (17, 9)])
    def test_patches_and_a_convolution_leave_an_eighth_of_the_side(self, size, places):
        encoder = ConvolutionalEncoder()
        assert encoder.compute_output_shape((None, size, size, 3)) == (None, 96 * places)
        assert encoder(np.zeros((1, size, size, 3), np.uint8)).shape == (1, 96 * places)

    def test_a_crop_does_not_depend_on_the_others(self):
        encoder = ConvolutionalEncoder((4,))
        encoder(IMAGES)
        randomize(encoder)
        for training in (False, True):
            alone = [encoder(IMAGES[row : row + 1], training=training)[0] for row in range(3)]
            np.testing.assert_allclose(
                encoder(IMAGES, training=training), alone, rtol=1e-4, atol=1e-5
            )

    def test_the_place_of_a_colour_matters(self):
        encoder = ConvolutionalEncoder((4, 5))
        left = np.zeros((1, 8, 8, 3), "float32")
        left[:, :, :4] = 255
        assert not np.allclose(encoder(left), encoder(left[:, :, ::-1]))

    def test_a_plain_crop_is_finite(self):
        assert np.isfinite(ConvolutionalEncoder()(np.full((1, 32, 32, 3), 255, np.uint8))).all()
