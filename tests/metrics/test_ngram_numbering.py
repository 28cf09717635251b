"""n-grams by numbers against n-grams counted one by one."""

import collections

import numpy as np
import pytest

from vsa_tf.metrics.ngram_numbering import MAX_ORDER, NgramNumbering


def random_captions(seed, num_captions=20, words="abcde", longest=9):
    random = np.random.default_rng(seed)
    return [
        list(random.choice(list(words), random.integers(0, longest + 1)))
        for _ in range(num_captions)
    ]


def counted(caption, order):
    return collections.Counter(
        tuple(caption[i : i + order]) for i in range(len(caption) - order + 1)
    )


def occurrences_of(occurrences, caption, order):
    start = MAX_ORDER * caption + order - 1
    return slice(*occurrences.starts[start : start + 2])


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_captions(seed):
    captions = random_captions(seed)
    for occurrences, held in (
        (NgramNumbering(captions).training, captions),
        (NgramNumbering(captions[:3]).occurrences(captions), captions),
    ):
        for caption, words in enumerate(held):
            assert occurrences.lengths[caption] == len(words)
            for order in range(1, MAX_ORDER + 1):
                rows = occurrences_of(occurrences, caption, order)
                expected = counted(words, order)
                own = dict(
                    zip(
                        occurrences.ngrams[rows].tolist(),
                        occurrences.counts[rows].tolist(),
                        strict=True,
                    )
                )
                assert sorted(own.values()) == sorted(expected.values())
                assert rows.stop - rows.start == sum(expected.values())


@pytest.mark.parametrize("known", [0, 1, 10, 20])
def test_shared_columns_are_clipped_counts_whatever_the_training_captions_hold(known):
    captions = random_captions(4)
    # Word z alone is known at first: the n-grams of the others are numbered within the call.
    occurrences = NgramNumbering([["z"], *captions[:known]]).occurrences(captions)
    for order in range(1, MAX_ORDER + 1):
        columns = [
            set(occurrences.columns[occurrences_of(occurrences, caption, order)].tolist())
            for caption in range(len(captions))
        ]
        for i, left in enumerate(captions):
            for j, right in enumerate(captions):
                clipped = counted(left, order) & counted(right, order)
                assert len(columns[i] & columns[j]) == sum(clipped.values())


def test_n_grams_of_training_captions_keep_their_numbers():
    captions = random_captions(5)
    numbering = NgramNumbering(captions)
    again = numbering.occurrences([["new", "words"], *captions])
    new = again.starts[MAX_ORDER]
    for name in ("ngrams", "counts", "columns"):
        np.testing.assert_array_equal(getattr(again, name)[new:], getattr(numbering.training, name))
    assert not set(again.columns[:new].tolist()) & set(numbering.training.columns.tolist())


def test_an_n_gram_oftener_than_in_training_is_found_as_often_as_there():
    numbering = NgramNumbering([["a", "a"]])
    known = set(numbering.training.columns.tolist())
    thrice = numbering.occurrences([["a", "a", "a"]])
    unigrams = thrice.columns[thrice.starts[0] : thrice.starts[1]]
    assert [column in known for column in unigrams.tolist()] == [True, True, False]


def test_captions_without_words_hold_nothing():
    for occurrences in (
        NgramNumbering([[], []]).training,
        NgramNumbering([["a"]]).occurrences([[], []]),
    ):
        assert occurrences.lengths.tolist() == [0, 0]
        assert occurrences.starts.tolist() == [0] * 9
        assert occurrences.columns.size == 0
    assert NgramNumbering([["a"]]).occurrences([]).starts.tolist() == [0]


def test_a_caption_that_is_no_list_is_an_error():
    with pytest.raises(ValueError, match="lists of tokens.*'a dog'"):
        NgramNumbering(["a dog"])
    with pytest.raises(ValueError, match="lists of tokens"):
        NgramNumbering([["a"]]).occurrences([["a"], None])
