"""Exact scores of all images with all sentences, in blocks: those of deep fragment embeddings."""

import numpy as np

from vsa_tf.retrieval.blocked_scoring import DEFAULT_BLOCK_BYTES, blocked_scores


def all_fragment_scores(
    regions, region_mask, fragments, lengths, smoothing=5.0, block_bytes=DEFAULT_BLOCK_BYTES
):
    """Scores every image k against every sentence l, exactly (models.md 3).

        S_kl = 1 / (|g_k| (|g_l| + n)) * sum_i sum_j max(0, v_i . s_j)

    i runs over the |g_k| real regions of image k, j over the |g_l| fragments of sentence l: as
    `fragment_scores`, for a whole split.

    Args:
        regions, region_mask, lengths, block_bytes: see `blocked_scores`.
        fragments: float `[P, H]`; s_j, its words.
        smoothing: n.

    Returns:
        float32 `[N, M]`; 0 for a sentence without fragments.

    Raises:
        ValueError: as of `blocked_scores`.

    Example: of two regions and one fragment, 1 / (2 (1 + 5)) (6 + 0).

    >>> regions = np.array([[[2.0], [-1.0]]], np.float32)
    >>> all_fragment_scores(regions, None, np.array([[3.0]], np.float32), [1]).tolist()
    [[0.5]]
    """
    scores = blocked_scores(regions, region_mask, fragments, lengths, "positive_sum", block_bytes)
    regions_of_image = np.full(len(scores), np.shape(regions)[1])
    if region_mask is not None:
        regions_of_image = np.sum(region_mask, axis=1)
    fragments_of_sentence = np.asarray(lengths) + smoothing
    # Where there is nothing to count the sum is 0, whatever it is divided by.
    scores /= regions_of_image[:, None].astype(np.float32)
    scores /= np.maximum(fragments_of_sentence, 1.0).astype(np.float32)
    return scores
