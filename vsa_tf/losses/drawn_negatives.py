"""Negatives drawn at random from those of a batch."""

import keras
from keras import ops


def drawn_negatives(negative, num_drawn, seed):
    """Draws negatives of every target, all alike likely, none twice.

    Args:
        negative: bool `[P, Q]`, one row per target.
        num_drawn: C, how many of each.
        seed: a `keras.random.SeedGenerator`, or an int.

    Returns:
        `(columns, drawn)`, int `[P, C]` and bool `[P, C]`; where a target has fewer than C
        negatives, the last are not `drawn`, and their columns mean nothing (they exist).

    Example:

    >>> import numpy as np
    >>> columns, drawn = drawn_negatives(np.array([[False, False, True]]), 2, seed=0)
    >>> int(columns[0, 0]), np.array(drawn).tolist()
    (2, [[True, False]])
    """
    noise = keras.random.uniform(ops.shape(negative), seed=seed)
    noise = ops.where(negative, noise, -1.0)
    # C more columns: top_k takes no more than there are, a number that a graph may not know.
    noise = ops.pad(noise, [[0, 0], [0, num_drawn]], constant_values=-1.0)
    largest, columns = ops.top_k(noise, num_drawn)
    last = ops.cast(ops.shape(negative)[1] - 1, columns.dtype)
    return ops.minimum(columns, last), largest >= 0.0
