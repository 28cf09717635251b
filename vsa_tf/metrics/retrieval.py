"""Retrieval ranks and recall, across modalities and among sentences, by a correspondence vector."""

from typing import NamedTuple

import numpy as np

RECALL_AT = (1, 5, 10)

# Rows are compared a block at a time: a block of 4 MiB of flags stays in cache.
_BLOCK_COMPARISONS = 1 << 22


class RetrievalRanks(NamedTuple):
    """Ranks of all queries in both directions, 1-based: 1 is a perfect answer.

    Attributes:
        image_to_sentence: int64 `[Q]`; one rank per image that has at least one sentence, in the
            order of the images.
        sentence_to_image: int64 `[M]`; one rank per sentence.
    """

    image_to_sentence: np.ndarray
    sentence_to_image: np.ndarray


class SentenceRanks(NamedTuple):
    """Ranks of sentences that look for the other sentences of their image, 1-based.

    Attributes:
        ranks: int64 `[Q]`.
        queries: int64 `[Q]`; the sentences that asked, ascending. A sentence that is the only one
            of its image has nothing to find and is left out.
    """

    ranks: np.ndarray
    queries: np.ndarray


def retrieval_ranks(scores, image_of_sentence):
    """Ranks the true answers of every image and every sentence.

    The rank of a query is the rank of its best true match. Ties count against us: a wrong item with
    the score of the best right one stands before it, while tied right items do not hurt. An image
    without sentences asks nothing, but remains a candidate (and a wrong one) for every sentence.

    Nothing of the size of `scores` is allocated and nothing is sorted, so a memory-mapped matrix
    works as well as one in memory.

    Args:
        scores: float `[N, M]`; similarity of image and sentence, larger is more similar.
        image_of_sentence: int `[M]`; the row of each sentence's image. Any number of sentences per
            image, in any order.

    Returns:
        A `RetrievalRanks`.

    Raises:
        ValueError: on a NaN score, or if shapes or indices do not fit.

    Example:

    >>> ranks = retrieval_ranks(np.array([[3., 1., 2.], [0., 2., 2.]]), [0, 0, 1])
    >>> ranks.image_to_sentence.tolist(), ranks.sentence_to_image.tolist()
    ([1, 2], [1, 2, 2])

    Reference: the protocol of Karpathy and Fei-Fei, 2015 (DVSA), with pessimistic ties.
    """
    scores, image_of_sentence = _checked(scores, image_of_sentence)
    num_images, num_sentences = scores.shape
    true_score = np.asarray(scores[image_of_sentence, np.arange(num_sentences)])
    best_score = np.full(num_images, -np.inf, scores.dtype)
    np.maximum.at(best_score, image_of_sentence, true_score)

    at_least_best = np.zeros(num_images, np.int64)
    at_least_true = np.zeros(num_sentences, np.int64)
    # 255 rows at most, so that a column's count fits the fast 8-bit sum.
    rows = int(np.clip(_BLOCK_COMPARISONS // num_sentences, 1, 255))
    for start in range(0, num_images, rows):
        block = np.asarray(scores[start : start + rows])
        if np.isnan(np.max(block)):
            _raise_nan(block, start)
        flags = block >= best_score[start : start + rows, None]
        at_least_best[start : start + rows] = np.count_nonzero(flags, axis=1)
        np.greater_equal(block, true_score, out=flags)
        at_least_true += flags.view(np.uint8).sum(axis=0, dtype=np.uint8)

    # Right answers among those counted: the best one and those tied with it.
    is_best = true_score >= best_score[image_of_sentence]
    right = np.bincount(image_of_sentence[is_best], minlength=num_images)
    image_ranks = 1 + at_least_best - right
    has_sentences = np.bincount(image_of_sentence, minlength=num_images) > 0
    return RetrievalRanks(image_ranks[has_sentences], at_least_true)


def sentence_to_sentence_ranks(score_rows, image_of_sentence):
    """Ranks, for every sentence, the best other sentence of the same image.

    The candidates are all sentences but the query itself. Ties count against us, as in
    `retrieval_ranks`: a wrong sentence with the score of the best right one stands before it.

    Args:
        score_rows: function `(first, last)` to float `[last - first, M]`; the similarity of
            sentences `first` to `last - 1` with every sentence, larger is more similar. A
            sentence's score with itself does not matter. Blocks of rows are asked for one after
            another, so that `M x M` scores need never exist.
        image_of_sentence: int `[M]`; the image of each sentence, in any order.

    Returns:
        A `SentenceRanks`.

    Raises:
        ValueError: on a NaN score, or if shapes do not fit.

    Example:

    >>> scores = np.array([[9., 1., 2.], [1., 9., 0.], [2., 0., 9.]])
    >>> sentence_to_sentence_ranks(lambda first, last: scores[first:last], [0, 0, 1])
    SentenceRanks(ranks=array([2, 1]), queries=array([0, 1]))

    Reference: T section 5.5.
    """
    image_of_sentence = np.asarray(image_of_sentence)
    if image_of_sentence.ndim != 1 or not np.issubdtype(image_of_sentence.dtype, np.integer):
        raise ValueError(
            "Expected one integer image index per sentence. Received: image_of_sentence of type "
            f"{image_of_sentence.dtype}, shape {image_of_sentence.shape}"
        )
    num_sentences = len(image_of_sentence)
    ranks = np.zeros(num_sentences, np.int64)
    has_other = np.zeros(num_sentences, bool)
    block = max(1, _BLOCK_COMPARISONS // max(1, num_sentences))
    for first in range(0, num_sentences, block):
        last = min(first + block, num_sentences)
        scores = np.asarray(score_rows(first, last))
        if scores.shape != (last - first, num_sentences):
            raise ValueError(
                f"Expected scores [{last - first}, {num_sentences}] of sentences {first} to "
                f"{last - 1} with all. Received: scores of shape {scores.shape}"
            )
        if np.isnan(np.max(scores)):
            _raise_nan(scores, first)
        same = np.flatnonzero(image_of_sentence[first:last, None] == image_of_sentence)
        row, column = np.divmod(same, num_sentences)
        same_image, is_other = scores[row, column], column != first + row
        best = np.full(last - first, -np.inf)
        np.maximum.at(best, row[is_other], same_image[is_other])
        at_least_best = np.count_nonzero(scores >= best[:, None].astype(scores.dtype), axis=1)
        # Counted among those, and not wrong: the right sentences, and the query itself.
        not_wrong = np.bincount(row[same_image >= best[row]], minlength=last - first)
        ranks[first:last] = 1 + at_least_best - not_wrong
        has_other[first:last] = np.bincount(row) > 1
    return SentenceRanks(ranks[has_other], np.flatnonzero(has_other))


def recall_summary(ranks):
    """Recall at 1, 5 and 10, median and mean of 1-based ranks.

    Args:
        ranks: int `[Q]`; the ranks of one direction of `RetrievalRanks`.

    Returns:
        A dict of floats: `"R@1"`, `"R@5"`, `"R@10"` in percent, `"median_rank"` (halves are
        possible) and `"mean_rank"`.

    Raises:
        ValueError: if there is no query, or a rank below 1.

    Example:

    >>> recall_summary([1, 2, 6, 20])["R@5"], recall_summary([1, 2, 6, 20])["median_rank"]
    (50.0, 4.0)
    """
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or ranks.size == 0 or ranks.min() < 1:
        raise ValueError(
            "Expected a non-empty vector of 1-based ranks: evaluate a split with at least one "
            f"sentence. Received: ranks of shape {ranks.shape}, ranks={ranks[:5]}"
        )
    summary = {f"R@{k}": recall for k, recall in recalls_at(ranks, RECALL_AT).items()}
    summary["median_rank"] = float(np.median(ranks))
    summary["mean_rank"] = float(np.mean(ranks))
    return summary


def recalls_at(ranks, places):
    """Returns the R@k, in percent, at each of the places k, a dict of k to float.

    Args:
        ranks: int `[Q]`, 1-based; at least one.
        places: ints.

    Example:

    >>> recalls_at([1, 2, 6, 20], [1, 6, 10])
    {1: 25.0, 6: 75.0, 10: 75.0}
    """
    found = np.searchsorted(np.sort(ranks), places, side="right")
    return {k: 100.0 * (count / len(ranks)) for k, count in zip(places, found.tolist())}


def chance_recall(k, num_candidates, num_right=1):
    """Returns the R@k, in percent, that is expected of candidates in random order.

    Args:
        k: how many come first.
        num_candidates: of a query.
        num_right: of them, 1 or more; their mean need not be whole.

    Example: five sentences of each of two photographs.

    >>> chance_recall(1, 10, 5), chance_recall(5, 100)
    (50.0, 5.0)
    """
    missed = 1.0
    for place in range(min(k, num_candidates)):
        missed *= max(0.0, num_candidates - num_right - place) / (num_candidates - place)
    return round(100 * (1 - missed), 9)


def fold_summaries(scores, image_of_sentence, fold_size):
    """Mean over folds of the recall summaries: the "1K" protocol for `fold_size=1000`.

    Fold f holds images `f * fold_size` to `(f + 1) * fold_size - 1` and their sentences; images
    after the last whole fold take no part.

    Args:
        scores: float `[N, M]`.
        image_of_sentence: int `[M]`; the row of each sentence's image.
        fold_size: images per fold.

    Returns:
        A dict: `"image_to_sentence"` and `"sentence_to_image"`, each laid out as by
        `recall_summary`, and `"num_folds"`.

    Raises:
        ValueError: if there are fewer images than one fold, or a fold without any sentence.
    """
    scores, image_of_sentence = _checked(scores, image_of_sentence)
    if not 1 <= fold_size <= len(scores):
        raise ValueError(
            f"Expected a fold size from 1 to the number of images, {len(scores)}. "
            f"Received: fold_size={fold_size}"
        )
    num_folds = len(scores) // fold_size
    summaries = []
    for first in range(0, num_folds * fold_size, fold_size):
        own = np.flatnonzero((image_of_sentence >= first) & (image_of_sentence < first + fold_size))
        if own.size == 0:
            raise ValueError(
                "Expected at least one sentence in every fold: take larger folds. "
                f"Received: none for images {first} to {first + fold_size - 1}"
            )
        fold = np.asarray(scores[first : first + fold_size])[:, own]
        ranks = retrieval_ranks(fold, image_of_sentence[own] - first)
        summaries.append([recall_summary(direction) for direction in ranks])
    means = {
        name: {
            key: float(np.mean([fold[direction][key] for fold in summaries]))
            for key in summaries[0][direction]
        }
        for direction, name in enumerate(RetrievalRanks._fields)
    }
    return {**means, "num_folds": num_folds}


def _checked(scores, image_of_sentence):
    if not isinstance(scores, np.ndarray):
        scores = np.asarray(scores, np.float64)
    image_of_sentence = np.asarray(image_of_sentence)
    if scores.ndim != 2 or image_of_sentence.shape != scores.shape[1:] or not scores.size:
        raise ValueError(
            "Expected scores [images, sentences] and one image index per sentence, at least one of "
            f"each. Received: scores of shape {scores.shape}, image_of_sentence of shape "
            f"{image_of_sentence.shape}"
        )
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if not np.issubdtype(image_of_sentence.dtype, np.integer):
        raise ValueError(
            "Expected integer image indices. "
            f"Received: image_of_sentence of type {image_of_sentence.dtype}"
        )
    low, high = int(image_of_sentence.min()), int(image_of_sentence.max())
    if low < 0 or high >= len(scores):
        raise ValueError(
            f"Expected image indices from 0 to {len(scores) - 1}, the rows of the score matrix. "
            f"Received: image_of_sentence from {low} to {high}"
        )
    return scores, image_of_sentence.astype(np.int64)


def _raise_nan(block, first_row):
    row, column = np.argwhere(np.isnan(block))[0]
    raise ValueError(
        "Expected scores without NaN: the model has diverged or a feature is not finite. "
        f"Received: scores[{first_row + row}, {column}]=nan"
    )
