import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.layers.scaled_tanh import scaled_tanh


def test_values_of_the_paper():
    # spec/fixtures.md: g2(1) = 0.999997, and the limit is 1.7159.
    values = np.array(scaled_tanh(tf.constant([1.0, -1.0, 0.0, 50.0, -50.0], tf.float64)))
    np.testing.assert_allclose(values, [0.999997, -0.999997, 0, 1.7159, -1.7159], atol=5e-7)


def test_the_slope_at_zero_is_two_thirds_of_the_limit():
    x = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = scaled_tanh(x)
    np.testing.assert_allclose(tape.gradient(y, x), 1.7159 * 2 / 3, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_shape_and_dtype_are_kept(dtype):
    values = scaled_tanh(tf.ones((2, 3), dtype))
    assert (values.shape, values.dtype) == ((2, 3), tf.as_dtype(dtype))
