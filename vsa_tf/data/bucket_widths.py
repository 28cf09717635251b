"""The widths that sentence batches are padded to."""

import numpy as np


def choose_bucket_widths(lengths, num_buckets=4):
    """Chooses the widths that leave the least padding.

    The total padding when each caption takes the smallest width that holds it is minimised exactly,
    by dynamic programming over the distinct lengths.

    Args:
        lengths: int [M], tokens of each caption, each at least 1.
        num_buckets: most widths.

    Returns:
        Tuple of at most `num_buckets` ascending widths, the last the longest length.

    Raises:
        ValueError: no captions, or `num_buckets` is not positive.

    Example:

    >>> choose_bucket_widths([3, 3, 3, 4, 9, 10], num_buckets=2)
    (4, 10)
    """
    if len(lengths) == 0 or num_buckets < 1:
        raise ValueError(
            "Expected captions and at least one bucket. Received: "
            f"{len(lengths)} captions, num_buckets={num_buckets}."
        )
    widths, counts = np.unique(np.asarray(lengths, np.int64), return_counts=True)
    captions_up_to = np.concatenate([[0], np.cumsum(counts)])
    # cost[k] is the least padded total of the first k widths, the k-th of them chosen.
    cost = np.where(np.arange(len(widths) + 1) == 0, 0.0, np.inf)
    choices = []
    for _ in range(min(num_buckets, len(widths))):
        # total[k, j]: as cost[k] when the width chosen before is the j-th.
        total = cost[None, :] + np.concatenate([[0], widths])[:, None] * (
            captions_up_to[:, None] - captions_up_to[None, :]
        )
        total[np.triu_indices(len(total), 1)] = np.inf
        choices.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    chosen, k = [], len(widths)
    for choice in reversed(choices):
        if choice[k] != k:
            chosen.append(int(widths[k - 1]))
        k = choice[k]
    return tuple(reversed(chosen))
