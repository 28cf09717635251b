import numpy as np
import tensorflow as tf

from vsa_tf.losses.mean_of_pairs import mean_of_pairs


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
