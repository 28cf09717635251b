"""One number from the costs of the pairs that count."""

from keras import ops


def mean_of_pairs(costs, counted):
    """Returns the mean of the costs of the pairs that are counted; 0 where none is.

    Args:
        costs: float, of any shape, finite.
        counted: bool, of the same shape.

    Example:

    >>> import numpy as np
    >>> float(mean_of_pairs(np.float32([1, 5, 9]), np.array([True, False, True])))
    5.0
    """
    counted = ops.cast(counted, costs.dtype)
    return ops.sum(costs * counted) / ops.maximum(ops.sum(counted), 1.0)
