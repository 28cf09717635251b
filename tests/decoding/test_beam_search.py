"""Beam search against its definition, against enumeration, and in every way to run it."""

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
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch

# With three words and four tokens there are 1 + 3 + 9 + 27 ended and 81 cut captions.
ALL_CAPTIONS = 121


def assert_same_captions(found, expected):
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
    np.testing.assert_allclose(
        [score for _, score in found], [score for _, score in expected], atol=2e-5
    )


def test_words_are_spelt():
    step, state = spelling_step(["sequence", "dog", "decoder"])
    captions = BeamSearch(beam_size=3, num_captions=2)(step, state, 3)
    assert captions.token_ids.shape == (3, 2, 20)
    assert [spelling(caption[0]) for caption in captions.token_ids] == [
        "sequence.",
        "dog.",
        "decoder.",
    ]


@pytest.mark.parametrize("beam_size", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("seed", range(2))
def test_the_whole_beam_is_the_definitions(seed, beam_size):
    model = HistoryModel(seed)
    search = BeamSearch(beam_size, num_captions=beam_size, max_length=6)
    captions = search(model.step, model.state(12), 12)
    assert_scores_are_the_models(captions, model)
    for image, found in enumerate(captions_of(captions)):
        assert_same_captions(found, model.beam_search(image, beam_size, 6))


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_some_images_may_have_fewer_beams(seed, normalise):
    model = HistoryModel(seed)
    beam_sizes = np.int32([1, 2, 3, 7, 5, 1] * 2)
    rules = {"length_normalization": normalise, "max_length": 6}
    wide = BeamSearch(7, num_captions=7, **rules)
    captions = wide(model.step, model.state(12), 12, beam_sizes=beam_sizes)
    assert_scores_are_the_models(captions, model)
    found = captions_of(captions)
    for size in set(beam_sizes.tolist()):
        alone = BeamSearch(size, num_captions=size, **rules)(model.step, model.state(12), 12)
        for image in np.flatnonzero(beam_sizes == size):
            assert_same_captions(found[image], captions_of(alone)[image])


@pytest.mark.parametrize("num_captions", [1, 3])
@pytest.mark.parametrize("seed", range(2))
def test_stopping_early_returns_the_first_captions_of_the_whole_beam(seed, num_captions):
    model = HistoryModel(seed, scale=2.5)
    captions = BeamSearch(6, num_captions=num_captions, max_length=12)(
        model.step, model.state(12), 12
    )
    for image, found in enumerate(captions_of(captions)):
        assert_same_captions(found, model.beam_search(image, 6, 12)[:num_captions])


def test_the_search_stops_when_the_captions_to_return_have_ended():
    calls = []
    probability = np.zeros((6, 6))
    probability[:] = [0, 0, 0.6, 0, 0.3, 0.1]

    def step(token_ids, state):
        calls.append(len(token_ids))
        return table_step(probability)(token_ids, state)

    # Beams: END; then END and [4, END]; the rest cannot overtake them.
    for num_captions, steps in ((1, 1), (2, 2)):
        calls.clear()
        BeamSearch(3, num_captions=num_captions)(step, (), 1)
        assert calls == [3] * steps


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_all_captions_equals_enumeration(seed):
    model = HistoryModel(seed)
    search = BeamSearch(ALL_CAPTIONS + 9, num_captions=ALL_CAPTIONS + 9, max_length=4)
    captions = search(model.step, model.state(2), 2)
    assert_scores_are_the_models(captions, model)
    for image, found in enumerate(captions_of(captions)):
        # The nine surplus ones are impossible, and nothing is found twice.
        assert len(found) == ALL_CAPTIONS
        assert_same_captions(found, model.all_captions(image, 4))


@pytest.mark.parametrize("beam_size", [1, 2, 4, 10, 40])
def test_narrow_beams_never_beat_enumeration(beam_size):
    model = HistoryModel(20)
    captions = BeamSearch(beam_size, max_length=4)(model.step, model.state(15), 15)
    for image, found in enumerate(captions_of(captions)):
        assert found[0][1] <= model.all_captions(image, 4)[0][1] + 2e-5


def test_a_wider_beam_has_a_worse_best_where_pruning_cuts_the_better_one():
    # 4 leads to 6 ... 15 of .051 each, all followed by END; 5 to 16 and 17 of .245 each, which
    # lead to 18 ... 27 of .0245, all followed by END. Width 1 follows 4; for width 2 the words
    # after 5 are better and 4 is pruned; width 3 keeps one word after 4.
    probability = np.zeros((28, 28))
    probability[1, [4, 5]] = 0.51, 0.49
    probability[4, 6:16] = 0.1
    probability[5, 16:18] = 0.5
    probability[16:18, 18:28] = 0.1
    probability[[*range(6, 16), *range(18, 28)], 2] = 1
    best = {}
    for beam_size in (1, 2, 3, 60):
        captions = BeamSearch(beam_size)(table_step(probability), (), 1)
        best[beam_size] = captions_of(captions)[0][0][0]
    assert best == {1: (4, 6, 2), 2: (5, 16, 18, 2), 3: (4, 6, 2), 60: (4, 6, 2)}
    after_two = BeamSearch(2, num_captions=2, max_length=2)(table_step(probability), (), 1)
    assert [tokens for tokens, _ in captions_of(after_two)[0]] == [(5, 16), (5, 17)]


def test_beam_one_is_greedy_search():
    for seed in range(3):
        model = HistoryModel(seed, vocabulary_size=12)
        prefix = np.array([[5, 3], [6, 0], [0, 0], [0, 0]] * 8)
        for words in (None, prefix):
            beam = BeamSearch(1, max_length=8)(model.step, model.state(32), 32, words)
            greedy = GreedySearch(max_length=8)(model.step, model.state(32), 32, words)
            for one, other in zip(beam, greedy):
                np.testing.assert_array_equal(one, other)


def test_beam_one_is_greedy_search_on_ties():
    step = table_step(np.full((7, 7), 1 / 7))
    for end_id in (2, 6):
        beam = BeamSearch(1, max_length=5, end_id=end_id)(step, (), 2)
        greedy = GreedySearch(max_length=5, end_id=end_id)(step, (), 2)
        np.testing.assert_array_equal(beam.token_ids, greedy.token_ids)


def test_equal_scores_go_to_the_better_beam_then_to_the_smaller_token():
    # All tokens have 1/8. After one step: END, 4, 5. END keeps 1/8; of the extensions of 4 and 5,
    # all of 1/64, the first two of 4 come first.
    captions = BeamSearch(3, num_captions=3, max_length=2)(
        table_step(np.full((8, 8), 1 / 8)), (), 1
    )
    assert [tokens for tokens, _ in captions_of(captions)[0]] == [(2,), (4, 2), (4, 4)]


def test_an_ended_beam_goes_before_an_equal_extension_of_a_worse_one():
    # END .4 and 4 .4 at first, then 4 is followed by END with certainty: both are worth .4.
    probability = np.zeros((6, 6))
    probability[1, [2, 4, 5]] = 0.4, 0.4, 0.2
    probability[[4, 5], 2] = 1
    captions = BeamSearch(2, num_captions=2, max_length=3)(table_step(probability), (), 1)
    assert [tokens for tokens, _ in captions_of(captions)[0]] == [(2,), (4, 2)]


def test_a_retired_beam_keeps_its_score_and_its_slot():
    # After START: END .3, 4 .7; after 4: 4 .9, 5 .1; after 5: 5. With two beams the slot of END,
    # .3, is never given up for 4 5, .07; the other holds 4 4 4 4.
    probability = np.zeros((6, 6))
    probability[1, [2, 4]] = 0.3, 0.7
    probability[4, [4, 5]] = 0.9, 0.1
    probability[5, 5] = 1
    captions = BeamSearch(2, num_captions=2, max_length=4)(table_step(probability), (), 1)
    found = captions_of(captions)[0]
    assert [tokens for tokens, _ in found] == [(4, 4, 4, 4), (2,)]
    np.testing.assert_allclose(
        np.exp([score for _, score in found]), [0.7 * 0.9**3, 0.3], rtol=1e-6
    )


def test_a_retired_beam_is_given_up_for_better_captions():
    # END .3 at first; with a beam of two, 4 5 and 4 6 of .35 both overtake it.
    probability = np.zeros((7, 7))
    probability[1, [2, 4]] = 0.3, 0.7
    probability[4, [5, 6]] = 0.5
    probability[[5, 6], 2] = 1
    captions = BeamSearch(2, num_captions=2)(table_step(probability), (), 1)
    assert [tokens for tokens, _ in captions_of(captions)[0]] == [(4, 5, 2), (4, 6, 2)]


@pytest.mark.parametrize("seed", range(3))
def test_forbidden_tokens_never_appear_however_likely(seed):
    model = HistoryModel(seed)
    model.table[:, [0, 1, 3]] += 8
    captions = BeamSearch(5, num_captions=5)(model.step, model.state(4), 4)
    token_ids = np.array(captions.token_ids)
    assert not np.isin(token_ids, (1, 3)).any()
    assert_scores_are_the_models(captions, model)


def test_prefixes_of_different_lengths_are_continued_by_the_definition():
    model = HistoryModel(7)
    prefix = np.array([[6, 3, 4, 5], [3, 0, 0, 0], [0, 0, 0, 0], [5, 4, 0, 0]])
    captions = BeamSearch(4, num_captions=4, max_length=6)(model.step, model.state(4), 4, prefix)
    assert_scores_are_the_models(captions, model)
    for image, found in enumerate(captions_of(captions)):
        words = tuple(int(word) for word in prefix[image] if word)
        assert_same_captions(found, model.beam_search(image, 4, 6, words))


def test_a_wide_beam_continues_a_prefix_exactly():
    model = HistoryModel(8)
    captions = BeamSearch(50, num_captions=50, max_length=5)(
        model.step, model.state(2), 2, [[4, 6], [5, 3]]
    )
    for image, prefix in enumerate([(4, 6), (5, 3)]):
        # 1 + 3 + 9 ended and 27 cut continuations.
        found = captions_of(captions)[image]
        assert len(found) == 40
        assert_same_captions(found, model.all_captions(image, 5, prefix))


def test_a_prefix_as_long_as_captions_may_be_is_returned_alone():
    model = HistoryModel(9)
    captions = BeamSearch(3, num_captions=3, max_length=2)(model.step, model.state(1), 1, [[3, 5]])
    assert [tokens for tokens, _ in captions_of(captions)[0]] == [(3, 5)]
    assert_scores_are_the_models(captions, model)


def test_a_beam_wider_than_the_captions_there_are_is_filled_with_impossible_ones():
    # One word: 1 to 3 of it, or none.
    probability = np.full((5, 5), 0.2)
    captions = BeamSearch(8, num_captions=8, max_length=3)(table_step(probability), (), 2)
    for found in captions_of(captions):
        assert [tokens for tokens, _ in found] == [(2,), (4, 2), (4, 4, 2), (4, 4, 4)]
    assert np.isneginf(np.array(captions.log_prob)[:, 4:]).all()
    assert not np.array(captions.token_ids)[:, 4:].any()
    assert not np.array(captions.token_log_probs)[:, 4:].any()


def test_length_normalisation_ranks_the_final_beam_by_log_probability_per_token():
    model = HistoryModel(10)
    plain = BeamSearch(6, num_captions=6, max_length=5)(model.step, model.state(20), 20)
    per_token = BeamSearch(6, num_captions=3, max_length=5, length_normalization=True)(
        model.step, model.state(20), 20
    )
    changed = 0
    for beam, ranked in zip(captions_of(plain), captions_of(per_token)):
        expected = sorted(beam, key=lambda caption: -caption[1] / len(caption[0]))[:3]
        assert_same_captions(ranked, expected)
        changed += expected != beam[:3]
    assert changed


def test_length_normalisation_waits_for_longer_captions():
    # END alone is worth .5, and 4 5 END .4, which is the cube root of .4, .74, a token.
    probability = np.zeros((6, 6))
    probability[1, [2, 4, 5]] = 0.5, 0.4, 0.1
    probability[4, 5] = probability[5, 2] = 1
    for normalise, expected in ((False, (2,)), (True, (4, 5, 2))):
        captions = BeamSearch(2, length_normalization=normalise)(table_step(probability), (), 1)
        assert captions_of(captions)[0][0][0] == expected


@pytest.mark.parametrize("normalise", [False, True])
def test_captions_are_distinct_and_sorted(normalise):
    model = HistoryModel(11, vocabulary_size=9)
    captions = BeamSearch(8, num_captions=8, length_normalization=normalise)(
        model.step, model.state(5), 5
    )
    for found in captions_of(captions):
        assert len({tokens for tokens, _ in found}) == 8
        rank = [score / len(tokens) if normalise else score for tokens, score in found]
        assert (np.diff(rank) <= 1e-6).all()


def test_nested_state_of_any_type_follows_its_beam():
    model = HistoryModel(12)

    def step(token_ids, state):
        (plain, (copies, empty)) = state
        logits, after = model.step(token_ids, plain)
        # The same hash in a float matrix: it must have come along.
        tf.debugging.assert_equal(copies[:, 1], tf.cast(plain["hash"], tf.float32))
        return logits, (
            after,
            (tf.stack([copies[:, 0], tf.cast(after["hash"], tf.float32)], 1), empty),
        )

    hashes = model.state(3)["hash"]
    state = (model.state(3), (np.stack([hashes * 0, hashes], 1).astype(np.float32), ()))
    found = BeamSearch(4, num_captions=4, max_length=6)(step, state, 3)
    expected = BeamSearch(4, num_captions=4, max_length=6)(model.step, model.state(3), 3)
    np.testing.assert_array_equal(found.token_ids, expected.token_ids)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_scored_in_single_precision(dtype):
    model = HistoryModel(13)
    model.table = np.array(tf.cast(tf.cast(model.table, dtype), tf.float32))

    def step(token_ids, state):
        logits, state = model.step(token_ids, state)
        return tf.cast(logits, dtype), state

    captions = BeamSearch(5, num_captions=5)(step, model.state(3), 3)
    assert captions.log_prob.dtype == captions.token_log_probs.dtype == tf.float32
    assert_scores_are_the_models(captions, model)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
def test_graphs_of_any_batch_size_give_the_same_captions(jit_compile, normalise):
    model = HistoryModel(14)
    search = BeamSearch(5, num_captions=3, length_normalization=normalise, max_length=7)

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


@pytest.mark.parametrize("jit_compile", [False, True])
def test_graphs_of_a_known_batch_size_give_the_same_captions(jit_compile):
    model = HistoryModel(15)
    search = BeamSearch(30, num_captions=30, max_length=3)
    decode = tf.function(
        lambda: search(model.step, model.state(2), 2), jit_compile=jit_compile, autograph=False
    )
    captions, expected = decode(), search(model.step, model.state(2), 2)
    assert captions.token_ids.shape == (2, 30, 3)
    np.testing.assert_array_equal(captions.token_ids, expected.token_ids)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"beam_size": 3, "num_captions": 4}, "num_captions=4, beam_size=3"),
        ({"beam_size": 0}, "beam_size=0"),
        ({"num_captions": 0}, "num_captions=0"),
        ({"max_length": 0}, "max_length=0"),
    ],
)
def test_bad_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        BeamSearch(**arguments)
