"""The chain's dynamic programme against enumeration of all assignments."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.decoding.segment_alignment import (
    batch_segment_alignment,
    segment_alignment,
    smooth_alignment,
    snippet_numbers,
    snippets,
)


def best_by_enumeration(scores, beta):
    """The first best assignment in lexicographic order, as `itertools.product` lists them."""
    num_words, num_regions = scores.shape

    def total(assignment):
        agreements = sum(a == b for a, b in zip(assignment, assignment[1:]))
        return sum(scores[j, a] for j, a in enumerate(assignment)) + beta * agreements

    return list(max(itertools.product(range(num_regions), repeat=num_words), key=total))


@pytest.mark.parametrize("seed", range(25))
def test_alignment_equals_enumeration_with_ties(seed):
    random = np.random.default_rng(seed)
    # Small integers: sums are exact and ties frequent.
    scores = random.integers(0, 4, (random.integers(1, 6), random.integers(1, 5))).astype(float)
    beta = float(random.integers(0, 4)) / 2
    assert segment_alignment(scores, beta).tolist() == best_by_enumeration(scores, beta)


def test_beta_zero_is_the_best_region_of_each_word():
    scores = np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32)
    np.testing.assert_array_equal(segment_alignment(scores, 0), scores.argmax(axis=1))


def test_large_beta_gives_the_best_single_region():
    scores = np.random.default_rng(1).standard_normal((12, 20))
    assert segment_alignment(scores, 1e3).tolist() == [scores.sum(axis=0).argmax()] * 12


def test_equal_assignments_start_with_the_smaller_region():
    assert segment_alignment(np.zeros((3, 4)), 0.0).tolist() == [0, 0, 0]
    # [0, 1], [0, 0] and [1, 1] are worth 2 each with beta = 1: [0, 0] comes first.
    assert segment_alignment(np.eye(2), 1.0).tolist() == [0, 0]


def test_masked_regions_are_never_taken():
    scores = np.array([[9.0, 1.0, 0.0], [9.0, 0.0, 1.0]])
    mask = [False, True, True]
    assert segment_alignment(scores, 0.5, mask).tolist() == [1, 2]
    scores[:, 0] = np.nan
    assert segment_alignment(scores, 0.5, mask).tolist() == [1, 2]


def test_batch_equals_sentences_one_by_one_whatever_the_padding_holds():
    random = np.random.default_rng(2)
    scores = random.standard_normal((4, 7, 5)).astype(np.float32)
    lengths = np.array([7, 3, 0, 1], np.int32)
    mask = random.random((4, 5)) < 0.7
    mask[:, 2] = True
    for junk in (np.nan, 1e9):
        padded = np.where(np.arange(7)[None, :, None] < lengths[:, None, None], scores, junk)
        padded = np.where(mask[:, None, :], padded, junk).astype(np.float32)
        batch = batch_segment_alignment(padded, lengths, 0.6, mask)
        for row, length in enumerate(lengths):
            alone = segment_alignment(scores[row, :length], 0.6, mask[row])
            np.testing.assert_array_equal(batch[row, :length], alone)
            assert (batch[row, length:] == -1).all()


def test_image_without_regions_has_no_alignment():
    batch = batch_segment_alignment(
        np.zeros((2, 3, 2), np.float32), [3, 3], 1.0, np.array([[False, False], [False, True]])
    )
    assert batch.tolist() == [[-1, -1, -1], [1, 1, 1]]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a TensorFlow graph")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_graph_of_unknown_lengths_gives_the_same(jit_compile):
    random = np.random.default_rng(3)
    scores = random.standard_normal((4, 6, 5)).astype(np.float32)
    lengths, mask = np.array([6, 3, 0, 1], np.int32), np.arange(5) < [[5], [2], [3], [4]]
    graph = tf.function(
        lambda scores, lengths, mask: batch_segment_alignment(
            scores, lengths, 0.4, mask, keras.ops
        ),
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, None], tf.bool),
        ],
        jit_compile=jit_compile,
        autograph=False,
    )
    np.testing.assert_array_equal(
        graph(scores, lengths, mask).numpy(), batch_segment_alignment(scores, lengths, 0.4, mask)
    )


def test_no_words_have_no_alignment():
    assert segment_alignment(np.zeros((0, 3)), 1.0).tolist() == []
    assert snippets([], np.zeros((0, 3)), np.zeros((3, 4))) == []


def test_snippets_merge_neighbours_only_and_keep_the_score():
    scores = np.array([[1, 9], [2, 9], [9, 4], [8, 9]], float)
    boxes = np.array([[0, 0, 1, 1], [0.5, 0, 1, 0.25]])
    found = snippets([0, 0, 1, 0], scores, boxes)
    assert found == [
        ((0, 0, 1, 1), 0, 0, 1, 3.0),
        ((0.5, 0, 1, 0.25), 1, 2, 2, 4.0),
        ((0, 0, 1, 1), 0, 3, 3, 8.0),
    ]


def test_snippets_cover_every_word_once():
    scores = np.random.default_rng(4).standard_normal((15, 6))
    found = snippets(segment_alignment(scores, 0.8), scores, np.zeros((6, 4)))
    words = [w for snippet in found for w in range(snippet.first_word, snippet.last_word + 1)]
    assert words == list(range(15))


def test_padding_ends_the_snippets():
    found = snippets([1, -1, -1], np.ones((3, 2)), np.zeros((2, 4)))
    assert [(s.first_word, s.last_word) for s in found] == [(0, 0)]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros((2, 3)), -1.0), "beta=-1.0"),
        ((np.zeros((2, 3)), np.nan), "beta=nan"),
        ((np.array([[np.nan]]), 1.0), "without NaN"),
        ((np.zeros(3), 1.0), r"\[words, regions\]"),
        ((np.zeros((2, 3)), 1.0, [False] * 3), "0 real regions"),
        ((np.zeros((2, 3)), 1.0, [True]), "one flag per region"),
    ],
)
def test_bad_arguments_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        segment_alignment(*arguments)


def test_snippets_of_another_sentence_are_an_error():
    with pytest.raises(ValueError, match="Received: assignment"):
        snippets([0, 5], np.zeros((2, 3)), np.zeros((3, 4)))


@pytest.mark.parametrize("smoothness", [0, 0.25, 1])
@pytest.mark.parametrize("seed", range(4))
def test_smoothness_is_in_shares_of_the_mean_best_score(seed, smoothness):
    random = np.random.default_rng(seed)
    scores = random.standard_normal((4, 6, 5)).astype(np.float32)
    lengths, mask = np.array([6, 3, 1, 4], np.int32), np.arange(5) < [[5], [2], [3], [1]]
    found = smooth_alignment(scores, lengths, smoothness, mask)
    of_tensors = smooth_alignment(scores, lengths, smoothness, mask, keras.ops)
    assert (keras.ops.convert_to_numpy(of_tensors) == found).all()
    for row, length in enumerate(lengths):
        own = scores[row, :length, mask[row]].T.astype(float)
        beta = smoothness * np.abs(own.max(axis=1)).mean()
        assert found[row, :length].tolist() == best_by_enumeration(own, beta)
        assert (found[row, length:] == -1).all()


def test_smoothness_means_the_same_whatever_the_scale_of_the_scores():
    random = np.random.default_rng(5)
    scores = random.standard_normal((3, 7, 4)).astype(np.float32)
    lengths, mask = np.array([7, 2, 5], np.int32), np.ones((3, 4), bool)
    expected, *others = (
        smooth_alignment(scores * scale, lengths, 0.5, mask).tolist()
        for scale in (1, 2**-20, 2**20)
    )
    assert others == [expected] * 2
    # What stands at padding has no part in the mean, and a NaN there does no harm.
    padded = np.where(np.arange(7)[None, :, None] < lengths[:, None, None], scores, np.nan)
    found = smooth_alignment(padded, lengths, 0.5, mask)
    assert found.tolist() == expected


def test_sentences_without_words_have_no_alignment():
    scores, mask = np.ones((2, 3, 2), np.float32), np.ones((2, 2), bool)
    for xp in (np, keras.ops):
        found = keras.ops.convert_to_numpy(smooth_alignment(scores, [0, 2], 0.5, mask, xp))
        assert found.tolist() == [[-1, -1, -1], [0, 0, -1]]


def test_scores_of_zero_are_aligned_to_the_first_region():
    found = smooth_alignment(np.zeros((1, 3, 2), np.float32), [3], 0.5, np.ones((1, 2), bool))
    assert found.tolist() == [[0, 0, 0]]


def test_snippets_are_numbered_by_runs_of_one_region():
    assignment = [[4, 4, 0, 4, 4], [1, 1, -1, -1, -1], [2, 0, 1, -1, -1], [-1] * 5]
    expected = [[0, 0, 1, 2, 2], [0, 0, -1, -1, -1], [0, 1, 2, -1, -1], [-1] * 5]
    assert snippet_numbers(assignment).tolist() == expected
    of_tensors = snippet_numbers(keras.ops.array(assignment), keras.ops)
    assert keras.ops.convert_to_numpy(of_tensors).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_snippet_numbers_are_those_of_the_snippets(seed):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 9, 6)
    assignment = np.where(np.arange(8) < lengths[:, None], random.integers(0, 3, (6, 8)), -1)
    numbers = snippet_numbers(assignment)
    for row, length in enumerate(lengths):
        found = snippets(assignment[row], np.zeros((8, 3)), np.zeros((3, 4)))
        runs = [[n] * (each.last_word - each.first_word + 1) for n, each in enumerate(found)]
        assert numbers[row].tolist() == [*sum(runs, []), *[-1] * (8 - length)]
