import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.layers.max_sum_score import max_sum_score


def _sines(rows, columns, start):
    """f(n, m, s)[i, j] = sin(s + 3 i + 7 j) of spec/fixtures.md."""
    return np.sin(start + 3 * np.arange(rows)[:, None] + 7 * np.arange(columns))


def _mask(lengths, size):
    return np.arange(size) < np.array(lengths)[:, None]


def _random(seed, num_images=3, num_regions=4, num_sentences=5, num_words=6):
    rng = np.random.default_rng(seed)
    regions = rng.normal(size=(num_images, num_regions, 2)).astype("float32")
    words = rng.normal(size=(num_sentences, num_words, 2)).astype("float32")
    region_mask = _mask(rng.integers(1, num_regions + 1, num_images), num_regions)
    word_mask = _mask(rng.integers(1, num_words + 1, num_sentences), num_words)
    return regions, region_mask, words, word_mask


def _brute_force(regions, region_mask, words, word_mask):
    scores = np.zeros((len(regions), len(words)))
    for k in range(len(regions)):
        for l in range(len(words)):
            for word in words[l][word_mask[l]]:
                scores[k, l] += max(region @ word for region in regions[k][region_mask[k]])
    return scores


class TestMaxSumScore(VsaTfTestCase):
    def test_dvsa_fixture(self):
        scores = max_sum_score(
            _sines(12, 5, 0.5).reshape(3, 4, 5),
            np.ones((3, 4), bool),
            _sines(12, 5, 1.5).reshape(3, 4, 5),
            _mask([4, 3, 2], 4),
        )
        expected = [
            [6.307547, 6.461447, 4.375406],
            [2.919729, 3.695298, 3.896284],
            [7.630335, 2.557729, 2.200382],
        ]
        np.testing.assert_allclose(scores, expected, atol=1e-6)

    @pytest.mark.parametrize("seed", range(5))
    def test_scores_are_the_sum_of_maxima(self, seed):
        values = _random(seed)
        np.testing.assert_allclose(
            max_sum_score(*values), _brute_force(*values), rtol=1e-5, atol=1e-5
        )

    def test_length_normalization_divides_by_the_number_of_words(self):
        values = _random(1)
        scores = max_sum_score(*values, length_normalization=True)
        lengths = values[3].sum(axis=1)
        np.testing.assert_allclose(scores, _brute_force(*values) / lengths, rtol=1e-5, atol=1e-5)

    def test_masked_regions_and_words_may_hold_anything(self):
        regions, region_mask, words, word_mask = _random(2)
        scores = max_sum_score(regions, region_mask, words, word_mask)
        regions, words = regions.copy(), words.copy()
        regions[~region_mask] = 1e6
        words[~word_mask] = -1e6
        np.testing.assert_array_equal(max_sum_score(regions, region_mask, words, word_mask), scores)

    def test_a_masked_region_never_wins_even_when_all_others_are_negative(self):
        scores = max_sum_score(
            np.float32([[[-3.0], [0.0]]]),
            np.array([[True, False]]),
            np.float32([[[2.0]]]),
            np.array([[True]]),
        )
        np.testing.assert_array_equal(scores, [[-6.0]])

    @pytest.mark.parametrize("length_normalization", [False, True])
    def test_padding_changes_nothing(self, length_normalization):
        regions, region_mask, words, word_mask = _random(3)
        scores = max_sum_score(regions, region_mask, words, word_mask, length_normalization)
        longer = max_sum_score(
            np.pad(regions, ((0, 0), (0, 3), (0, 0))),
            np.pad(region_mask, ((0, 0), (0, 3))),
            np.pad(words, ((0, 0), (0, 2), (0, 0))),
            np.pad(word_mask, ((0, 0), (0, 2))),
            length_normalization,
        )
        np.testing.assert_allclose(longer, scores, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("length_normalization", [False, True])
    def test_nothing_to_compare_scores_zero(self, length_normalization):
        regions, region_mask, words, word_mask = _random(4)
        region_mask[1], word_mask[2] = False, False
        scores = np.array(
            max_sum_score(regions, region_mask, words, word_mask, length_normalization)
        )
        assert not scores[1].any()
        assert not scores[:, 2].any()
        assert scores[[0, 2]][:, [0, 1, 3, 4]].all()

    def test_gradients(self):
        regions, region_mask, words, word_mask = _random(5)
        region_mask[1] = False
        regions, words = (keras.Variable(value, dtype="float64") for value in (regions, words))
        self.check_gradients(
            lambda: max_sum_score(regions.value, region_mask, words.value, word_mask),
            [regions, words],
        )

    def test_sizes_unknown_to_a_graph(self):
        values = _random(6)
        function = tf.function(
            max_sum_score,
            input_signature=[
                tf.TensorSpec([None, None, 2]),
                tf.TensorSpec([None, None], tf.bool),
                tf.TensorSpec([None, None, 2]),
                tf.TensorSpec([None, None], tf.bool),
            ],
        )
        np.testing.assert_allclose(function(*values), max_sum_score(*values), rtol=1e-6, atol=1e-6)
