import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.softmax_costs import softmax_costs


@pytest.mark.parametrize("seed", range(3))
def test_costs_are_those_of_the_equation(seed):
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


def test_large_scores_stay_finite():
    costs = softmax_costs(np.float32([[1e4, -1e4]]), np.array([[True, False]]))
    np.testing.assert_allclose(costs[0, 1], 2e4)
