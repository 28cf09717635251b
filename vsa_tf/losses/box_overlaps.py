"""Intersection over union of all pairs of boxes, in a graph."""

from keras import ops


def box_overlaps(boxes, others):
    """Computes the intersection over union of every box with every other.

    Args:
        boxes: float `[N, 4]`, normalised `ymin, xmin, ymax, xmax`.
        others: float `[M, 4]`, of the same units.

    Returns:
        float `[N, M]`, 0..1; 0 where neither box has an area.

    Example:

    >>> import numpy as np
    >>> float(box_overlaps(np.float32([[0, 0, 1, 1]]), np.float32([[0, 0.5, 1, 1]]))[0, 0])
    0.5
    """
    boxes, others = ops.expand_dims(boxes, 1), ops.expand_dims(others, 0)
    low = ops.maximum(boxes[..., :2], others[..., :2])
    high = ops.minimum(boxes[..., 2:], others[..., 2:])
    intersection = _area(low, high)
    union = (
        _area(boxes[..., :2], boxes[..., 2:])
        + _area(others[..., :2], others[..., 2:])
        - intersection
    )
    return intersection / ops.where(union > 0.0, union, 1.0)


def _area(low, high):
    extent = ops.maximum(high - low, 0.0)
    return extent[..., 0] * extent[..., 1]
