"""Greedy search: spelling, the definition on random models, and every way to run it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.decoding.step_models import (
    HistoryModel,
    assert_scores_are_the_models,
    captions_of,
    spelling,
    spelling_step,
    table_step,
)
from vsa_tf.decoding.greedy_search import GreedySearch


def greedy_by_definition(model, image, max_length):
    tokens = ()
    while len(tokens) < max_length and tokens[-1:] != (2,):
        log_probs = model.log_probs(image, tokens)
        log_probs[[0, 1, 3]] = -np.inf
        tokens += (int(log_probs.argmax()),)
    return tokens


def test_words_are_spelt():
    step, state = spelling_step(["sequence", "dog", "decoder"])
    captions = GreedySearch()(step, state, 3)
    assert captions.token_ids.shape == (3, 1, 20)
    assert [spelling(caption[0]) for caption in captions.token_ids] == [
        "sequence.",
        "dog.",
        "decoder.",
    ]


def test_a_caption_that_is_cut_has_no_end():
    step, state = spelling_step(["sequence", "dog", "four"])
    captions = GreedySearch(max_length=4)(step, state, 3)
    assert [spelling(caption[0]) for caption in captions.token_ids] == ["sequ", "dog.", "four"]


@pytest.mark.parametrize("seed", range(5))
def test_captions_are_the_definitions(seed):
    model = HistoryModel(seed)
    captions = GreedySearch(max_length=8)(model.step, model.state(6), 6)
    expected = [greedy_by_definition(model, image, 8) for image in range(6)]
    assert [image[0][0] for image in captions_of(captions)] == expected
    assert_scores_are_the_models(captions, model)


def test_forbidden_tokens_are_never_chosen_but_keep_their_probability():
    probability = np.zeros((6, 6))
    probability[:] = [0.2, 0.2, 0.1, 0.3, 0.15, 0.05]
    captions = GreedySearch(max_length=2)(table_step(probability), (), 1)
    assert captions_of(captions)[0][0][0] == (4, 4)
    np.testing.assert_allclose(captions.log_prob, [[2 * np.log(0.15)]], rtol=1e-6)


def test_of_equally_likely_tokens_the_smallest_is_taken():
    captions = GreedySearch(max_length=2, end_id=6)(table_step(np.full((7, 7), 1 / 7)), (), 1)
    assert captions_of(captions)[0][0][0] == (2, 2)


def test_a_prefix_is_continued_where_the_tokens_alone_would_lead():
    model = HistoryModel(3)
    prefix = np.array([[5, 3, 6], [4, 0, 0], [0, 0, 0]])
    captions = GreedySearch(max_length=6)(model.step, model.state(3), 3, prefix=prefix)
    tokens = [image[0][0] for image in captions_of(captions)]
    assert [tokens[0][:3], tokens[1][:1]] == [(5, 3, 6), (4,)]
    assert tokens[2] == greedy_by_definition(model, 2, 6)
    assert_scores_are_the_models(captions, model)
    for image, caption in enumerate(tokens):
        for time in range(np.count_nonzero(prefix[image]), len(caption)):
            log_probs = model.log_probs(image, caption[:time])
            log_probs[[0, 1, 3]] = -np.inf
            assert caption[time] == log_probs.argmax()


def test_a_prefix_without_probability_has_no_continuation():
    probability = np.full((6, 6), 0.2)
    probability[:, 5] = 0
    captions = GreedySearch(max_length=3)(table_step(probability), (), 1, prefix=[[4, 5]])
    assert np.array(captions.log_prob).tolist() == [[-np.inf]]
    assert not np.array(captions.token_ids).any()


def test_a_diverged_model_gives_blank_captions_of_unknown_probability():
    captions = GreedySearch()(table_step(np.full((6, 6), np.nan)), (), 2)
    assert np.isnan(captions.log_prob).all()
    assert not np.array(captions.token_ids).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_normalised_in_single_precision(dtype):
    logits = tf.cast(np.linspace(-3, 4, 300)[None], dtype)
    captions = GreedySearch(max_length=2)(
        lambda token_ids, state: (tf.repeat(logits, len(token_ids), axis=0), state), (), 1
    )
    exact = np.asarray(tf.cast(logits, tf.float64))[0]
    expected = exact.max() - np.log(np.exp(exact).sum())
    assert captions.log_prob.dtype == tf.float32
    np.testing.assert_allclose(captions.log_prob, [[2 * expected]], rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_graphs_of_any_batch_size_give_the_same_captions(jit_compile):
    model = HistoryModel(5)
    search = GreedySearch(max_length=7)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)],
        jit_compile=jit_compile,
    )
    def decode(hashes, prefix):
        return search(model.step, {"hash": hashes}, tf.shape(hashes)[0], prefix)

    for batch_size in (1, 4):
        state = model.state(batch_size)
        prefix = np.array([[6, 4], [5, 0], [0, 0], [0, 0]], np.int32)[:batch_size]
        expected = search(model.step, state, batch_size, prefix)
        captions = decode(state["hash"], prefix)
        np.testing.assert_array_equal(captions.token_ids, expected.token_ids)
        np.testing.assert_allclose(captions.log_prob, expected.log_prob, rtol=1e-6)
