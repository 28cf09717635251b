"""Bootstrap confidence intervals of retrieval metrics, resampling images."""

import numpy as np

from vsa_tf.metrics.retrieval import RECALL_AT, recall_summary

# Resamples are drawn in blocks of about this many weights: bounded memory for any split.
_BLOCK_WEIGHTS = 1 << 22


def bootstrap_intervals(ranks, image_of_query, num_resamples=1000, seed=0, level=0.95):
    """Percentile intervals of R@1, R@5, R@10, median and mean rank over resampled images.

    Images are drawn with replacement, as many as there are; the queries of an image (its five
    sentences, say) come and go together, since their ranks are not independent. Ranks are not
    computed again: the candidates stay those of the whole split.

    Args:
        ranks: int `[Q]`; 1-based ranks of one direction of `RetrievalRanks`.
        image_of_query: int `[Q]`; the image of each query: `image_of_sentence` for sentence
            queries, `numpy.arange(Q)` for image queries.
        num_resamples: number of bootstrap samples.
        seed: the same seed gives the same intervals.
        level: coverage, between 0 and 1.

    Returns:
        A dict with the keys of `recall_summary`, each a list `[low, high]`.

    Raises:
        ValueError: if the two vectors differ in length or a setting is out of range.

    Example:

    >>> bootstrap_intervals([1, 1, 1], [0, 1, 2])["R@1"]
    [100.0, 100.0]

    Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    ranks, image_of_query = np.asarray(ranks), np.asarray(image_of_query)
    if ranks.shape != image_of_query.shape:
        raise ValueError(
            f"Expected one image per rank. Received: ranks of shape {ranks.shape}, image_of_query "
            f"of shape {image_of_query.shape}"
        )
    if num_resamples < 1 or not 0 < level < 1:
        raise ValueError(
            "Expected num_resamples of 1 or more and a level between 0 and 1. "
            f"Received: num_resamples={num_resamples}, level={level}"
        )
    names = list(recall_summary(ranks))

    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order].astype(np.float64)
    _, image_of_query = np.unique(image_of_query[order], return_inverse=True)
    num_images = int(image_of_query.max()) + 1
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_WEIGHTS // len(ranks))
    samples = []
    for start in range(0, num_resamples, block):
        drawn = generator.multinomial(
            num_images,
            np.full(num_images, 1.0 / num_images),
            size=min(block, num_resamples - start),
        )
        samples.append(_weighted_summaries(ranks, drawn[:, image_of_query]))
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(np.concatenate(samples), [tail, 100.0 - tail], axis=0)
    return {name: [float(low[column]), float(high[column])] for column, name in enumerate(names)}


def _weighted_summaries(sorted_ranks, weights):
    """Columns as in `recall_summary`; `weights [S, Q]` say how often a query was drawn."""
    cumulative = np.cumsum(weights, axis=1)
    total = cumulative[:, -1]
    columns = []
    for k in RECALL_AT:
        hits = np.searchsorted(sorted_ranks, k, side="right")
        columns.append(100.0 * (cumulative[:, hits - 1] if hits else 0 * total) / total)
    # The median of an even number of ranks is the mean of the middle two.
    middle = [
        sorted_ranks[np.sum(cumulative <= position[:, None], axis=1)]
        for position in ((total - 1) // 2, total // 2)
    ]
    columns.append((middle[0] + middle[1]) / 2.0)
    columns.append(weights @ sorted_ranks / total)
    return np.stack(columns, axis=1)
