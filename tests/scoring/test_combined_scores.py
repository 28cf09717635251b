"""Combined and corrected scores against their definitions, one pair at a time."""

import math

import numpy as np
import pytest

from vsa_tf.scoring import combined_scores as module
from vsa_tf.scoring.combined_scores import (
    add_weighted,
    combined_scores,
    csls_hubness,
    inverted_softmax_hubness,
    sentence_weights,
    standardize,
)

# Minus d and d_rp of two images and two sentences.
D = -np.array([[1.0, 0.5], [0.2, 0.8]], np.float32)
D_RP = -np.array([[0.5, 0.0], [0.3, 0.0]], np.float32)
ALL = np.ones((2, 2), bool)


@pytest.fixture(params=[1, 7, 1 << 20])
def block_values(monkeypatch, request):
    monkeypatch.setattr(module, "_BLOCK_VALUES", request.param)


def _random(shape=(7, 5)):
    return np.random.default_rng(5).normal(3, 2, shape).astype(np.float32)


class TestStandardize:
    def test_mean_and_deviation_are_of_all_pairs(self):
        # The mean of 1, 1, 3, 7 is 3; the squares from it are 4, 4, 0 and 16: a variance of 6.
        scores = standardize(np.float32([[1, 1], [3, 7]]))
        np.testing.assert_allclose(scores, np.array([[-2, -2], [0, 4]]) / math.sqrt(6), rtol=1e-6)
        assert scores.dtype == np.float32

    def test_they_are_exact_whatever_the_block_and_written_in_place(self, block_values):
        scores = _random()
        expected = (scores - scores.mean()) / scores.std()
        assert standardize(scores) is scores
        np.testing.assert_allclose(scores, expected, atol=1e-6)

    def test_sentences_without_a_score_do_not_count(self):
        # Of the first and last column, 1, 5, 3 and 3: mean 3, variance 2.
        scores = standardize(np.float32([[1, 0, 3], [5, 0, 3]]), np.array([True, False, True]))
        np.testing.assert_allclose(scores[:, 0], [-math.sqrt(2), math.sqrt(2)], rtol=1e-6)

    @pytest.mark.parametrize("covered", [None, np.zeros(2, bool)])
    def test_one_value_says_nothing(self, covered):
        scores = standardize(np.full((3, 2), 0.1, np.float32), covered)
        assert np.isfinite(scores).all() and (covered is not None or not scores.any())

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_not_finite_is_refused(self, value):
        with pytest.raises(ValueError, match="^Expected finite scores"):
            standardize(np.float32([[1, value]]))


class TestWeights:
    def test_they_sum_to_one(self):
        weights = sentence_weights([1, 2, 5], np.ones((3, 4), bool))
        np.testing.assert_allclose(weights, [[0.125] * 4, [0.25] * 4, [0.625] * 4])

    @pytest.mark.parametrize("step", range(21))
    def test_two_are_those_of_the_combined_distance_to_the_last_bit(self, step):
        weight = step / 20
        first, second = sentence_weights((1 - weight, weight), ALL)
        expected = np.where([True, True], weight, 0.0).astype(np.float32)
        np.testing.assert_array_equal(second, expected)
        np.testing.assert_array_equal(first, 1 - expected)

    def test_others_share_the_weight_of_one_that_has_no_score(self):
        # 1 and 3 of 4; of the second sentence 1/6 and 5/6, of the third nobody knows anything.
        covered = np.array([[True, True, False], [True, False, False], [True, True, False]])
        weights = sentence_weights([1, 2, 5], covered)
        np.testing.assert_allclose(weights[:, 1], [1 / 6, 0, 5 / 6], rtol=1e-6)
        np.testing.assert_allclose(weights[:, 2], [1 / 3] * 3, rtol=1e-6)
        # One that has no weight decides where it alone can.
        np.testing.assert_array_equal(sentence_weights([0, 1], [[True], [False]]), [[1], [0]])

    @pytest.mark.parametrize(
        "weights", [[1], [1, 1, 1], [0, 0], [-0.1, 1.1], [np.nan, 1], [np.inf, 1]]
    )
    def test_others_are_refused(self, weights):
        with pytest.raises(ValueError, match="^Expected a weight for each model.*weights="):
            sentence_weights(weights, ALL)


