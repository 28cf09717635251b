import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.nearest_negatives import nearest_negatives


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("top_k", [1, 3, 20])
def test_the_smallest_distances_of_negatives_come_first(seed, top_k):
    rng = np.random.default_rng(seed)
    distances, negative = rng.uniform(size=(5, 8)), rng.integers(0, 2, (5, 8)).astype(bool)
    nearest = np.array(nearest_negatives(distances, negative, top_k))
    assert nearest.shape == (5, top_k)
    for row in range(5):
        expected = sorted(distances[row][negative[row]])[:top_k]
        np.testing.assert_array_equal(nearest[row, : len(expected)], expected)
        assert np.isinf(nearest[row, len(expected) :]).all()


def test_the_batch_size_may_be_unknown():
    function = tf.function(
        lambda distances, negative: nearest_negatives(distances, negative, 3),
        input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None, None], tf.bool)],
    )
    nearest = function(np.float32([[0.5, 0.25]]), np.array([[True, True]]))
    np.testing.assert_array_equal(nearest, [[0.25, 0.5, np.inf]])
