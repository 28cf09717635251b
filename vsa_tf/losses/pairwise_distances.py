"""Euclidean distances of all pairs of vectors, as the two-branch authors take them."""

from keras import ops

# Keeps the gradient of the root finite where two vectors are equal: their distance is .01.
_SQUARE_OFFSET = 1e-4


def pairwise_distances(x, y):
    """`d(x, y) = sqrt(|x|^2 - 2 x.y + |y|^2 + 1e-4)` of every x with every y.

    Args:
        x: float `[N, D]`.
        y: float `[M, D]`.

    Returns:
        float `[N, M]`, in units of x, never below .01.

    Example:

    >>> import numpy as np
    >>> distances = pairwise_distances(np.float32([[0, 0]]), np.float32([[0, 0], [3, 4]]))
    >>> print(np.array(distances).round(2))
    [[0.01 5.  ]]
    """
    squares = (
        ops.sum(ops.square(x), axis=1, keepdims=True)
        - 2.0 * ops.matmul(x, ops.transpose(y))
        + ops.expand_dims(ops.sum(ops.square(y), axis=1), 0)
    )
    # Rounding can make the square of a vanishing distance negative.
    return ops.sqrt(ops.maximum(squares, 0.0) + _SQUARE_OFFSET)