class TestCombined:
    def test_sentences_without_phrases_have_their_distance_alone(self):
        # .8 x 1 + .2 x .5 and .8 x .2 + .2 x .3; the second sentence has no phrase.
        covered = np.array([[True, True], [True, False]])
        combined = combined_scores((D, D_RP), covered, (0.8, 0.2))
        np.testing.assert_allclose(combined, [[-0.9, -0.5], [-0.22, -0.8]], rtol=1e-6)
        assert combined.dtype == np.float32

    @pytest.mark.parametrize(("weight", "expected"), [(0.0, D), (1.0, D_RP)])
    def test_the_ends_are_either_alone(self, weight, expected):
        combined = combined_scores((D, D_RP), ALL, (1 - weight, weight))
        np.testing.assert_array_equal(combined, expected)

    def test_an_old_sum_is_written_over(self, block_values):
        out = np.full((2, 2), 9, np.float32)
        combined = combined_scores((D, D_RP, D), np.ones((3, 2), bool), (1, 2, 1), out)
        assert combined is out
        np.testing.assert_allclose(out, D / 2 + D_RP / 2)

    def test_shapes_must_fit(self):
        with pytest.raises(ValueError, match="Received: shapes"):
            add_weighted(np.zeros((2, 2)), D[:1], np.ones(2))
        with pytest.raises(ValueError, match="Received: shapes"):
            add_weighted(np.zeros((2, 2)), D, np.ones(1))
        with pytest.raises(ValueError, match="covered of shape"):
            combined_scores((D, D_RP), ALL[0], (1, 1))


class TestHubs:
    @pytest.mark.parametrize("num_neighbors", [1, 3, 10])
    def test_csls_is_its_definition(self, block_values, num_neighbors):
        scores = _random()
        images, sentences = csls_hubness(scores, num_neighbors)
        for image, row in enumerate(scores):
            best = sorted(row.tolist())[::-1][:num_neighbors]
            assert images[image] == pytest.approx(sum(best) / len(best) / 2)
        for sentence, column in enumerate(scores.T):
            best = sorted(column.tolist())[::-1][:num_neighbors]
            assert sentences[sentence] == pytest.approx(sum(best) / len(best) / 2)

    def test_the_inverted_softmax_is_its_definition(self, block_values):
        scores = _random()
        temperature = 0.7
        scale = temperature * float(scores.std())
        images, sentences = inverted_softmax_hubness(scores, temperature)
        for image in range(7):
            mass = sum(math.exp(float(s) / scale) for s in scores[image])
            assert images[image] == pytest.approx(scale * math.log(mass))
        for sentence in range(5):
            mass = sum(math.exp(float(s) / scale) for s in scores[:, sentence])
            assert sentences[sentence] == pytest.approx(scale * math.log(mass))

    def test_scores_far_below_0_do_not_vanish(self):
        # Both queries score alike: the mass is twice one's, T log 2 above it; no deviation: T is 1.
        _, sentences = inverted_softmax_hubness(np.full((2, 1), -5000.0), temperature=1)
        np.testing.assert_allclose(sentences, [-5000 + math.log(2)])

    @pytest.mark.parametrize("hubness", [csls_hubness, inverted_softmax_hubness])
    def test_nan_is_refused(self, hubness):
        with pytest.raises(ValueError, match="the model has diverged"):
            hubness(np.array([[1.0, np.nan], [0.0, 2.0]]))

    @pytest.mark.parametrize("hubness", [csls_hubness, inverted_softmax_hubness])
    def test_the_scale_of_scores_is_their_own(self, hubness):
        scores = _random()
        for one, other in zip(hubness(scores), hubness(100 * scores)):
            np.testing.assert_allclose(100 * one, other, rtol=1e-5)
