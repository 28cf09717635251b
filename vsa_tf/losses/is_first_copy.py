"""Which items of a batch stand there for the first time."""

from keras import ops


def is_first_copy(same):
    """Marks every item that no item before it equals.

    Args:
        same: bool `[N, N]`, True where two items are the same (an equivalence).

    Returns:
        bool `[N]`: exactly one item of every set of copies.

    Example:

    >>> import numpy as np
    >>> ids = np.array([7, 3, 7])
    >>> np.array(is_first_copy(ids[:, None] == ids)).tolist()
    [True, True, False]
    """
    # The position of the first True of each row.
    first = ops.argmax(ops.cast(same, "int32"), axis=1)
    return ops.equal(first, ops.arange(ops.shape(same)[0], dtype=first.dtype))
