"""Retrieval ranks against hand-made cases, the specification's fixture and sorting."""

import numpy as np
import pytest

from vsa_tf.metrics.retrieval import (
    chance_recall,
    fold_summaries,
    recall_summary,
    retrieval_ranks,
    sentence_to_sentence_ranks,
)


def fixture_scores():
    """docs/equations.md 6.4: s[i, c] = sin(1.3 i + 2.1 c) + .8 [c // 5 = i]."""
    image, sentence = np.arange(6)[:, None], np.arange(30)[None, :]
    return np.sin(1.3 * image + 2.1 * sentence) + 0.8 * (sentence // 5 == image)


def ranks_by_definition(scores, image_of_sentence):
    """One query at a time: 1 + the number of wrong items that score at least the best right one."""
    num_images, num_sentences = scores.shape
    image_ranks = []
    for image in range(num_images):
        right = image_of_sentence == image
        if right.any():
            image_ranks.append(1 + np.sum(scores[image, ~right] >= scores[image, right].max()))
    sentence_ranks = []
    for sentence in range(num_sentences):
        right = np.arange(num_images) == image_of_sentence[sentence]
        sentence_ranks.append(1 + np.sum(scores[~right, sentence] >= scores[right, sentence]))
    return image_ranks, sentence_ranks


def test_ranks_equal_the_specification_fixture():
    ranks = retrieval_ranks(fixture_scores(), np.arange(30) // 5)
    assert ranks.image_to_sentence.tolist() == [1] * 6
    zero_based = "1 0 3 1 0 2 0 3 2 0 3 0 0 3 0 4 3 0 4 3 1 4 0 1 4 0 3 0 0 3"
    assert (ranks.sentence_to_image - 1).tolist() == [int(rank) for rank in zero_based.split()]
    summary = recall_summary(ranks.sentence_to_image)
    assert summary["R@1"] == pytest.approx(40.0)
    assert summary["R@5"] == pytest.approx(100.0)
    assert summary["mean_rank"] == pytest.approx(2.6)


def test_order_of_sentences_does_not_matter():
    order = np.random.default_rng(0).permutation(30)
    ranks = retrieval_ranks(fixture_scores(), np.arange(30) // 5)
    shuffled = retrieval_ranks(fixture_scores()[:, order], (np.arange(30) // 5)[order])
    np.testing.assert_array_equal(shuffled.image_to_sentence, ranks.image_to_sentence)
    np.testing.assert_array_equal(shuffled.sentence_to_image, ranks.sentence_to_image[order])


@pytest.mark.parametrize("seed", range(8))
def test_ranks_equal_the_definition_for_ragged_sentences_and_ties(seed):
    random = np.random.default_rng(seed)
    num_images, num_sentences = random.integers(1, 600), random.integers(1, 60)
    image_of_sentence = random.integers(0, num_images, num_sentences)
    # Few distinct scores: ties everywhere. More than 255 images: several blocks.
    scores = random.integers(0, 4, (num_images, num_sentences)).astype(np.float32)
    ranks = retrieval_ranks(scores, image_of_sentence)
    image_ranks, sentence_ranks = ranks_by_definition(scores, image_of_sentence)
    assert ranks.image_to_sentence.tolist() == image_ranks
    assert ranks.sentence_to_image.tolist() == sentence_ranks


def test_a_constant_score_is_the_worst_result():
    ranks = retrieval_ranks(np.zeros((4, 8)), np.arange(8) // 2)
    # All 6 wrong sentences, or all 3 wrong images, stand before the right ones.
    assert ranks.image_to_sentence.tolist() == [7] * 4
    assert ranks.sentence_to_image.tolist() == [4] * 8


def test_tied_right_sentences_do_not_hurt():
    ranks = retrieval_ranks(np.array([[2.0, 2.0, 1.0], [0.0, 0.0, 3.0]]), [0, 0, 1])
    assert ranks.image_to_sentence.tolist() == [1, 1]


def test_image_without_sentences_is_a_candidate_but_no_query():
    ranks = retrieval_ranks(np.array([[1.0], [5.0]]), [0])
    assert ranks.image_to_sentence.tolist() == [1]
    assert ranks.sentence_to_image.tolist() == [2]


def test_infinite_scores_are_ranked():
    ranks = retrieval_ranks(np.array([[-np.inf, 0.0], [-np.inf, np.inf]]), [0, 1])
    assert ranks.image_to_sentence.tolist() == [2, 1]
    assert ranks.sentence_to_image.tolist() == [2, 1]


def test_nan_is_an_error_that_names_its_place():
    scores = np.zeros((300, 3), np.float32)
    scores[277, 1] = np.nan
    with pytest.raises(ValueError, match=r"scores\[277, 1\]=nan"):
        retrieval_ranks(scores, [0, 1, 2])


@pytest.mark.parametrize("image_of_sentence", [[0, 1], [0, 1, 2], [0, -1, 1], [0.0, 1.0, 1.0]])
def test_a_correspondence_that_does_not_fit_is_an_error(image_of_sentence):
    with pytest.raises(ValueError, match="Expected .* Received"):
        retrieval_ranks(np.zeros((2, 3)), image_of_sentence)


def test_memory_mapped_scores_give_the_same_ranks(tmp_path):
    path = tmp_path / "scores.npy"
    np.save(path, fixture_scores())
    mapped = retrieval_ranks(np.load(path, mmap_mode="r"), np.arange(30) // 5)
    ranks = retrieval_ranks(fixture_scores(), np.arange(30) // 5)
    np.testing.assert_array_equal(mapped.sentence_to_image, ranks.sentence_to_image)


def test_median_of_an_even_number_of_ranks_is_halfway():
    # Sorted 1, 2, 3, 11: between 2 and 3; one of four is 1, three are 5 or less.
    summary = recall_summary([3, 1, 11, 2])
    assert summary == {
        "R@1": 25.0,
        "R@5": 75.0,
        "R@10": 75.0,
        "median_rank": 2.5,
        "mean_rank": 4.25,
    }


@pytest.mark.parametrize("ranks", [[], [0, 1]])
def test_summary_of_nothing_or_of_zero_based_ranks_is_an_error(ranks):
    with pytest.raises(ValueError, match="1-based ranks"):
        recall_summary(ranks)


def test_folds_are_the_mean_of_separate_evaluations():
    scores, image_of_sentence = fixture_scores(), np.arange(30) // 5
    folds = fold_summaries(scores, image_of_sentence, 3)
    halves = [
        retrieval_ranks(scores[:3, :15], image_of_sentence[:15]),
        retrieval_ranks(scores[3:, 15:], image_of_sentence[15:] - 3),
    ]
    for name in ("image_to_sentence", "sentence_to_image"):
        summaries = [recall_summary(getattr(half, name)) for half in halves]
        for key, value in folds[name].items():
            assert value == pytest.approx((summaries[0][key] + summaries[1][key]) / 2)
    assert folds["num_folds"] == 2


def test_one_fold_of_all_images_is_the_full_set():
    scores, image_of_sentence = fixture_scores(), np.arange(30) // 5
    folds = fold_summaries(scores, image_of_sentence, 6)
    ranks = retrieval_ranks(scores, image_of_sentence)
    assert folds["sentence_to_image"] == recall_summary(ranks.sentence_to_image)


def test_images_after_the_last_whole_fold_take_no_part():
    scores, image_of_sentence = fixture_scores(), np.arange(30) // 5
    folds = fold_summaries(scores, image_of_sentence, 4)
    ranks = retrieval_ranks(scores[:4, :20], image_of_sentence[:20])
    assert folds["num_folds"] == 1
    assert folds["sentence_to_image"] == recall_summary(ranks.sentence_to_image)


@pytest.mark.parametrize("fold_size", [0, 7])
def test_a_fold_larger_than_the_split_is_an_error(fold_size):
    with pytest.raises(ValueError, match="fold size"):
        fold_summaries(fixture_scores(), np.arange(30) // 5, fold_size)


def sentence_ranks_by_definition(scores, image_of_sentence):
    """One query at a time: 1 + the number of wrong sentences as good as the best right one."""
    ranks, queries = [], []
    for query, image in enumerate(image_of_sentence):
        others = np.arange(len(image_of_sentence)) != query
        right = others & (image_of_sentence == image)
        if right.any():
            wrong = others & ~right
            ranks.append(1 + np.sum(scores[query, wrong] >= scores[query, right].max()))
            queries.append(query)
    return ranks, queries


@pytest.mark.parametrize("block", [1, 60, 10**6])
@pytest.mark.parametrize("seed", range(4))
def test_sentence_ranks_equal_the_definition_whatever_the_block(seed, block, monkeypatch):
    monkeypatch.setattr("vsa_tf.metrics.retrieval._BLOCK_COMPARISONS", block)
    random = np.random.default_rng(seed)
    # In any order, some images with one sentence; few distinct scores, and not symmetric.
    image_of_sentence = random.integers(0, 12, 25)
    scores = random.integers(0, 4, (25, 25)).astype(np.float32)
    found = sentence_to_sentence_ranks(lambda *rows: scores[slice(*rows)], image_of_sentence)
    ranks, queries = sentence_ranks_by_definition(scores, image_of_sentence)
    assert (found.ranks.tolist(), found.queries.tolist()) == (ranks, queries)


def test_a_sentence_never_finds_itself():
    image_of_sentence = np.arange(6) // 2
    scores = np.full((6, 6), 0.5) - np.eye(6)
    best_itself = scores + 10 * np.eye(6)
    for each in (scores, best_itself):
        found = sentence_to_sentence_ranks(lambda *rows: each[slice(*rows)], image_of_sentence)
        # The four sentences of the other images are as good as the right one.
        assert found.ranks.tolist() == [5] * 6


def test_a_sentence_alone_is_no_query_and_stays_a_candidate():
    scores = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.5], [3.0, 3.0, 0.0]])
    found = sentence_to_sentence_ranks(lambda *rows: scores[slice(*rows)], [4, 4, 9])
    assert (found.ranks.tolist(), found.queries.tolist()) == ([2, 1], [0, 1])
    alone = sentence_to_sentence_ranks(lambda *rows: scores[slice(*rows)], [0, 1, 2])
    assert alone.ranks.size == alone.queries.size == 0


def test_wrong_scores_of_sentences_are_errors():
    with pytest.raises(ValueError, match=r"scores\[1, 2\]=nan"):
        scores = np.array([[0, 1, 1], [1, 0, np.nan], [1, 1, 0]])
        sentence_to_sentence_ranks(lambda *rows: scores[slice(*rows)], [0, 0, 1])
    with pytest.raises(ValueError, match="Received: scores of shape"):
        sentence_to_sentence_ranks(lambda *rows: np.zeros((1, 2)), [0, 0, 1])
    with pytest.raises(ValueError, match="Received: image_of_sentence of type float64"):
        sentence_to_sentence_ranks(lambda *rows: np.zeros((2, 2)), [0.0, 1.0])


def test_chance_is_what_random_orders_give():
    generator = np.random.default_rng(0)
    scores = generator.random((2000, 12))
    # Four right candidates of twelve, and one.
    for num_right, k in ((4, 1), (4, 5), (1, 5), (1, 10)):
        best = np.argsort(-scores, axis=1)[:, :k]
        share = 100 * np.mean((best < num_right).any(axis=1))
        assert chance_recall(k, 12, num_right) == pytest.approx(share, abs=3)
    assert chance_recall(10, 7) == chance_recall(3, 4, 2) == 100
