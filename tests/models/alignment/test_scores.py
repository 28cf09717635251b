import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.alignment.scores import fragment_products, fragment_scores, max_sum_score


def _sines(rows, columns, start):
    """f(n, m, s)[i, j] = sin(s + 3 i + 7 j) of docs/equations.md 6.2."""
    return np.sin(start + 3 * np.arange(rows)[:, None] + 7 * np.arange(columns))


def _mask(lengths, size):
    return np.arange(size) < np.array(lengths)[:, None]


def _random_words(seed, num_images=3, num_regions=4, num_sentences=5, num_words=6):
    rng = np.random.default_rng(seed)
    regions = rng.normal(size=(num_images, num_regions, 2)).astype("float32")
    words = rng.normal(size=(num_sentences, num_words, 2)).astype("float32")
    region_mask = _mask(rng.integers(1, num_regions + 1, num_images), num_regions)
    word_mask = _mask(rng.integers(1, num_words + 1, num_sentences), num_words)
    return regions, region_mask, words, word_mask


def _sums_of_maxima(regions, region_mask, words, word_mask):
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
        values = _random_words(seed)
        np.testing.assert_allclose(
            max_sum_score(*values), _sums_of_maxima(*values), rtol=1e-5, atol=1e-5
        )

    def test_length_normalization_divides_by_the_number_of_words(self):
        values = _random_words(1)
        scores = max_sum_score(*values, length_normalization=True)
        lengths = values[3].sum(axis=1)
        np.testing.assert_allclose(scores, _sums_of_maxima(*values) / lengths, rtol=1e-5, atol=1e-5)

    def test_masked_regions_and_words_may_hold_anything(self):
        regions, region_mask, words, word_mask = _random_words(2)
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
        regions, region_mask, words, word_mask = _random_words(3)
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
        regions, region_mask, words, word_mask = _random_words(4)
        region_mask[1], word_mask[2] = False, False
        scores = np.array(
            max_sum_score(regions, region_mask, words, word_mask, length_normalization)
        )
        assert not scores[1].any()
        assert not scores[:, 2].any()
        assert scores[[0, 2]][:, [0, 1, 3, 4]].all()

    def test_gradients(self):
        regions, region_mask, words, word_mask = _random_words(5)
        region_mask[1] = False
        regions, words = (keras.Variable(value, dtype="float64") for value in (regions, words))
        self.check_gradients(
            lambda: max_sum_score(regions.value, region_mask, words.value, word_mask),
            [regions, words],
        )

    def test_a_graph_need_not_know_the_sizes(self):
        values = _random_words(6)
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


def _random_fragments():
    rng = np.random.default_rng(0)
    regions, fragments = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 6, 4))
    return regions.astype("float32"), fragments.astype("float32")


def test_every_region_meets_every_fragment():
    regions, fragments = _random_fragments()
    products = np.array(fragment_products(regions, fragments))
    assert products.shape == (2, 3, 5, 6)
    for k, i, l, j in np.ndindex(products.shape):
        np.testing.assert_allclose(
            products[k, i, l, j], regions[k, i] @ fragments[l, j], rtol=1e-5, atol=1e-5
        )


def test_products_need_no_sizes_that_a_graph_knows():
    specification = tf.TensorSpec([None, None, 4])
    function = tf.function(fragment_products, input_signature=[specification] * 2)
    np.testing.assert_allclose(
        function(*_random_fragments()),
        fragment_products(*_random_fragments()),
        rtol=1e-5,
        atol=1e-6,
    )


def _random_products(seed=0):
    rng = np.random.default_rng(seed)
    products = rng.normal(size=(3, 4, 2, 5))
    region_mask = np.arange(4) < np.array([[4], [1], [3]])
    fragment_mask = np.arange(5) < np.array([[2], [5]])
    return products, region_mask, fragment_mask


def _smoothed_means(products, region_mask, fragment_mask, smoothing):
    scores = np.zeros((len(region_mask), len(fragment_mask)))
    for k, l in np.ndindex(scores.shape):
        block = products[k][region_mask[k]][:, l][:, fragment_mask[l]]
        scores[k, l] = sum(max(0, value) for value in block.flat)
        scores[k, l] /= block.shape[0] * (block.shape[1] + smoothing)
    return scores


class TestFragmentScores(VsaTfTestCase):
    @pytest.mark.parametrize("smoothing", [0.0, 5.0])
    def test_scores_are_the_equation(self, smoothing):
        values = _random_products()
        np.testing.assert_allclose(
            fragment_scores(*values, smoothing), _smoothed_means(*values, smoothing), rtol=1e-9
        )

    def test_five_fragments_more_are_the_default(self):
        values = _random_products()
        np.testing.assert_allclose(fragment_scores(*values), _smoothed_means(*values, 5), rtol=1e-9)

    def test_padding_changes_nothing(self):
        products, region_mask, fragment_mask = _random_products()
        longer = fragment_scores(
            np.pad(products, ((0, 0), (0, 2), (0, 0), (0, 3)), constant_values=1e6),
            np.pad(region_mask, ((0, 0), (0, 2))),
            np.pad(fragment_mask, ((0, 0), (0, 3))),
        )
        np.testing.assert_allclose(longer, fragment_scores(*_random_products()), rtol=1e-9)

    @pytest.mark.parametrize("smoothing", [0.0, 5.0])
    def test_nothing_to_compare_scores_zero(self, smoothing):
        products, region_mask, fragment_mask = _random_products()
        region_mask[1], fragment_mask[0] = False, False
        scores = np.array(fragment_scores(products, region_mask, fragment_mask, smoothing))
        assert not scores[1].any() and not scores[:, 0].any()
        assert scores[[0, 2], 1].all()

    def test_gradients(self):
        products, *masks = _random_products()
        products = keras.Variable(products, dtype="float64")
        self.check_gradients(
            lambda: fragment_scores(tf.identity(products.value), *masks), [products], 30
        )
