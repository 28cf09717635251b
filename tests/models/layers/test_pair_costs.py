import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.models.layers.pair_costs import (
    distillation_costs,
    mean_of_pairs,
    negative_mask,
    softmax_costs,
)


def test_pairs_of_one_image_are_never_negatives():
    mask = np.array(negative_mask(np.array([7, 3, 7])))
    assert mask.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_different_images_leave_only_the_diagonal_out():
    assert (np.array(negative_mask(np.arange(4))) == ~np.eye(4, dtype=bool)).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_mask_is_symmetric_and_follows_the_image(seed):
    image_id = np.random.default_rng(seed).integers(0, 4, 9)
    mask = np.array(negative_mask(image_id))
    for k in range(9):
        for l in range(9):
            assert mask[k, l] == mask[l, k] == (image_id[k] != image_id[l])


@pytest.mark.parametrize("seed", range(3))
def test_softmax_costs_are_those_of_the_equation(seed):
    rng = np.random.default_rng(seed)
    scores, negative = rng.normal(scale=3, size=(4, 6)), rng.uniform(size=(4, 6)) < 0.5
    costs = softmax_costs(scores, negative)
    for i in range(4):
        refused = np.exp(scores[i][negative[i]]).sum()
        for j in range(6):
            expected = -np.log(np.exp(scores[i, j]) / (np.exp(scores[i, j]) + refused))
            np.testing.assert_allclose(costs[i, j], expected, rtol=1e-8, atol=1e-12)


def test_a_target_without_negatives_costs_nothing_with_a_gradient_of_zero():
    scores = tf.constant([[5.0, -5.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        costs = softmax_costs(scores, np.zeros((1, 2), bool))
    assert not costs.numpy().any()
    np.testing.assert_array_equal(tape.gradient(costs, scores), [[0, 0]])


def test_softmax_costs_of_large_scores_are_finite():
    costs = softmax_costs(np.float32([[1e4, -1e4]]), np.array([[True, False]]))
    np.testing.assert_allclose(costs[0, 1], 2e4)


@pytest.mark.parametrize("seed", range(3))
def test_distillation_costs_are_the_entropy_and_what_leads_away_from_the_teacher(seed):
    rng = np.random.default_rng(seed)
    scores, taught = rng.normal(scale=3, size=(2, 4, 6))
    costs = np.array(distillation_costs(scores, taught))
    p, q = (np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in (scores, taught))
    entropy, divergence = -(q * np.log(q)).sum(axis=1), (q * np.log(q / p)).sum(axis=1)
    np.testing.assert_allclose(costs, entropy + divergence, rtol=1e-8)
    # A row of scores that differs by a number alone is the teacher's.
    np.testing.assert_allclose(distillation_costs(taught + 7, taught), entropy, rtol=1e-8)


def test_a_teacher_that_is_sure_teaches_the_pairs():
    scores = tf.constant([[1.0, 4.0], [2.0, 0.0]])
    costs = distillation_costs(scores, 1e4 * np.eye(2, dtype="float32"))
    expected = tf.linalg.diag_part(softmax_costs(scores, ~np.eye(2, dtype=bool)))
    np.testing.assert_allclose(costs, expected, rtol=1e-6)


def test_the_mean_is_over_what_is_counted():
    costs, counted = np.float32([[1, 2], [3, 4]]), np.array([[True, False], [True, True]])
    np.testing.assert_allclose(mean_of_pairs(costs, counted), 8 / 3, rtol=1e-6)


def test_nothing_counted_costs_nothing_and_teaches_nothing():
    costs = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(costs)
        mean = mean_of_pairs(costs, np.array([False, False]))
    assert float(mean) == 0.0
    np.testing.assert_array_equal(tape.gradient(mean, costs), [0, 0])
