import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.alignment.scores import (
    AlignmentScore,
    fragment_products,
    fragment_scores,
    max_sum_score,
    pooled_products,
)


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
            autograph=False,
        )
        np.testing.assert_allclose(function(*values), max_sum_score(*values), rtol=1e-6, atol=1e-6)


def _pooled_by_hand(regions, words, pooling, sharpness):
    """Of one image and one sentence, `[W]`: the equations of `pooled_products`, word by word."""
    products = np.float64(regions) @ np.float64(words).T
    if pooling == "max":
        return products.max(axis=0)
    if pooling == "log_sum_exp":
        return np.log(np.exp(sharpness * products).mean(axis=0)) / sharpness
    positive = np.maximum(products, 0)
    shares = positive / np.maximum(np.sqrt((positive**2).sum(axis=1, keepdims=True)), 1e-12)
    weights = np.exp(sharpness * shares)
    weights /= weights.sum(axis=0)
    attended = weights.T @ regions
    cosines = (attended * words).sum(axis=1)
    return cosines / np.linalg.norm(attended, axis=1) / np.linalg.norm(words, axis=1)


def _score_by_hand(regions, words, score):
    """Of one image and one sentence, by the options of an `AlignmentScore`."""
    lengths = np.linalg.norm(words, axis=1)
    directions = words / lengths[:, None]
    pool = score.region_pooling, score.region_sharpness
    of_words = lengths * _pooled_by_hand(regions, directions, *pool)
    if score.word_pooling == "sum":
        of_words = of_words.mean() if score.length_normalization else of_words.sum()
    else:
        exponentials = np.exp(score.word_sharpness * of_words)
        total = exponentials.mean() if score.length_normalization else exponentials.sum()
        of_words = np.log(total) / score.word_sharpness
    of_regions = _pooled_by_hand(directions, regions, *pool).mean()
    of_regions *= lengths.mean() if score.length_normalization else lengths.sum()
    sides = {"words": of_words, "regions": of_regions, "both": (of_words + of_regions) / 2}
    return sides[score.score]


OPTIONS = [
    {"score": "regions"},
    {"score": "both", "length_normalization": True},
    {"region_pooling": "log_sum_exp", "region_sharpness": 4.0},
    {"region_pooling": "attention", "length_normalization": True},
    {"region_pooling": "attention", "score": "both", "region_sharpness": 5.0},
    {"region_pooling": "attention", "word_pooling": "log_sum_exp"},
    {"word_pooling": "log_sum_exp", "word_sharpness": 3.0, "length_normalization": True},
]


def _unit_regions(seed):
    regions, *rest = _random_words(seed)
    return regions / np.linalg.norm(regions, axis=-1, keepdims=True), *rest


class TestAlignmentScore(VsaTfTestCase):
    @pytest.mark.parametrize("options", OPTIONS)
    def test_scores_are_those_of_the_equations(self, options):
        score = AlignmentScore(**options)
        for seed in range(3):
            regions, region_mask, words, word_mask = _unit_regions(seed)
            scores = np.array(score(regions, region_mask, words, word_mask))
            for k, l in np.ndindex(scores.shape):
                expected = _score_by_hand(regions[k][region_mask[k]], words[l][word_mask[l]], score)
                np.testing.assert_allclose(scores[k, l], expected, rtol=1e-4, atol=1e-5)

    def test_a_hand_made_pair(self):
        # Regions along the axes; words of lengths 5 and 2, at cosines .6 and .8, and 0 and 1. The
        # words find 5 * .8 and 2 * 1, the regions .6 and 1 of their lengths' sum, 7.
        sides = np.float32([[[1, 0], [0, 1]]]), np.ones((1, 2), bool)
        sides += np.float32([[[3, 4], [0, 2]]]), np.ones((1, 2), bool)
        expected = {"words": 6.0, "regions": 7 * 0.8, "both": 5.8}
        for name, value in expected.items():
            np.testing.assert_allclose(AlignmentScore(name)(*sides), [[value]], rtol=1e-6)

    @pytest.mark.parametrize("length_normalization", [False, True])
    def test_the_default_is_the_papers_to_the_bit(self, length_normalization):
        score, values = AlignmentScore(length_normalization=length_normalization), _random_words(7)
        assert score.is_max_sum and not AlignmentScore("both").is_max_sum
        np.testing.assert_array_equal(score(*values), max_sum_score(*values, length_normalization))

    def test_log_sum_exp_lies_between_mean_and_maximum(self):
        values = _random_words(8)
        values[1][:] = True
        best = np.array(pooled_products(*values))
        mean = np.einsum("krh,lwh->klw", values[0], values[2]) / values[0].shape[1]
        for sharpness, limit in ((1e-3, mean), (1e4, best)):
            pooled = pooled_products(*values, "log_sum_exp", sharpness)
            np.testing.assert_allclose(pooled, limit, atol=0.01)
        middle = np.array(pooled_products(*values, "log_sum_exp", 2.0))
        assert (middle > mean).all() and (middle < best).all()

    @pytest.mark.parametrize("options", OPTIONS)
    def test_padding_changes_nothing_whatever_it_holds(self, options):
        regions, region_mask, words, word_mask = _unit_regions(3)
        score = AlignmentScore(**options)
        scores = score(regions, region_mask, words, word_mask)
        wider, longer = ((0, 0), (0, 3), (0, 0)), ((0, 0), (0, 2), (0, 0))
        padded = score(
            np.pad(regions, wider, constant_values=0.3),
            np.pad(region_mask, wider[:2]),
            np.pad(words, longer, constant_values=-4),
            np.pad(word_mask, longer[:2]),
        )
        np.testing.assert_allclose(padded, scores, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("options", OPTIONS)
    def test_gradients_where_there_is_nothing_to_compare(self, options):
        score = AlignmentScore(**options)
        regions, region_mask, words, word_mask = _unit_regions(4)
        region_mask[1], word_mask[2] = False, False
        words[2] = 0
        scores = np.array(score(regions, region_mask, words, word_mask))
        assert not scores[1].any() and not scores[:, 2].any()
        regions, words = (keras.Variable(value, dtype="float64") for value in (regions, words))
        self.check_gradients(
            lambda: score(regions.value, region_mask, words.value, word_mask), [regions, words]
        )

    @pytest.mark.parametrize("options", OPTIONS[3:5])
    def test_a_graph_need_not_know_the_sizes(self, options):
        values = _unit_regions(6)
        function = tf.function(
            AlignmentScore(**options).__call__,
            input_signature=[tf.TensorSpec([None] * value.ndim, value.dtype) for value in values],
            autograph=False,
        )
        expected = AlignmentScore(**options)(*values)
        np.testing.assert_allclose(function(*values), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("name", ["score", "region_pooling", "word_pooling"])
    def test_other_options_are_refused(self, name):
        with pytest.raises(ValueError, match=f"Expected {name} to be one of.*'median'"):
            AlignmentScore(**{name: "median"})

    def test_a_pooling_of_words_that_nothing_reads_is_refused(self):
        with pytest.raises(
            ValueError, match="Expected score='words' or 'both' with another word_pooling"
        ):
            AlignmentScore(score="regions", word_pooling="log_sum_exp")


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
    function = tf.function(fragment_products, input_signature=[specification] * 2, autograph=False)
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
            lambda: fragment_scores(tf.identity(products.value), *masks), [products]
        )
