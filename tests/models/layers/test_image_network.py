import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, randomize
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork, RegionCrop

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (2, 12, 12, 3)).astype("uint8")
BOXES = np.float32([[[0, 0, 1, 1], [0.1, 0.2, 0.9, 0.5]], [[0, 0, 1, 1], [0.3, 0.0, 1.0, 0.6]]])
OBLONG_IMAGES = _RNG.integers(0, 256, (2, 8, 6, 3)).astype("float32")
OBLONG_BOXES = np.float32(
    [
        [[0, 0, 1, 1], [0.1, 0.2, 0.9, 0.5], [0.5, 0.5, 0.55, 0.55]],
        [[0, 0, 1, 1], [0.0, 0.3, 0.6, 1.0], [0.0, 0.0, 0.0, 0.0]],
    ]
)
WHOLE = np.float32([[[0, 0, 1, 1]]])
CROPS = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype("float32")


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

    def test_crops_that_were_made_before_are_taken_as_they_are(self):
        network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        crops = RegionCrop(8)(IMAGES, BOXES)
        for count in (1, 2):
            boxes = BOXES[:, :count]
            np.testing.assert_allclose(network(crops, boxes), network(IMAGES, boxes), rtol=1e-5)

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


def _triangle_weights(start, end, length, size, position):
    """Weights of the pixels of a line for one pixel of the crop."""
    step = (end - start) * length / size
    center = start * length + (position + 0.5) * step
    width = max(step, 1.0)
    weights = [max(0.0, 1 - abs(center - (pixel + 0.5)) / width) for pixel in range(length)]
    return np.array(weights) / sum(weights)


def _crop(image, box, size):
    height, width, channels = image.shape
    crop = np.zeros((size, size, channels))
    for row in range(size):
        for column in range(size):
            y = _triangle_weights(box[0], box[2], height, size, row)
            x = _triangle_weights(box[1], box[3], width, size, column)
            crop[row, column] = np.einsum("y,x,yxc->c", y, x, image)
    return crop


class TestRegionCrop(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(RegionCrop, {"size": 4}, [OBLONG_IMAGES, OBLONG_BOXES], (2, 3, 4, 4, 3))

    def test_the_whole_frame_at_its_own_size_is_the_image(self):
        images = np.float32(OBLONG_IMAGES[:1, :6])
        np.testing.assert_allclose(RegionCrop(6)(images, WHOLE)[0, 0], images[0], atol=1e-3)

    def test_whole_pixels_are_cut_out(self):
        # Rows 2 to 5 of 8, columns 1 to 4 of 6.
        box = np.float32([[[2 / 8, 1 / 6, 6 / 8, 5 / 6]]])
        crop = RegionCrop(4)(OBLONG_IMAGES[:1], box)[0, 0]
        # The triangle is a pixel wide on both sides: neighbours of a centre weigh nothing.
        np.testing.assert_allclose(crop, OBLONG_IMAGES[0, 2:6, 1:5], atol=1e-2)

    def test_crops_are_the_triangle_filter(self):
        crops = RegionCrop(4)(OBLONG_IMAGES, OBLONG_BOXES)
        for image in range(2):
            for region in range(3):
                expected = _crop(OBLONG_IMAGES[image], OBLONG_BOXES[image, region], 4)
                np.testing.assert_allclose(crops[image, region], expected, atol=1e-2)

    def test_constant_images_stay_constant(self):
        crops = RegionCrop(5)(np.full((2, 8, 6, 3), 77, np.uint8), OBLONG_BOXES)
        np.testing.assert_allclose(crops, 77, rtol=1e-5)

    def test_reducing_averages_a_checkerboard(self):
        board = np.float32(np.indices((16, 16)).sum(axis=0) % 2)[None, :, :, None]
        crop = np.array(RegionCrop(4)(board, WHOLE))[0, 0, 1:3, 1:3]
        # A crop without antialiasing would show only zeros and ones.
        np.testing.assert_allclose(crop, 0.5, atol=0.02)

    def test_gradients_reach_images_and_boxes(self):
        with dtype_policy("float64"):
            layer = RegionCrop(3)
        images = keras.Variable(OBLONG_IMAGES, dtype="float64")
        boxes = keras.Variable(OBLONG_BOXES[:, :2] * 0.9 + 0.033, dtype="float64")
        self.check_gradients(lambda: layer(images.value, boxes.value), [images, boxes])

    def test_bfloat16_crops_show_the_same_place(self):
        images = _RNG.integers(0, 256, (1, 64, 256, 3)).astype("uint8")
        # The last 64 columns at their own size; bfloat16 holds the box and 0 to 255 exactly, but
        # not the middles of columns beyond 128.
        with dtype_policy("mixed_bfloat16"):
            crop = RegionCrop(64)(images, np.float32([[[0, 0.75, 1, 1]]]))
        np.testing.assert_array_equal(tf.cast(crop[0, 0], tf.float32), images[0, :, 192:])


class TestConvolutionalEncoder(VsaTfTestCase):
    def test_layer(self):
        # 4 patches of 4 x 4, halved once: one place of 5 channels.
        self.run_layer_test(ConvolutionalEncoder, {"filters": (4, 5)}, [CROPS], (3, 5))

    @pytest.mark.parametrize(("size", "places"), [(32, 16), (24, 9), (17, 9)])
    def test_patches_and_a_convolution_leave_an_eighth_of_the_side(self, size, places):
        encoder = ConvolutionalEncoder()
        assert encoder.compute_output_shape((None, size, size, 3)) == (None, 96 * places)
        assert encoder(np.zeros((1, size, size, 3), np.uint8)).shape == (1, 96 * places)

    def test_a_crop_does_not_depend_on_the_others(self):
        encoder = ConvolutionalEncoder((4,))
        encoder(CROPS)
        randomize(encoder)
        for training in (False, True):
            alone = [encoder(CROPS[row : row + 1], training=training)[0] for row in range(3)]
            np.testing.assert_allclose(
                encoder(CROPS, training=training), alone, rtol=1e-4, atol=1e-5
            )

    def test_the_place_of_a_colour_matters(self):
        encoder = ConvolutionalEncoder((4, 5))
        left = np.zeros((1, 8, 8, 3), "float32")
        left[:, :, :4] = 255
        assert not np.allclose(encoder(left), encoder(left[:, :, ::-1]))

    def test_a_plain_crop_is_finite(self):
        assert np.isfinite(ConvolutionalEncoder()(np.full((1, 32, 32, 3), 255, np.uint8))).all()
