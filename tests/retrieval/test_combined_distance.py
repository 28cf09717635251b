import numpy as np
import pytest

from vsa_tf.retrieval.combined_distance import combined_distance

D = np.array([[1.0, 0.5], [0.2, 0.8]], np.float32)
D_RP = np.array([[0.5, 0.0], [0.3, 0.0]], np.float32)


def test_phrases_have_the_papers_weight():
    # .8 x 1 + .2 x .5 and .8 x .2 + .2 x .3; the second sentence has no phrase.
    combined = combined_distance(D, D_RP, [True, False])
    np.testing.assert_allclose(combined, [[0.9, 0.5], [0.22, 0.8]], rtol=1e-6)
    assert combined.dtype == np.float32


@pytest.mark.parametrize(("weight", "expected"), [(0.0, D), (1.0, D_RP)])
def test_the_ends_are_either_distance_alone(weight, expected):
    np.testing.assert_array_equal(combined_distance(D, D_RP, [True, True], weight), expected)


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan])
def test_a_weight_is_from_0_to_1(weight):
    with pytest.raises(ValueError, match="Received: weight="):
        combined_distance(D, D_RP, [True, True], weight)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="Received: shapes"):
        combined_distance(D, D_RP[:1], [True, True])
    with pytest.raises(ValueError, match="Received: shapes"):
        combined_distance(D, D_RP, [True])
