"""Hinge costs of the triplets that count (T eq. 3, 6)."""

from keras import ops


def triplet_costs(positive_distances, nearest, margin):
    """Computes `sum_k [m + d(x, y) - d(x, y'_k)]_+` for every target x and positive y.

    Args:
        positive_distances: float `[N, P]`, d(x, y).
        nearest: float `[N, K]`, d(x, y') of the K nearest negatives; infinite: none.
        margin: m.

    Returns:
        float `[N, P]`.

    Example: the triplets cost .05 + .5 - .3 and .05 + .5 - .5.

    >>> import numpy as np
    >>> costs = triplet_costs(np.float32([[0.5]]), np.float32([[0.3, 0.5, 0.9]]), 0.05)
    >>> round(float(costs[0, 0]), 6)
    0.3
    """
    costs = margin + ops.expand_dims(positive_distances, 2) - ops.expand_dims(nearest, 1)
    return ops.sum(ops.relu(costs), axis=2)
