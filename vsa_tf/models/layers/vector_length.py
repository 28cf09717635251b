"""Vectors at one length or scale, with gradients that are finite everywhere."""

import keras
from keras import ops

from vsa_tf.errors import check_choice

# Vectors shorter than its root have no direction to keep.
_SMALLEST_SQUARE = 1e-10
# Of entries that are about 1: below it their root is a line, whose slope is finite.
_SMALLEST_ROOTED = 1e-4
FEATURE_NORMALIZATIONS = ("none", "l2", "power")


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


def scale_features(features, normalization):
    """Scales features along their last axis.

    Args:
        features: float `[..., D]`.
        normalization: `none` takes them as they are; `l2` scales each to length sqrt(D), so that
            its entries are about 1; `power` does so to the signed square roots of the entries, so
            that few large ones do not outweigh the rest (Perronnin, Sanchez, Mensink, Improving
            the Fisher kernel for large-scale image classification, ECCV 2010, section 3.2).

    Returns:
        float `[..., D]`.

    Raises:
        ValueError: for another `normalization`.
    """
    check_choice("feature_normalization", normalization, FEATURE_NORMALIZATIONS)
    if normalization == "none":
        return features
    scaled = unit_length(features) * features.shape[-1] ** 0.5
    if normalization == "l2":
        return scaled
    roots = scaled * ops.rsqrt(ops.maximum(ops.abs(scaled), _SMALLEST_ROOTED))
    return scale_features(roots, "l2")


def scale_pooled(pooled, normalization):
    """Scales what was pooled from scaled features, as `scale_features` scales these.

    Of roots that are taken: no mean of them is rooted again.

    Args:
        pooled: float `[..., D]`.
        normalization: of the features.

    Returns:
        float `[..., D]`.
    """
    return scale_features(pooled, "none" if normalization == "none" else "l2")
