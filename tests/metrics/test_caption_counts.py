"""Novel and distinct captions by hand."""

import numpy as np
import pytest

from vsa_tf.metrics.caption_counts import novelty, perplexity


def test_novel_and_distinct_captions_are_counted():
    training = [["a", "dog"], ["two", "cats"]]
    found = novelty([["a", "dog"], ("a", "dog"), ["dog"], ["dog", "a"], ["a dog"]], training)
    # "a dog" twice is known; other words, another order or another tokenisation are not.
    assert found == (5, 3, 4)
    assert found.novel_share == 0.6


def test_without_training_captions_all_are_novel():
    assert novelty([["a"], ["a"]], []) == (2, 2, 1)


def test_an_empty_caption_is_novel_unless_there_is_one_in_training():
    assert novelty([[]], [["a"]]).num_novel == 1
    assert novelty([[]], [[]]).num_novel == 0


def test_a_model_that_says_one_caption_is_seen():
    assert novelty([["a", "dog"]] * 7, [["cat"]]).num_distinct == 1


@pytest.mark.parametrize("captions, training", [([], [["a"]]), (["a dog"], []), ([["a"]], ["a"])])
def test_bad_captions_are_errors(captions, training):
    with pytest.raises(ValueError, match="Expected .* Received"):
        novelty(captions, training)


@pytest.mark.parametrize("size", [1, 7, 8000])
def test_perplexity_of_a_uniform_model_is_the_size_of_its_vocabulary(size):
    np.testing.assert_allclose(perplexity(np.full(5, -np.log(size))), size)


def test_perplexity_is_two_to_the_mean_of_bits():
    # 1, 2 and 6 bits: 2^3.
    np.testing.assert_allclose(perplexity(np.log([1 / 2, 1 / 4, 1 / 64])), 8)


def test_a_sure_model_has_perplexity_one():
    assert perplexity([0.0, 0.0]) == 1.0


def test_it_is_the_inverse_of_the_geometric_mean():
    probabilities = np.random.default_rng(0).uniform(0.01, 1, 50)
    np.testing.assert_allclose(perplexity(np.log(probabilities)), np.prod(probabilities) ** -0.02)


def test_many_single_precision_numbers_are_summed_in_double():
    log_probs = np.full(10**6, -0.1, np.float32)
    expected = np.exp(-np.float64(log_probs[0]))
    np.testing.assert_allclose(perplexity(log_probs), expected, rtol=1e-12)


def test_a_word_held_impossible_gives_infinity():
    with np.errstate(over="ignore"):
        assert perplexity([-np.inf, -1.0]) == np.inf


def test_without_words_it_is_an_error():
    with pytest.raises(ValueError, match="at least one word. Received: none"):
        perplexity([])
