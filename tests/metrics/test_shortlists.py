"""Ranks within shortlists against the definition, and against ranks among everything."""

import numpy as np
import pytest

from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.metrics.shortlist_ranks import shortlist_ranks


def by_definition(scores, image_of_sentence, shortlists):
    """One query at a time: its true sentences and those of the listed images, sorted."""
    ranks, counts = [], []
    for image, shortlist in enumerate(shortlists):
        candidates = [
            sentence
            for sentence, own in enumerate(image_of_sentence)
            if own == image or own in shortlist
        ]
        # Wrong ones before right ones of the same score.
        candidates.sort(key=lambda s: (-scores[image, s], image_of_sentence[s] == image))
        right = [
            place
            for place, sentence in enumerate(candidates)
            if image_of_sentence[sentence] == image
        ]
        if right:
            # Tied right sentences do not stand in each other's way.
            best = candidates[right[0]]
            ranks.append(
                1
                + sum(
                    image_of_sentence[s] != image and scores[image, s] >= scores[image, best]
                    for s in candidates
                )
            )
            counts.append(len(candidates))
    return ranks, counts


@pytest.mark.parametrize("seed", range(8))
def test_ranks_are_those_of_the_definition_with_ties(seed):
    random = np.random.default_rng(seed)
    num_images, num_sentences = random.integers(2, 30), random.integers(1, 60)
    image_of_sentence = random.integers(0, num_images, num_sentences)
    scores = random.integers(0, 5, (num_images, num_sentences)).astype(np.float32)
    shortlists = random.integers(0, num_images, (num_images, random.integers(1, 6)))
    found = shortlist_ranks(scores, image_of_sentence, shortlists)
    ranks, counts = by_definition(scores, image_of_sentence, shortlists)
    assert found.ranks.tolist() == ranks
    assert found.num_candidates.tolist() == counts


def test_a_shortlist_of_everything_gives_the_ranks_among_everything():
    random = np.random.default_rng(0)
    image_of_sentence = random.integers(0, 20, 70)
    scores = random.integers(0, 9, (20, 70)).astype(np.float64)
    found = shortlist_ranks(scores, image_of_sentence, np.tile(np.arange(20), (20, 1)))
    expected = retrieval_ranks(scores, image_of_sentence).image_to_sentence
    np.testing.assert_array_equal(found.ranks, expected)
    assert set(found.num_candidates) == {70}


def test_scores_of_other_sentences_are_not_looked_at():
    scores = np.array([[1.0, 0.0, np.nan], [5.0, 3.0, 2.0], [0.0, np.nan, 4.0]])
    found = shortlist_ranks(scores, [0, 1, 2], [[1], [1], [0]])
    assert found.ranks.tolist() == [1, 1, 1]
    assert found.num_candidates.tolist() == [2, 1, 2]


def test_nan_that_is_looked_at_is_an_error():
    with pytest.raises(ValueError, match=r"scores\[1, 0\]=nan"):
        shortlist_ranks(np.array([[1.0, 1.0], [np.nan, 1.0]]), [0, 1], [[0], [0]])


@pytest.mark.parametrize(
    ("image_of_sentence", "shortlists"), [([0], [[0], [1]]), ([0, 1], [[0]]), ([0, 1], [0, 1])]
)
def test_shapes_that_do_not_fit_are_refused(image_of_sentence, shortlists):
    with pytest.raises(ValueError, match="a shortlist an image"):
        shortlist_ranks(np.zeros((2, 2)), image_of_sentence, shortlists)
