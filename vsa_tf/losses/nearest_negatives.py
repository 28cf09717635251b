"""The negatives whose triplets cost most."""

import math

from keras import ops


def nearest_negatives(distances, negative, top_k):
    """Returns the distances of each target's K nearest negatives, ascending.

    With `m + d(x, y) - d(x, y')` these are, whatever y, the K triplets with the largest loss.

    Args:
        distances: float `[N, M]`, one row per target.
        negative: bool `[N, M]`.
        top_k: K.

    Returns:
        float `[N, K]`; infinite where a target has fewer negatives.

    Example:

    >>> import numpy as np
    >>> distances = np.float32([[0.4, 0.1, 0.3]])
    >>> nearest = nearest_negatives(distances, np.array([[True, False, True]]), 3)
    >>> print(np.array(nearest))
    [[0.3 0.4 inf]]
    """
    far = ops.where(negative, distances, math.inf)
    # K more columns: top_k takes no more than there are, a number that a graph may not know.
    far = ops.pad(far, [[0, 0], [0, top_k]], constant_values=math.inf)
    return -ops.top_k(-far, top_k)[0]
