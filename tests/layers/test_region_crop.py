import keras
import numpy as np
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy
from vsa_tf.layers.region_crop import RegionCrop

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (2, 8, 6, 3)).astype("float32")
BOXES = np.float32(
    [
        [[0, 0, 1, 1], [0.1, 0.2, 0.9, 0.5], [0.5, 0.5, 0.55, 0.55]],
        [[0, 0, 1, 1], [0.0, 0.3, 0.6, 1.0], [0.0, 0.0, 0.0, 0.0]],
    ]
)
WHOLE = np.float32([[[0, 0, 1, 1]]])


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
        self.run_layer_test(RegionCrop, {"size": 4}, [IMAGES, BOXES], (2, 3, 4, 4, 3))

    def test_the_whole_frame_at_its_own_size_is_the_image(self):
        images = np.float32(IMAGES[:1, :6])
        np.testing.assert_allclose(RegionCrop(6)(images, WHOLE)[0, 0], images[0], atol=1e-3)

    def test_whole_pixels_are_cut_out(self):
        # Rows 2 to 5 of 8, columns 1 to 4 of 6.
        box = np.float32([[[2 / 8, 1 / 6, 6 / 8, 5 / 6]]])
        crop = RegionCrop(4)(IMAGES[:1], box)[0, 0]
        # The triangle is a pixel wide on both sides: neighbours of a centre weigh nothing.
        np.testing.assert_allclose(crop, IMAGES[0, 2:6, 1:5], atol=1e-2)

    def test_crops_are_the_triangle_filter(self):
        crops = RegionCrop(4)(IMAGES, BOXES)
        for image in range(2):
            for region in range(3):
                expected = _crop(IMAGES[image], BOXES[image, region], 4)
                np.testing.assert_allclose(crops[image, region], expected, atol=1e-2)

    def test_constant_images_stay_constant(self):
        crops = RegionCrop(5)(np.full((2, 8, 6, 3), 77, np.uint8), BOXES)
        np.testing.assert_allclose(crops, 77, rtol=1e-5)

    def test_reducing_averages_a_checkerboard(self):
        board = np.float32(np.indices((16, 16)).sum(axis=0) % 2)[None, :, :, None]
        crop = np.array(RegionCrop(4)(board, WHOLE))[0, 0, 1:3, 1:3]
        # A crop without antialiasing would show only zeros and ones.
        np.testing.assert_allclose(crop, 0.5, atol=0.02)

    def test_gradients_reach_images_and_boxes(self):
        with dtype_policy("float64"):
            layer = RegionCrop(3)
        images = keras.Variable(IMAGES, dtype="float64")
        boxes = keras.Variable(BOXES[:, :2] * 0.9 + 0.033, dtype="float64")
        self.check_gradients(lambda: layer(images.value, boxes.value), [images, boxes])

    def test_bfloat16_crops_show_the_same_place(self):
        images = _RNG.integers(0, 256, (1, 64, 256, 3)).astype("uint8")
        # The last 64 columns at their own size; bfloat16 holds the box and 0 to 255 exactly, but
        # not the middles of columns beyond 128.
        with dtype_policy("mixed_bfloat16"):
            crop = RegionCrop(64)(images, np.float32([[[0, 0.75, 1, 1]]]))
        np.testing.assert_array_equal(tf.cast(crop[0, 0], tf.float32), images[0, :, 192:])
