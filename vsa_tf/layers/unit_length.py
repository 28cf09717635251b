"""L2 normalisation whose gradient is finite everywhere."""

import keras
from keras import ops

# Of the two-branch authors: vectors shorter than its root are scaled, not normalised.
_SMALLEST_SQUARE = 1e-10


def unit_length(vectors):
    """Scales vectors to length 1 along their last axis.

    A vector of zeros stays one, with a finite gradient (`ops.normalize` gives NaN there).

    Args:
        vectors: float `[..., D]`.

    Returns:
        float `[..., D]`; vectors shorter than 1e-5 are multiplied by 1e5 and stay shorter than 1.

    Example:

    >>> import numpy as np
    >>> print(np.array(unit_length(np.float32([[3, 4], [0, 0]]))))
    [[0.6 0.8]
     [0.  0. ]]
    """
    vectors = ops.convert_to_tensor(vectors)
    dtype = keras.backend.standardize_dtype(vectors.dtype)
    if dtype in ("bfloat16", "float16"):
        return ops.cast(unit_length(ops.cast(vectors, "float32")), dtype)
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _SMALLEST_SQUARE))
