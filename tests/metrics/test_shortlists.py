"""Ranks within shortlists against the definition, and against ranks among everything."""

import numpy as np
import pytest

from vsa_tf.metrics.retrieval import recall_summary, retrieval_ranks
from vsa_tf.metrics.shortlists import RETRIEVED, match_curve, match_ranks, recall_curve


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
    found = match_ranks(scores, image_of_sentence, shortlists).best()
    ranks, counts = by_definition(scores, image_of_sentence, shortlists)
    assert found.ranks.tolist() == ranks
    assert found.num_candidates.tolist() == counts


def test_a_shortlist_of_everything_gives_the_ranks_among_everything():
    random = np.random.default_rng(0)
    image_of_sentence = random.integers(0, 20, 70)
    scores = random.integers(0, 9, (20, 70)).astype(np.float64)
    found = match_ranks(scores, image_of_sentence).best()
    expected = retrieval_ranks(scores, image_of_sentence).image_to_sentence
    np.testing.assert_array_equal(found.ranks, expected)
    assert set(found.num_candidates) == {70}


def test_scores_of_other_sentences_are_not_looked_at():
    scores = np.array([[1.0, 0.0, np.nan], [5.0, 3.0, 2.0], [0.0, np.nan, 4.0]])
    found = match_ranks(scores, [0, 1, 2], [[1], [1], [0]])
    assert found.ranks.tolist() == [1, 1, 1]
    assert found.num_candidates.tolist() == [2, 1, 2]


def test_nan_that_is_looked_at_is_an_error():
    with pytest.raises(ValueError, match=r"scores\[1, 0\]=nan"):
        match_ranks(np.array([[1.0, 1.0], [np.nan, 1.0]]), [0, 1], [[0], [0]])


@pytest.mark.parametrize(
    ("image_of_sentence", "shortlists"), [([0], [[0], [1]]), ([0, 1], [[0]]), ([0, 1], [0, 1])]
)
def test_shapes_that_do_not_fit_are_refused(image_of_sentence, shortlists):
    with pytest.raises(ValueError, match="a shortlist an image"):
        match_ranks(np.zeros((2, 2)), image_of_sentence, shortlists)


def test_recall_at_k_is_a_point_of_the_curve():
    ranks = np.random.default_rng(0).integers(1, 1001, 500)
    curve, summary = recall_curve(ranks, 1000), recall_summary(ranks)
    # 1, 5 and 10 of 1000.
    assert curve["0.1"] == summary["R@1"]
    assert curve["0.5"] == summary["R@5"]
    assert curve["1"] == summary["R@10"]
    assert curve["0.05"] == 0 and curve["100"] == 100


@pytest.mark.parametrize("seed", range(4))
def test_matches_are_those_among_the_first_of_a_sorted_list(seed):
    random = np.random.default_rng(seed)
    scores = random.permuted(np.tile(np.arange(90.0), (30, 1)), axis=1)  # no ties
    image_of_sentence = random.integers(0, 30, 90)
    asking = np.unique(image_of_sentence)
    matches = match_ranks(scores, image_of_sentence)
    assert len(matches.ranks) == 90
    order = np.argsort(-scores, axis=1)
    for share, number in match_curve(matches).items():
        first = int(np.floor(90 * float(share) / 100))
        found = [np.sum(image_of_sentence[order[image, :first]] == image) for image in asking]
        assert number == pytest.approx(np.mean(found)), share


def test_every_match_counts_where_recall_counts_the_best():
    # Of image 0 the first, the second and the last of four; image 1 finds its own first.
    scores = np.array([[9.0, 8.0, 0.0, 5.0], [0.0, 0.0, 0.0, 1.0]])
    matches = match_ranks(scores, [0, 0, 0, 1])
    assert matches.ranks.tolist() == [1, 2, 4, 1]
    curve = match_curve(matches)
    assert (curve["20"], curve["50"], curve["100"]) == (0, (2 + 1) / 2, (3 + 1) / 2)
    best = matches.best()
    assert recall_curve(best.ranks, best.num_candidates)["50"] == 100


@pytest.mark.parametrize("seed", range(4))
def test_curve_is_what_is_found_among_the_first_of_a_sorted_list(seed):
    random = np.random.default_rng(seed)
    scores = random.permuted(np.tile(np.arange(137.0), (40, 1)), axis=1)
    right = random.integers(0, 137, 40)
    order = np.argsort(-scores, axis=1)
    ranks = 1 + np.argmax(order == right[:, None], axis=1)
    for share, recall in recall_curve(ranks, 137).items():
        first = int(np.floor(137 * float(share) / 100))
        found = [query in row[:first] for query, row in zip(right, order)]
        assert recall == pytest.approx(100 * np.mean(found)), share


def test_each_query_has_its_own_number_of_candidates():
    # A tenth of 10, of 20 and of 30 is 1, 2 and 3 items: the last is found a place later.
    curve = recall_curve([1, 2, 4], [10, 20, 30])
    assert curve["5"] == 0
    assert curve["10"] == pytest.approx(200 / 3)
    assert curve["20"] == 100


def test_shares_are_exact_where_they_are_no_binary_fractions():
    for share in RETRIEVED:
        # So many of 10,000 are just within the share, one more is not.
        rank = round(100 * share)
        name = f"{share:g}"
        assert recall_curve([rank], 10_000)[name] == 100
        assert recall_curve([rank + 1], 10_001)[name] == (100 if share == 100 else 0)


@pytest.mark.parametrize(
    ("ranks", "num_candidates", "message"),
    [
        ([], 5, "non-empty"),
        ([1, 2], [5, 5, 5], "one number of candidates"),
        ([0, 2], 5, "from 0 to 2"),
        ([1, 6], 5, "from 1 to 6"),
        ([3, 3], [3, 2], "from 3 to 3"),
    ],
)
def test_ranks_that_are_none_are_refused(ranks, num_candidates, message):
    with pytest.raises(ValueError, match=message):
        recall_curve(ranks, num_candidates)
