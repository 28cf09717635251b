"""Words to regions by a chain Markov random field, exact: DVSA's snippets (D eq. 10 to 12)."""

from typing import NamedTuple

import numpy as np


class Snippet(NamedTuple):
    """A run of words aligned to one region.

    Attributes:
        box: the region's box, a tuple of four floats as given (`ymin, xmin, ymax, xmax`).
        region: the region's number.
        first_word: position of the first word.
        last_word: position of the last word, included.
        score: sum of v_region . s_t over the words, without the chain's bonus.
    """

    box: tuple
    region: int
    first_word: int
    last_word: int
    score: float


def segment_alignment(word_region_scores, beta, region_mask=None):
    """Assigns each word of a sentence to a region so that neighbours like to agree.

        maximise over a:  E(a) = sum_j psiU_j(a_j) + sum_j psiB_j(a_j, a_{j+1})    (D eq. 10)
                          psiU_j(a_j) = v_{a_j} . s_j                              (D eq. 11)
                          psiB_j(a_j, a_{j+1}) = beta [a_j = a_{j+1}]              (D eq. 12)

    by dynamic programming in O(W R): after the best start of the chain, a word either stays with
    its neighbour's region or takes the best one of all. beta = 0 aligns single words; a beta above
    the largest difference between scores gives one region to the whole sentence. Among equally good
    assignments it is the first in lexicographic order: the first word takes the smaller region
    index, then the second, and so on.

    Args:
        word_region_scores: float `[W, R]`; v_i . s_t for word t and region i.
        beta: bonus for two neighbouring words with one region, 0 or more.
        region_mask: bool `[R]`, True where a region is real; None if all are.

    Returns:
        int32 `[W]`; the region of each word.

    Raises:
        ValueError: on a negative beta, a NaN score, wrong shapes, or no real region.

    Example:

    >>> scores = np.array([[3., 0.], [0., 1.], [3., 0.]])
    >>> segment_alignment(scores, 0.0).tolist(), segment_alignment(scores, 1.0).tolist()
    ([0, 1, 0], [0, 0, 0])
    """
    scores = np.asarray(word_region_scores)
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(
            "Expected scores [words, regions] with at least one region. "
            f"Received: word_region_scores of shape {scores.shape}"
        )
    mask = np.ones(scores.shape[1], bool) if region_mask is None else np.asarray(region_mask, bool)
    if mask.shape != scores.shape[1:] or not mask.any():
        raise ValueError(
            "Expected a mask of one flag per region with at least one real region. Received: "
            f"region_mask of shape {mask.shape} with {mask.sum()} real regions"
        )
    if np.isnan(scores[:, mask]).any():
        raise ValueError(
            "Expected scores without NaN: the model has diverged. "
            f"Received: {np.isnan(scores[:, mask]).sum()} NaN scores"
        )
    if not len(scores):
        return np.zeros(0, np.int32)
    lengths = np.array([len(scores)], np.int32)
    return batch_segment_alignment(scores[None], lengths, beta, mask[None])[0]


def batch_segment_alignment(word_region_scores, lengths, beta, region_mask=None, xp=np):
    """`segment_alignment` of a padded batch.

    Args:
        word_region_scores: float `[B, W, R]`, W at least 1; what stands at padded words and masked
            regions does not matter.
        lengths: int `[B]`; real words of each sentence.
        beta: bonus for two neighbouring words with one region, a number, 0 or more.
        region_mask: bool `[B, R]`, True where a region is real; None if all are.
        xp: numpy; or `keras.ops`, of tensors: eager, in a graph, or compiled.

    Returns:
        int32 `[B, W]`; the region of each word, -1 at padded words and where an image has no real
        region.

    Raises:
        ValueError: on a negative beta.
    """
    if not beta >= 0:
        raise ValueError(
            f"Expected a bonus of 0 or more for neighbours with one region. Received: beta={beta}"
        )
    scores, lengths = xp.array(word_region_scores), xp.array(lengths, "int32")
    if region_mask is not None:
        region_mask = xp.array(region_mask)
        scores = xp.where(region_mask[:, None, :], scores, xp.array(-float("inf"), scores.dtype))
    beta = xp.array(beta, scores.dtype)
    scores = xp.transpose(scores, (1, 0, 2))
    positions = xp.arange(xp.shape(scores)[0], dtype="int32")

    # Whether a word follows another one: before the first, and after the last, nothing is added.
    # It travels as a last column, since Keras 3.15's scan in a TensorFlow graph takes a single
    # tensor of unknown length.
    follows = xp.logical_and(positions[:, None] > 0, positions[:, None] < lengths[None, :])
    zero = xp.zeros_like(scores[:, :, :1])
    inputs = xp.concatenate([scores, xp.where(follows[:, :, None], zero + 1, zero)], axis=2)

    def backward(rest, score_and_follows):
        # rest [B, R]: the best total of the words after this one, by this word's region.
        total = score_and_follows[:, :-1] + rest
        best_rest = xp.maximum(total + beta, xp.max(total, axis=1, keepdims=True))
        rest = xp.where(score_and_follows[:, -1:] > 0, best_rest, xp.zeros_like(rest))
        return rest, total

    totals = _scan(backward, xp.zeros_like(scores[0]), inputs, xp, reverse=True)

    regions = xp.arange(xp.shape(scores)[2], dtype="int32")

    def forward(previous, total):
        stays = regions[None, :] == previous[:, None]
        # argmax takes the first of equals.
        best = xp.array(xp.argmax(xp.where(stays, total + beta, total), axis=1), "int32")
        return best, best

    # No region is numbered -1: the first word has nobody to stay with.
    assignment = xp.transpose(_scan(forward, xp.full_like(lengths, -1), totals, xp), (1, 0))
    real = positions[None, :] < lengths[:, None]
    if region_mask is not None:
        real = xp.logical_and(real, xp.any(region_mask, axis=1)[:, None])
    return xp.where(real, assignment, xp.array(-1, "int32"))


