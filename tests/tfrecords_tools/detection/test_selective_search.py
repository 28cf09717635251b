import numpy as np
import pytest

from tfrecords_tools.detection.selective_search import SelectiveSearch
from tfrecords_tools.regions import select_regions
from vsa_tf.boxes import box_overlap

SQUARE = np.array([[0.25, 0.25, 0.75, 0.75]])


@pytest.fixture(scope="module")
def detector():
    try:
        return SelectiveSearch()
    except ValueError as error:
        pytest.skip(str(error))


def bright_square(height=96, width=128):
    """A bright box in the middle of a dark picture, which is slightly uneven."""
    image = np.random.default_rng(0).integers(30, 50, (height, width, 3)).astype(np.uint8)
    image[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] += 170
    return image


@pytest.mark.parametrize("size", [(96, 128), (900, 1200), (700, 500)])
def test_box_around_what_differs_from_the_rest_is_found(detector, size):
    ((boxes, scores),) = detector.detect([bright_square(*size)], [None])
    assert boxes.dtype == scores.dtype == np.float32 and len(boxes) == len(scores)
    assert boxes.min() >= 0 and boxes.max() <= 1
    assert box_overlap(boxes, SQUARE).max() > 0.8


def test_large_images_are_reduced_to_320_pixels(detector):
    ((boxes, _),) = detector.detect([bright_square(900, 1200)], [None])
    # Of 240 x 320: every end is a whole pixel there.
    pixels = boxes * [240, 320, 240, 320]
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
    assert detector.describe()["longest_side"] == 320


def test_score_is_the_share_of_the_frame(detector):
    ((boxes, scores),) = detector.detect([bright_square()], [None])
    np.testing.assert_allclose(scores, np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), rtol=1e-5)


def test_the_same_image_has_the_same_regions_in_the_same_order(detector):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    image = image.repeat(2, axis=0).repeat(2, axis=1)
    found = [detector.detect([image], [None])[0] for _ in range(3)]
    assert len(found[0][0]) > 20
    regions = [select_regions(*each, num_regions=101)[0] for each in found]
    for other in regions[1:]:
        np.testing.assert_array_equal(regions[0], other)


@pytest.mark.parametrize("size", [(8, 8), (8, 4000), (4000, 8)])
def test_smallest_and_longest_images_have_boxes_too(detector, size):
    ((boxes, _),) = detector.detect([np.full((*size, 3), 90, np.uint8)], [None])
    assert np.isfinite(boxes).all() and boxes.shape[1] == 4
