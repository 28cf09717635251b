"""Sampling (frequencies, cuts of the distribution, seeds), greedy search, and what both run."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.decoding.step_models import (
    HistoryModel,
    assert_scores_are_the_models,
    captions_of,
    spelling,
    spelling_step,
    table_step,
)
from vsa_tf.decoding.decoder import Decoder
from vsa_tf.decoding.sampling import GreedySearch, Sampling, roll_out

DRAWS = 5000
# After any token: START .1, END .3, UNK .1, words .05, .25, .2.
PROBABILITY = np.tile([0.0, 0.1, 0.3, 0.1, 0.05, 0.25, 0.2], (7, 1))


def frequencies(length=1, **arguments):
    """How often each token or pair of tokens came first in `DRAWS` captions."""
    captions = Sampling(num_captions=DRAWS, seed=0, max_length=length, **arguments)(
        table_step(PROBABILITY), (), 1
    )
    tokens = np.array(captions.token_ids)[0]
    return np.histogramdd(tokens, bins=[np.arange(8) - 0.5] * length)[0] / DRAWS


def assert_binomial(found, expected):
    """Within 4.5 standard deviations everywhere; exact where nothing or all is expected."""
    expected = np.asarray(expected)
    deviation = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (np.abs(found - expected) <= 4.5 * deviation + 1e-12).all(), (found, expected)


def test_sampling_at_a_low_temperature_spells_words():
    step, state = spelling_step(["sequence", "dog"])
    captions = Sampling(temperature=0.1, num_captions=3, seed=1)(step, state, 2)
    assert captions.token_ids.shape == (2, 3, 20)
    assert [[spelling(caption) for caption in image] for image in captions.token_ids] == [
        ["sequence."] * 3,
        ["dog."] * 3,
    ]


def test_tokens_come_as_often_as_the_softmax_of_the_allowed_says():
    allowed = np.array([0, 0, 0.3, 0, 0.05, 0.25, 0.2])
    assert_binomial(frequencies(), allowed / 0.8)


def test_tokens_of_one_caption_are_independent_draws():
    word = np.array([0, 0, 0.3, 0, 0.05, 0.25, 0.2]) / 0.8
    expected = np.outer(word, word)
    expected[2] = 0
    expected[2, 0] = word[2]  # END, and PAD after it.
    assert_binomial(frequencies(length=2), expected)


def test_the_temperature_is_the_root_of_probabilities():
    for temperature in (0.5, 2.0):
        power = np.array([0, 0, 0.3, 0, 0.05, 0.25, 0.2]) ** (1 / temperature)
        assert_binomial(frequencies(temperature=temperature), power / power.sum())


def test_top_k_keeps_the_likeliest_of_the_allowed():
    assert_binomial(frequencies(top_k=2), np.array([0, 0, 0.3, 0, 0, 0.25, 0]) / 0.55)
    # More than the vocabulary has is all of it.
    assert_binomial(frequencies(top_k=99), np.array([0, 0, 0.3, 0, 0.05, 0.25, 0.2]) / 0.8)


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p():
    # Of the allowed, .375 .3125 .25 .0625, summing up to .375 .6875 .9375 1.
    for top_p, kept in (
        (0.01, [2]),
        (0.37, [2]),
        (0.38, [2, 5]),
        (0.68, [2, 5]),
        (0.69, [2, 5, 6]),
        (0.93, [2, 5, 6]),
        (0.94, [2, 4, 5, 6]),
    ):
        expected = np.zeros(7)
        expected[kept] = PROBABILITY[0, kept] / PROBABILITY[0, kept].sum()
        found = frequencies(top_p=top_p)
        assert np.flatnonzero(found).tolist() == kept
        assert_binomial(found, expected)


def test_the_nucleus_is_taken_of_the_top_k():
    # Of .375 .3125 .25, the first two have .733 (of all they have .6875).
    assert np.flatnonzero(frequencies(top_k=3, top_p=0.73)).tolist() == [2, 5]


def test_the_nucleus_prefers_smaller_ids_of_equally_likely_tokens():
    captions = Sampling(top_p=0.5, num_captions=200, seed=0, max_length=1)(
        table_step(np.full((8, 8), 1 / 8)), (), 1
    )
    # .2 each of five: three reach .5.
    assert set(np.array(captions.token_ids).ravel()) == {2, 4, 5}


def test_tokens_without_probability_are_never_drawn():
    probability = np.zeros((3000, 3000), np.float32)
    words = np.random.default_rng(0).permutation(np.arange(4, 3000))[:700]
    probability[1, words] = np.random.default_rng(1).random(700) ** 20
    for arguments in ({}, {"top_p": 0.999999}, {"top_k": 2000}):
        captions = Sampling(num_captions=3000, seed=2, max_length=1, **arguments)(
            table_step(probability), (), 1
        )
        drawn = np.array(captions.token_ids).ravel()
        assert (probability[1, drawn] > 0).all()


@pytest.mark.parametrize(
    "arguments", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-4}, {"temperature": 1e-30}]
)
def test_narrow_distributions_give_greedy_search(arguments):
    model = HistoryModel(0)
    found = Sampling(seed=3, max_length=9, **arguments)(model.step, model.state(8), 8)
    expected = GreedySearch(max_length=9)(model.step, model.state(8), 8)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"temperature": 3.0}, {"top_k": 3}, {"top_p": 0.7}, {"temperature": 0.5, "top_p": 0.9}],
)
def test_log_probabilities_are_the_models_own(arguments):
    model = HistoryModel(1)
    captions = Sampling(num_captions=3, seed=4, **arguments)(model.step, model.state(4), 4)
    assert_scores_are_the_models(captions, model)
    assert (np.diff(captions.log_prob, axis=1) <= 0).all()
    assert not np.isin(captions.token_ids, (1, 3)).any()


def test_sampling_continues_prefixes_of_different_lengths():
    model = HistoryModel(2)
    prefix = np.array([[3, 5], [6, 0], [0, 0]])
    captions = Sampling(num_captions=4, seed=5)(model.step, model.state(3), 3, prefix)
    assert_scores_are_the_models(captions, model)
    for image, words in enumerate([(3, 5), (6,), ()]):
        for tokens, _ in captions_of(captions)[image]:
            assert tokens[: len(words)] == words
            assert not set(tokens[len(words) :]) & {1, 3}


def test_a_seed_repeats_the_captions_of_all_calls_and_another_does_not():
    model = HistoryModel(3)

    def two_calls(seed):
        sampling = Sampling(num_captions=5, seed=seed)
        return [np.array(sampling(model.step, model.state(2), 2).token_ids) for _ in range(2)]

    first, again, other = two_calls(6), two_calls(6), two_calls(7)
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()
    assert (first[0] != other[0]).any()


def test_images_and_captions_are_drawn_apart():
    captions = Sampling(num_captions=40, seed=8, max_length=6)(
        table_step(np.full((40, 40), 1 / 40)), (), 2
    )
    drawn = captions_of(captions)
    assert len({tokens for image in drawn for tokens, _ in image}) > 70


def graph_of(sampling, model, jit_compile):
    """The sampling as a graph for any number of images."""

    def decode(hashes):
        return sampling(model.step, {"hash": hashes}, tf.shape(hashes)[0])

    return tf.function(
        decode,
        input_signature=[tf.TensorSpec([None], tf.int32)],
        jit_compile=jit_compile,
        autograph=False,
    )


@pytest.mark.parametrize("arguments", [{}, {"top_k": 4, "top_p": 0.8}])
def test_graphs_draw_the_captions_of_eager_execution(arguments):
    model = HistoryModel(4)
    eager, other = (Sampling(num_captions=3, seed=9, **arguments) for _ in range(2))
    decode = graph_of(other, model, jit_compile=False)
    for batch_size in (4, 2):
        state = model.state(batch_size)
        np.testing.assert_array_equal(
            decode(state["hash"]).token_ids, eager(model.step, state, batch_size).token_ids
        )


@pytest.mark.parametrize("arguments", [{}, {"top_k": 4, "top_p": 0.8}])
def test_compiled_sampling_repeats_itself_for_a_seed_and_moves_on(arguments):
    # XLA has random numbers of its own.
    model = HistoryModel(4)
    first, again = (
        graph_of(Sampling(num_captions=9, seed=9, **arguments), model, True) for _ in range(2)
    )
    hashes = model.state(4)["hash"]
    calls = [first(hashes), first(hashes)]
    assert (np.array(calls[0].token_ids) != np.array(calls[1].token_ids)).any()
    for call in calls:
        assert_scores_are_the_models(call, model)
        np.testing.assert_array_equal(again(hashes).token_ids, call.token_ids)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"temperature": 0}, "use GreedySearch"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 0}, "top_p=0"),
        ({"top_p": 1.5}, "top_p=1.5"),
        ({"num_captions": 0}, "num_captions=0"),
        ({"max_length": 0}, "max_length=0"),
    ],
)
def test_bad_arguments_of_sampling_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**arguments)


def greedy_by_definition(model, image, max_length):
    tokens = ()
    while len(tokens) < max_length and tokens[-1:] != (2,):
        log_probs = model.log_probs(image, tokens)
        log_probs[[0, 1, 3]] = -np.inf
        tokens += (int(log_probs.argmax()),)
    return tokens


def test_greedy_search_spells_words():
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
def test_greedy_captions_are_the_definitions(seed):
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


def test_greedy_search_continues_a_prefix_where_its_tokens_alone_would_lead():
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
def test_graphs_of_any_batch_size_search_greedily_as_eager_execution(jit_compile):
    model = HistoryModel(5)
    search = GreedySearch(max_length=7)

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)],
        jit_compile=jit_compile,
        autograph=False,
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


def chooses(rows_by_time):
    """Chooses these tokens, one list of rows for each time."""
    table = np.array(rows_by_time, np.int32)
    return lambda logits, time: ops.take(table, time, axis=0)


def test_rows_end_one_by_one_and_the_best_of_an_image_comes_first():
    model = HistoryModel(0)
    choose = chooses([[4, 5, 2, 6], [2, 5, 4, 6], [6, 2, 4, 6]])
    captions = roll_out(Decoder(max_length=3), choose, model.step, model.state(2), 2, 2, None)
    assert_scores_are_the_models(captions, model)
    tokens = [{tokens for tokens, _ in image} for image in captions_of(captions)]
    assert tokens == [{(4, 2), (5, 5, 2)}, {(2,), (6, 6, 6)}]
    assert (np.diff(captions.log_prob, axis=1) <= 0).all()


def test_the_loop_stops_when_all_rows_have_ended():
    calls = []
    model = HistoryModel(1)

    def step(token_ids, state):
        calls.append(np.array(token_ids).tolist())
        return model.step(token_ids, state)

    choose = chooses([[5, 2]] + [[2, 6]] * 9)
    roll_out(Decoder(max_length=10), choose, step, model.state(2), 2, 1, None)
    assert calls == [[1, 1], [5, 2]]


def test_a_forced_token_overrules_the_choice():
    model = HistoryModel(2)
    choose = chooses([[4, 4], [5, 5], [2, 2]])
    captions = roll_out(
        Decoder(max_length=3), choose, model.step, model.state(2), 2, 1, np.array([[3, 6], [0, 0]])
    )
    assert [image[0][0] for image in captions_of(captions)] == [(3, 6, 2), (4, 5, 2)]
    assert_scores_are_the_models(captions, model)
