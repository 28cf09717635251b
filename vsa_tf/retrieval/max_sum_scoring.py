"""Exact scores of all images with all sentences, in blocks: DVSA's sum of maxima."""

import numpy as np

from vsa_tf.retrieval.blocked_scoring import DEFAULT_BLOCK_BYTES, blocked_scores


def max_sum_scores(
    regions, region_mask, words, lengths, normalize_by_length=False, block_bytes=DEFAULT_BLOCK_BYTES
):
    """Scores every image k against every sentence l, exactly (DVSA eq. 1).

        S_kl = sum over words t of sentence l of  max over regions i of image k of  v_i . s_t

    A masked region never wins, whatever it holds.

    Args:
        regions, region_mask, words, lengths, block_bytes: see `blocked_scores`.
        normalize_by_length: divide each score by the sentence's number of words.

    Returns:
        float32 `[N, M]`; 0 for a sentence without words.

    Raises:
        ValueError: as of `blocked_scores`.

    Example:

    >>> regions = np.array([[[1., 0.], [0., 2.]]], np.float32)
    >>> words = np.array([[3., 1.], [1., 1.], [0., 5.]], np.float32)
    >>> max_sum_scores(regions, None, words, [2, 1]).tolist()
    [[5.0, 10.0]]
    """
    scores = blocked_scores(regions, region_mask, words, lengths, "max", block_bytes)
    if normalize_by_length:
        scores /= np.maximum(lengths, 1).astype(np.float32)
    return scores
