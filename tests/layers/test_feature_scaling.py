import numpy as np
import pytest

from vsa_tf.layers.feature_scaling import scale_features

FEATURES = np.float32([[[3.0, 0.0, 0.0, 4.0], [0.01, 0.01, 0.01, 0.01]]])


def test_none_takes_features_as_they_are():
    assert scale_features(FEATURES, "none") is FEATURES


def test_l2_gives_every_feature_the_length_of_a_vector_of_ones():
    # [3, 0, 0, 4] has length 5; times the root of its size, 2. Four equal entries become ones.
    expected = [[[1.2, 0, 0, 1.6], [1, 1, 1, 1]]]
    np.testing.assert_allclose(scale_features(FEATURES, "l2"), expected, rtol=1e-5)


def test_the_scale_of_the_encoder_is_lost():
    small, large = (scale_features(scale * FEATURES, "l2") for scale in (1.0, 1000.0))
    np.testing.assert_allclose(small, large, rtol=1e-5)


def test_a_feature_of_zeros_stays_one():
    np.testing.assert_array_equal(scale_features(np.zeros((2, 4), "float32"), "l2"), 0)


def test_other_normalizations_are_refused():
    with pytest.raises(ValueError, match=r"one of \('none', 'l2'\).*Received.*'l1'"):
        scale_features(FEATURES, "l1")
