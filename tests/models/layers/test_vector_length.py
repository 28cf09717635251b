import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.models.layers.vector_length import scale_features, unit_length

FEATURES = np.float32([[[3.0, 0.0, 0.0, 4.0], [0.01, 0.01, 0.01, 0.01]]])


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


def test_none_takes_features_as_they_are():
    assert scale_features(FEATURES, "none") is FEATURES


def test_l2_gives_every_feature_the_length_of_a_vector_of_ones():
    # [3, 0, 0, 4] has length 5; times the root of its size, 2. Four equal entries become ones.
    expected = [[[1.2, 0, 0, 1.6], [1, 1, 1, 1]]]
    np.testing.assert_allclose(scale_features(FEATURES, "l2"), expected, rtol=1e-5)


def test_power_gives_the_signed_roots_the_same_length():
    # The roots of 9, 16, 0 and 0 have length 5; times 2, the root of the size.
    features = np.float32([[9, -16, 0, 0], [1e-12, 0, 0, -1e-12]])
    expected = [[1.2, -1.6, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(scale_features(features, "power"), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("normalization", ["l2", "power"])
def test_the_scale_of_the_encoder_is_lost(normalization):
    small, large = (scale_features(scale * FEATURES, normalization) for scale in (1.0, 1000.0))
    np.testing.assert_allclose(small, large, rtol=1e-5)


@pytest.mark.parametrize("normalization", ["l2", "power"])
def test_a_feature_of_zeros_stays_one(normalization):
    features = tf.zeros((2, 4))
    with tf.GradientTape() as tape:
        tape.watch(features)
        result = scale_features(features, normalization)
    np.testing.assert_array_equal(result, 0)
    assert np.isfinite(tape.gradient(result, features)).all()


def test_a_root_has_no_steep_gradient_at_zero():
    features = tf.constant([[0.0, 1e-7, 1.0, -1e-7]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        result = scale_features(features, "power")[0, :2]
    gradient = tape.gradient(result, features).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() < 500


def test_other_normalizations_are_refused():
    with pytest.raises(ValueError, match=r"one of \('none', 'l2', 'power'\).*Received.*'l1'"):
        scale_features(FEATURES, "l1")
