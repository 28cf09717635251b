import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.layers.unit_length import unit_length


def test_directions_stay_and_lengths_are_one():
    vectors = np.random.default_rng(0).normal(size=(3, 4, 5))
    result = np.array(unit_length(vectors))
    expected = vectors / np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_a_vector_of_zeros_has_no_large_gradient():
    vectors = tf.zeros((1, 3))
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        result = unit_length(vectors)
    assert not result.numpy().any()
    np.testing.assert_array_equal(tape.gradient(result, vectors), np.ones((1, 3)))


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_low_precision_sums_its_squares_in_float32(dtype):
    # 4096 equal entries: a sum of squares in bfloat16 would stop growing long before.
    result = unit_length(tf.ones((1, 4096), dtype))
    assert result.dtype == dtype
    np.testing.assert_array_equal(tf.cast(result, tf.float32), np.full((1, 4096), 1 / 64))
