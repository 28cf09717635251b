"""L2 normalisation whose gradient is finite everywhere."""

import keras
from keras import ops

# Vectors shorter than its root have no direction to keep.
_SMALLEST_SQUARE = 1e-10


def unit_length(vectors):
    """Scales vectors to length 1 along their last axis.

    A vector of zeros stays one, with a gradient of no more than passes through (`ops.normalize`
    gives NaN there).

    Args:
        vectors: float `[..., D]`.

    Returns:
        float `[..., D]`; vectors shorter than 1e-5 stay as they are.

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
    scales = ops.rsqrt(ops.maximum(squares, _SMALLEST_SQUARE))
    return vectors * ops.where(squares > _SMALLEST_SQUARE, scales, ops.ones_like(scales))
