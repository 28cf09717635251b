import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.layers.fragment_scores import fragment_scores


def _random(seed=0):
    rng = np.random.default_rng(seed)
    products = rng.normal(size=(3, 4, 2, 5))
    region_mask = np.arange(4) < np.array([[4], [1], [3]])
    fragment_mask = np.arange(5) < np.array([[2], [5]])
    return products, region_mask, fragment_mask


def _brute_force(products, region_mask, fragment_mask, smoothing):
    scores = np.zeros((len(region_mask), len(fragment_mask)))
    for k, l in np.ndindex(scores.shape):
        block = products[k][region_mask[k]][:, l][:, fragment_mask[l]]
        scores[k, l] = sum(max(0, value) for value in block.flat)
        scores[k, l] /= block.shape[0] * (block.shape[1] + smoothing)
    return scores


class TestFragmentScores(VsaTfTestCase):
    @pytest.mark.parametrize("smoothing", [0.0, 5.0])
    def test_scores_are_the_equation(self, smoothing):
        values = _random()
        np.testing.assert_allclose(
            fragment_scores(*values, smoothing), _brute_force(*values, smoothing), rtol=1e-9
        )

    def test_five_fragments_more_are_the_default(self):
        values = _random()
        np.testing.assert_allclose(fragment_scores(*values), _brute_force(*values, 5), rtol=1e-9)

    def test_padding_changes_nothing(self):
        products, region_mask, fragment_mask = _random()
        longer = fragment_scores(
            np.pad(products, ((0, 0), (0, 2), (0, 0), (0, 3)), constant_values=1e6),
            np.pad(region_mask, ((0, 0), (0, 2))),
            np.pad(fragment_mask, ((0, 0), (0, 3))),
        )
        np.testing.assert_allclose(longer, fragment_scores(*_random()), rtol=1e-9)

    @pytest.mark.parametrize("smoothing", [0.0, 5.0])
    def test_nothing_to_compare_scores_zero(self, smoothing):
        products, region_mask, fragment_mask = _random()
        region_mask[1], fragment_mask[0] = False, False
        scores = np.array(fragment_scores(products, region_mask, fragment_mask, smoothing))
        assert not scores[1].any() and not scores[:, 0].any()
        assert scores[[0, 2], 1].all()

    def test_gradients(self):
        products, *masks = _random()
        products = keras.Variable(products, dtype="float64")
        self.check_gradients(
            lambda: fragment_scores(tf.identity(products.value), *masks), [products], 30
        )
