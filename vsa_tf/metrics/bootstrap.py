"""Bootstrap confidence intervals and paired tests, resampling images."""

import numpy as np

from vsa_tf.metrics.retrieval import RECALL_AT, recall_summary

# Resamples are drawn in blocks of about this many weights: bounded memory for any split.
_BLOCK_WEIGHTS = 1 << 22
# Sums of the same numbers in other columns may differ by so much.
_ROUNDING = 1e-12


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
    names = list(recall_summary(ranks))

    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order].astype(np.float64)
    _, image_of_query = np.unique(image_of_query[order], return_inverse=True)
    num_images = int(image_of_query.max()) + 1
    samples = [
        _weighted_summaries(ranks, drawn[:, image_of_query])
        for drawn in _draws(num_images, num_resamples, seed, len(ranks))
    ]
    intervals = percentile_intervals(np.concatenate(samples), level)
    return dict(zip(names, intervals.tolist(), strict=True))


def resampled_sums(values, num_resamples=1000, seed=0):
    """Sums over images drawn with replacement, as many as there are.

    Columns are drawn together: what is made of the sums of two systems' columns can be compared
    resample by resample (`paired_difference`).

    Args:
        values: `[N, C]`; a row for each image.
        num_resamples: S.
        seed: the same seed draws the same images of N.

    Returns:
        float64 `[S, C]`.

    Raises:
        ValueError: there is no image, or `num_resamples` is below 1.
    """
    values = np.asarray(values, np.float64)
    draws = _draws(len(values), num_resamples, seed, len(values))
    return np.concatenate([drawn @ values for drawn in draws])


def percentile_intervals(samples, level=0.95):
    """Returns the intervals of resampled metrics, float64 `[C, 2]`, low and high.

    Args:
        samples: `[S, C]`.
        level: coverage, between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"Expected a level between 0 and 1. Received: level={level}")
    tail = 50.0 * (1.0 - level)
    return np.percentile(samples, [tail, 100.0 - tail], axis=0).T


def paired_difference(first, second, level=0.95):
    """Whether two systems differ, from their metrics on the same resampled images.

    Args:
        first, second: `[S]` each; the metric of either system in each resample.
        level: coverage of the interval, between 0 and 1.

    Returns:
        dict of `interval`, `[low, high]` of second - first, and `p`: two-sided, twice the share of
        resamples in which the difference is not of its sign, 1 at most; a share is counted with
        one resample more, so that p is never 0.

    Example: in 1 of 3 resamples the second system is not better.

    >>> paired_difference([1.0, 2.0, 3.0], [2.0, 3.0, 3.0])["p"]
    1.0
    >>> paired_difference(np.zeros(999), np.ones(999))
    {'interval': [1.0, 1.0], 'p': 0.002}

    Reference: Koehn, Statistical significance tests for machine translation evaluation, 2004;
    Efron and Tibshirani, chapter 15.
    """
    differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    (interval,) = percentile_intervals(differences[:, None], level).tolist()
    least = min(
        np.count_nonzero(differences <= _ROUNDING), np.count_nonzero(differences >= -_ROUNDING)
    )
    return {"interval": interval, "p": min(1.0, 2.0 * (int(least) + 1) / (len(differences) + 1))}


def _draws(num_images, num_resamples, seed, num_weights):
    """Yields how often each image is drawn, int `[s, N]`, in blocks of s resamples."""
    if num_resamples < 1 or num_images < 1:
        raise ValueError(
            "Expected images, and num_resamples of 1 or more. Received: "
            f"{num_images} images, num_resamples={num_resamples}"
        )
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_WEIGHTS // num_weights)
    for start in range(0, num_resamples, block):
        yield generator.multinomial(
            num_images,
            np.full(num_images, 1.0 / num_images),
            size=min(block, num_resamples - start),
        )


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
