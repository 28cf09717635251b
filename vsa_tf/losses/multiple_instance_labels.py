"""Which regions of an image a sentence's fragments are about, as far as the scores know."""

from keras import ops


def multiple_instance_labels(products, region_mask, fragment_mask):
    """Marks the pairs with `y_ij = +1` within image-sentence pairs (models.md 3).

    A fragment is about the regions of its image that it scores above 0; one that scores none so
    is about its best region (the first of several): every fragment has a positive.

    Args:
        products: float `[B, R, E]`, `v_i . s_j` of the regions and fragments of each pair.
        region_mask: bool `[B, R]`; masked regions are never positive.
        fragment_mask: bool `[B, E]`; masked fragments have no positives.

    Returns:
        bool `[B, R, E]`; False is `y_ij = -1`, or a mask. Nothing is differentiated through it.

    Example: the second fragment scores no region above 0.

    >>> import numpy as np
    >>> products = np.float32([[[2, -3], [1, -1], [-5, -2]]])
    >>> mask = np.ones((1, 3), bool)
    >>> np.array(multiple_instance_labels(products, mask, mask[:, :2]))[0].tolist()
    [[True, False], [True, True], [False, False]]
    """
    region_mask = ops.expand_dims(region_mask, 2)
    real = ops.logical_and(region_mask, ops.expand_dims(fragment_mask, 1))
    positive = ops.logical_and(products > 0.0, real)
    best = ops.argmax(ops.where(region_mask, products, -1e9), axis=1)
    regions = ops.expand_dims(ops.arange(ops.shape(products)[1], dtype=best.dtype), 1)
    is_best = ops.equal(ops.expand_dims(best, 1), regions)
    has_none = ops.logical_not(ops.any(positive, axis=1, keepdims=True))
    is_best = ops.logical_and(ops.logical_and(is_best, has_none), real)
    return ops.logical_or(positive, is_best)
