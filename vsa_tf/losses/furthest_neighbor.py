"""The hardest positive of each target within its own modality."""

from keras import ops


def furthest_neighbor(distances, neighbors):
    """Returns the distance of each target's furthest neighbour, as in the authors' code.

    There the target is a neighbour of its own, at the smallest distance there is: with another
    neighbour it is never the furthest.

    Args:
        distances: float `[N, N]`, not negative.
        neighbors: bool `[N, N]`.

    Returns:
        `(distance, has_neighbor)`, float `[N]`, 0 where there is none, and bool `[N]`.

    Example:

    >>> import numpy as np
    >>> distances = np.float32([[0.01, 0.4, 0.7], [0.4, 0.01, 0.5], [0.7, 0.5, 0.01]])
    >>> neighbors = np.array([[False, True, True], [True, False, False], [False] * 3])
    >>> distance, has_neighbor = furthest_neighbor(distances, neighbors)
    >>> print(np.array(distance), np.array(has_neighbor))
    [0.7 0.4 0. ] [ True  True False]
    """
    return ops.max(ops.where(neighbors, distances, 0.0), axis=1), ops.any(neighbors, axis=1)
