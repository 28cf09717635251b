import numpy as np
import pytest

from vsa_tf.boxes import box_overlap


def test_half_overlapping_boxes_share_a_third():
    others = np.float32([[0, 0.25, 1, 0.75], [0, 0, 1, 0.5]])
    overlaps = box_overlap(np.float32([[[0, 0, 1, 0.5]]]), others)
    assert overlaps.dtype == np.float32
    np.testing.assert_allclose(overlaps, [[1 / 3, 1]], rtol=1e-6)


def test_maxima_belong_to_pixel_boxes():
    # 10 x 10 and 10 x 5 pixels: 50 / 100. In continuous coordinates 9 x 9 and 9 x 4: 36 / 81.
    assert box_overlap([0, 0, 9, 9], [0, 5, 9, 9], inclusive=True) == pytest.approx(0.5)
    assert box_overlap([0, 0, 9, 9], [0, 5, 9, 9]) == pytest.approx(36 / 81)


def test_neighbouring_pixels_do_not_overlap():
    # Columns 0 to 4 and 5 to 9 share none; 0 to 5 and 5 to 9 share one: 10 / (60 + 50 - 10).
    boxes = [[0, 0, 9, 4], [0, 0, 9, 5]]
    np.testing.assert_allclose(box_overlap(boxes, [0, 5, 9, 9], inclusive=True), [0, 0.1])


def test_boxes_without_area_have_no_overlap():
    assert box_overlap([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]) == 0.0
    assert box_overlap([3, 3, 3, 3], [3, 3, 3, 3], inclusive=True) == 1.0


def test_boxes_of_no_image_have_no_overlaps():
    assert box_overlap(np.zeros((0, 4)), [0, 0, 1, 1]).shape == (0,)
