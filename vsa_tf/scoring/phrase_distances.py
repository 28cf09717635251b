"""Distances of sentences and images by their phrases and regions (T eq. 8)."""

import numpy as np

from vsa_tf.models.two_branch.settings import SQUARE_OFFSET
from vsa_tf.scoring.blocked_scores import DEFAULT_BLOCK_BYTES, max_sum_scores


def phrase_distances(
    regions,
    region_mask,
    phrases,
    sentence_of_phrase,
    num_sentences,
    block_bytes=DEFAULT_BLOCK_BYTES,
):
    """The mean over a sentence's phrases of their distance to the best region: d_rp of T eq. 8.

        d_rp(x, y) = mean over phrases p of sentence y of  min over regions r of image x of  d(r, p)
        d(r, p)    = sqrt(|r - p|^2 + 1e-4)

    Exact. The smallest distance is where `r . p - |r|^2 / 2` is largest, so that `max_sum_scores`
    finds it, of vectors with one more entry; a block of images at a time.

    Args:
        regions: float `[N, R, H]`, of a region-phrase `EmbeddingNetwork`.
        region_mask: bool `[N, R]`, True where a region is real; None if all are.
        phrases: float `[P, H]`, of the same network.
        sentence_of_phrase: int `[P]`, in any order.
        num_sentences: M.
        block_bytes: about the memory taken besides arguments and result, twice.

    Returns:
        float32 `[N, M]`; 0 for a sentence without phrases, which has no such distance.

    Raises:
        ValueError: if shapes do not fit, an image has no real region, or a vector is not finite.

    Example:

    >>> regions = np.array([[[0., 0.], [3., 0.]]])
    >>> phrases = np.array([[3., 4.], [0., 2.], [0., 1.]])
    >>> phrase_distances(regions, None, phrases, [0, 0, 2], num_sentences=3).round(2).tolist()
    [[3.0, 0.0, 1.0]]

    Reference: T section 5.6.
    """
    regions, phrases = np.asanyarray(regions), np.asarray(phrases, np.float32)
    sentence_of_phrase = np.asarray(sentence_of_phrase)
    if regions.ndim != 3 or phrases.shape != (len(sentence_of_phrase), regions.shape[2]):
        raise ValueError(
            "Expected regions [N, R, H], phrases [P, H] and one sentence per phrase. Received: "
            f"regions of shape {regions.shape}, phrases of shape {phrases.shape}, "
            f"{len(sentence_of_phrase)} sentences"
        )
    distances = np.zeros((len(regions), num_sentences), np.float32)
    if not len(phrases):
        return distances
    if not 0 <= sentence_of_phrase.min() <= sentence_of_phrase.max() < num_sentences:
        raise ValueError(
            f"Expected sentences from 0 to {num_sentences - 1}. Received: sentence_of_phrase from "
            f"{sentence_of_phrase.min()} to {sentence_of_phrase.max()}"
        )
    order = np.argsort(sentence_of_phrase, kind="stable")
    counts = np.bincount(sentence_of_phrase, minlength=num_sentences)
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[filled]
    phrases = phrases[order]
    squares = np.square(phrases).sum(axis=1)
    phrases = np.concatenate([phrases, np.ones((len(phrases), 1), np.float32)], axis=1)
    one_each = np.ones(len(phrases), np.int64)
    image_floats = regions.shape[1] * phrases.shape[1] + len(phrases)
    rows = max(1, block_bytes // (phrases.itemsize * image_floats))
    for first in range(0, len(regions), rows):
        block = np.asarray(regions[first : first + rows], np.float32)
        half_squares = -0.5 * np.square(block).sum(axis=2, keepdims=True)
        nearest = max_sum_scores(
            np.concatenate([block, half_squares], axis=2),
            None if region_mask is None else region_mask[first : first + rows],
            phrases,
            one_each,
            block_bytes=block_bytes,
        )
        # In place, from products to distances.
        nearest *= -2.0
        nearest += squares
        np.maximum(nearest, 0.0, out=nearest)
        nearest += SQUARE_OFFSET
        np.sqrt(nearest, out=nearest)
        sums = np.add.reduceat(nearest, starts, axis=1)
        distances[first : first + rows, filled] = sums / counts[filled].astype(np.float32)
    return distances
