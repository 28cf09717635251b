"""Boxes as all floors of the project know them: normalised `ymin, xmin, ymax, xmax`."""

import numpy as np


def box_overlap(boxes, others, inclusive=False):
    """Computes the intersection over union of boxes.

    Args:
        boxes: float `[..., 4]`; `ymin, xmin, ymax, xmax`, or the two axes the other way round.
        others: float `[..., 4]` of the same order and units; its leading axes are broadcast.
        inclusive: whether maxima are pixels that belong to the box, as in the annotations of
            Flickr30K Entities: a box from 3 to 5 is 3 pixels wide.

    Returns:
        float `[...]`, 0..1; 0 where neither box has an area.

    Example:

    >>> box_overlap([0, 0, 1, 1], [[0, 0.5, 1, 1], [2, 2, 3, 3]]).tolist()
    [0.5, 0.0]
    >>> float(box_overlap([0, 0, 9, 9], [0, 5, 9, 9], inclusive=True))
    0.5
    """
    boxes, others = np.asarray(boxes), np.asarray(others)
    lowest_end = np.minimum(boxes[..., 2:], others[..., 2:])
    highest_start = np.maximum(boxes[..., :2], others[..., :2])
    intersection = _area(highest_start, lowest_end, inclusive)
    union = (
        _area(boxes[..., :2], boxes[..., 2:], inclusive)
        + _area(others[..., :2], others[..., 2:], inclusive)
        - intersection
    )
    return intersection / np.maximum(union, 1e-12)


def _area(start, end, inclusive):
    return np.prod(np.maximum(end - start + int(inclusive), 0), axis=-1)
