import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.pairwise_distances import pairwise_distances


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_the_equation(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    expected = np.sqrt(((x[:, None] - y) ** 2).sum(axis=-1) + 1e-4)
    np.testing.assert_allclose(pairwise_distances(x, y), expected, rtol=1e-10)


def test_a_vector_is_a_hundredth_from_itself_with_a_finite_gradient():
    # Long vectors, whose rounding would make a square negative.
    x = tf.constant(np.random.default_rng(0).normal(scale=100, size=(40, 30)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        distances = pairwise_distances(x, x)
    assert np.isfinite(distances).all()
    assert np.diagonal(distances).min() >= np.float32(0.01) * 0.999
    assert np.isfinite(tape.gradient(distances, x)).all()