def _scan(step, state, inputs, xp, reverse=False):
    """Returns what `step(state, input)` gives beside each next state, `[W, ...]`."""
    if xp is not np:
        return xp.scan(step, state, inputs, reverse=reverse)[1]
    outputs = []
    for values in inputs[::-1] if reverse else inputs:
        state, output = step(state, values)
        outputs.append(output)
    return np.stack(outputs[::-1] if reverse else outputs)


def smooth_alignment(word_region_scores, lengths, smoothness, region_mask, xp=np):
    """`batch_segment_alignment` with a beta that means the same whatever a model's scores are.

    Args:
        word_region_scores, lengths, region_mask, xp: see `batch_segment_alignment`.
        smoothness: beta in shares of the mean over a sentence's words of their best score's
            magnitude.

    Returns:
        int32 `[B, W]`, as of `batch_segment_alignment`.
    """
    scores, lengths = xp.array(word_region_scores), xp.array(lengths, "int32")
    region_mask = xp.array(region_mask)
    none = xp.array(-float("inf"), scores.dtype)
    best = xp.max(xp.where(region_mask[:, None, :], scores, none), axis=2)
    is_word = xp.arange(xp.shape(scores)[1], dtype="int32")[None, :] < lengths[:, None]
    total = xp.sum(xp.where(is_word, xp.abs(best), xp.zeros_like(best)), axis=1)
    scale = xp.maximum(total / xp.array(xp.maximum(lengths, 1), scores.dtype), 1e-12)
    scores = scores / scale[:, None, None]
    return batch_segment_alignment(scores, lengths, smoothness, region_mask, xp)


def snippet_numbers(assignment, xp=np):
    """Numbers the snippets of sentences: runs of neighbouring words with one region.

    Args:
        assignment: int `[B, W]`, the region of each word, negative at padding on the right.
        xp: numpy; or `keras.ops`, of tensors.

    Returns:
        int32 `[B, W]`: of each word the number of its snippet, from 0; -1 at padding.

    Example:

    >>> snippet_numbers([[4, 4, 0, 4, -1]]).tolist()
    [[0, 0, 1, 2, -1]]
    """
    assignment = xp.array(assignment, "int32")
    is_word = assignment >= 0
    changes = xp.not_equal(assignment[:, 1:], assignment[:, :-1])
    starts = xp.concatenate([is_word[:, :1], xp.logical_and(is_word[:, 1:], changes)], axis=1)
    numbers = xp.cumsum(xp.array(starts, "int32"), axis=1, dtype="int32") - 1
    return xp.where(is_word, numbers, xp.array(-1, "int32"))


def snippets(assignment, word_region_scores, boxes):
    """Merges neighbouring words of one region into snippets.

    Args:
        assignment: int `[W]`; the region of each word. Negative entries (padding) end the sentence.
        word_region_scores: float `[W, R]`; v_i . s_t.
        boxes: float `[R, 4]`.

    Returns:
        A list of `Snippet`, in the order of the words. Their scores sum to the assignment's score
        without the chain's bonus.

    Raises:
        ValueError: if the shapes do not fit.

    Example:

    >>> found = snippets([0, 0, 1], [[2., 0.], [1., 0.], [0., 5.]], [[0, 0, 1, 1], [0, 0, .5, .5]])
    >>> [(s.region, s.first_word, s.last_word, s.score) for s in found]
    [(0, 0, 1, 3.0), (1, 2, 2, 5.0)]
    """
    assignment, boxes = np.asarray(assignment, np.int64), np.asarray(boxes)
    scores = np.asarray(word_region_scores)
    if (
        assignment.ndim != 1
        or scores.shape != (len(assignment), len(boxes))
        or (boxes.shape[1:] != (4,))
        or (assignment >= len(boxes)).any()
    ):
        raise ValueError(
            "Expected an assignment [W] to regions, scores [W, R] and boxes [R, 4]. Received: "
            f"assignment of shape {assignment.shape}, scores of shape {scores.shape}, boxes of "
            f"shape {boxes.shape}, largest region {assignment.max(initial=-1)}"
        )
    assignment = assignment[: np.append(np.flatnonzero(assignment < 0), len(assignment))[0]]
    if not assignment.size:
        return []
    numbers = snippet_numbers(assignment[None])[0]
    found = []
    for number in range(numbers[-1] + 1):
        words = np.flatnonzero(numbers == number)
        region = int(assignment[words[0]])
        found.append(
            Snippet(
                tuple(float(value) for value in boxes[region]),
                region,
                int(words[0]),
                int(words[-1]),
                float(scores[words, region].astype(np.float64).sum()),
            )
        )
    return found
