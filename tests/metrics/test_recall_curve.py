"""Recall curves against recall at k and sorting."""

import numpy as np
import pytest

from vsa_tf.metrics.recall_curve import RETRIEVED, recall_curve
from vsa_tf.metrics.retrieval import recall_summary


def test_recall_at_k_is_a_point_of_the_curve():
    ranks = np.random.default_rng(0).integers(1, 1001, 500)
    curve, summary = recall_curve(ranks, 1000), recall_summary(ranks)
    # 1, 5 and 10 of 1000.
    assert curve["0.1"] == summary["R@1"]
    assert curve["0.5"] == summary["R@5"]
    assert curve["1"] == summary["R@10"]
    assert curve["0.05"] == 0 and curve["100"] == 100


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
