"""Overlaps of boxes, and the selection of regions from detections."""

import numpy as np
import pytest

from vsa_tf.boxes import box_overlap, select_regions


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


def test_whole_frame_comes_first_and_better_boxes_before_worse():
    boxes, scores = select_regions([[0, 0, 0.2, 0.2], [0.5, 0.5, 1, 1]], [0.3, 0.9])
    np.testing.assert_allclose(boxes, [[0, 0, 1, 1], [0.5, 0.5, 1, 1], [0, 0, 0.2, 0.2]])
    np.testing.assert_allclose(scores, [1, 0.9, 0.3])


def test_worse_of_two_overlapping_boxes_is_suppressed_only_above_the_threshold():
    boxes, scores = [[0, 0, 1, 0.5], [0, 0.25, 1, 0.75]], [0.5, 0.6]  # IoU 1/3
    assert len(select_regions(boxes, scores, nms_threshold=0.3)[0]) == 2
    assert len(select_regions(boxes, scores, nms_threshold=0.34)[0]) == 3
    np.testing.assert_allclose(select_regions(boxes, scores, nms_threshold=0.3)[0][1], boxes[1])


def test_a_suppressed_box_suppresses_nothing():
    # a covers b, b covers c, a does not cover c: c stays.
    boxes = [[0, 0, 1, 0.4], [0, 0.1, 1, 0.5], [0, 0.2, 1, 0.6]]  # IoU a-b, b-c 0.6; a-c 1/3
    kept = select_regions(boxes, [0.9, 0.8, 0.7], nms_threshold=0.5)[0]
    np.testing.assert_allclose(kept[1:], [boxes[0], boxes[2]])


def test_boxes_are_clipped_and_those_without_area_dropped():
    boxes = [[-1, -1, 0.5, 0.5], [0.2, 0.2, 0.2, 0.9], [1.5, 1.5, 2, 2], [0.6, 0.6, 0.5, 0.9]]
    kept = select_regions(boxes, [1, 1, 1, 1])[0]
    np.testing.assert_allclose(kept, [[0, 0, 1, 1], [0, 0, 0.5, 0.5]])


def test_no_more_regions_than_asked_for_and_no_detections_leave_the_frame():
    boxes = [[0, i / 10, 1, (i + 1) / 10] for i in range(10)]
    assert len(select_regions(boxes, np.arange(10), num_regions=4)[0]) == 4
    assert len(select_regions(boxes, np.arange(10), num_regions=1)[0]) == 1
    assert len(select_regions(np.zeros((0, 4)), np.zeros(0))[0]) == 1


@pytest.mark.parametrize("scores", [[np.nan], [0.1, 0.2]])
def test_scores_that_are_not_finite_or_do_not_match_are_errors(scores):
    with pytest.raises(ValueError, match="Received"):
        select_regions([[0, 0, 1, 1]], scores)
