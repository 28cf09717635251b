"""The box of a phrase by agreement, against loops over pairs of boxes."""

import numpy as np
import pytest
from keras import ops

from tests.box_agreements import box_agreements
from vsa_tf.boxes import WITH_BOXES, WITHOUT_BOXES, box_agreement


def _boxes(random, *shape):
    low, sides = random.uniform(0, 0.6, (*shape, 2)), random.uniform(0.1, 0.4, (*shape, 2))
    return np.concatenate([low, low + sides], axis=-1)


@pytest.mark.parametrize("power", [WITHOUT_BOXES, WITH_BOXES])
def test_agreement_of_boxes_equals_loops_over_pairs(power):
    random = np.random.default_rng(0)
    scores, boxes = random.normal(0, 30, (4, 9)), _boxes(random, 4, 9)
    lengths = [9, 5, 1, 2]
    mask = np.arange(9) < np.array(lengths)[:, None]
    # What stands at padding does not matter.
    scores[~mask] = 1e3
    found = box_agreement(scores, boxes, mask, power)
    # Of tensors, too.
    same = box_agreement(
        *map(ops.convert_to_tensor, (np.float32(scores), np.float32(boxes), mask)), power, ops
    )
    np.testing.assert_allclose(ops.convert_to_numpy(same), found, atol=1e-5)
    for row, length in enumerate(lengths):
        expected = box_agreements(
            scores[row, :length].tolist(), boxes[row, :length].tolist(), power
        )
        np.testing.assert_allclose(found[row, :length], expected, atol=1e-5)
    np.testing.assert_array_equal(found[~mask], 0)


def test_several_phrases_share_the_boxes_of_their_image():
    random = np.random.default_rng(1)
    scores, boxes = random.normal(size=(3, 6)), _boxes(random, 1, 6)
    mask = np.ones((1, 6), bool)
    found = box_agreement(scores, boxes, mask, WITH_BOXES)
    for row in range(3):
        alone = box_agreement(scores[row : row + 1], boxes, mask, WITH_BOXES)
        np.testing.assert_allclose(found[row], alone[0], atol=1e-6)


def test_boxes_apart_keep_the_order_of_their_scores_and_neither_scale_nor_mean_matters():
    starts = np.linspace(0, 0.9, 10)
    boxes = np.stack([starts, starts, starts + 0.1, starts + 0.1], axis=1)[None]
    scores = np.random.default_rng(2).normal(size=(1, 10))
    mask = np.ones((1, 10), bool)
    found = box_agreement(scores, boxes, mask, WITHOUT_BOXES)
    assert np.argsort(-found).tolist() == np.argsort(-scores).tolist()
    moved = box_agreement(1e3 * scores - 5e3, boxes, mask, WITHOUT_BOXES)
    np.testing.assert_allclose(moved, found, atol=1e-4)


def test_regions_that_all_fit_alike_are_finite_and_the_most_central_is_first():
    boxes = [[[0, 0, 1, 0.5], [0, 0.25, 1, 0.75], [0, 0.5, 1, 1], [0, 0, 0, 0]]]
    found = box_agreement(np.zeros((1, 4)), boxes, [[True] * 4], WITH_BOXES)
    assert np.isfinite(found).all() and found[0].argmax() == 1


def test_boxes_without_an_area_agree_with_themselves():
    scores = np.array([[1.0, 3.0, 2.0]])
    found = box_agreement(scores, np.zeros((1, 3, 4)), [[True] * 3], WITH_BOXES)
    assert np.argsort(-found[0]).tolist() == [1, 2, 0]


def test_one_region_is_right_and_none_is_none():
    frame = np.array([[[0, 0, 1, 1]]])
    np.testing.assert_allclose(box_agreement(np.array([[-3.0]]), frame, [[True]], WITH_BOXES), 1)
    np.testing.assert_array_equal(box_agreement(np.array([[-3.0]]), frame, [[False]], 1.0), 0)


def test_what_is_telling_in_a_box_stands_for_the_box():
    # The face fits best, and the body, the man, and the other man less and less.
    boxes = [[[0.1, 0.4, 0.3, 0.6], [0.3, 0.3, 0.8, 0.7], [0.1, 0.3, 0.8, 0.7], [0, 0.8, 0.8, 1]]]
    scores = np.array([[3.0, 2.8, 2.6, 1.0]])
    assert box_agreement(scores, boxes, [[True] * 4], WITHOUT_BOXES)[0].argmax() == 2
