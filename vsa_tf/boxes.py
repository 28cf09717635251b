"""Boxes as all floors of the project know them: normalised `ymin, xmin, ymax, xmax`."""

import numpy as np

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
# Boxes whose overlap with all is computed together: of a few dozen one by one takes three times
# as long, of thousands most are never asked for.
_OVERLAPS_AT_A_TIME = 16


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


def select_regions(boxes, scores, num_regions=20, nms_threshold=0.5):
    """Returns the whole frame and the best detections after class-agnostic suppression.

    Args:
        boxes: float `[K, 4]`, normalised; clipped to the frame, dropped if nothing is left.
        scores: float `[K]`; of equal scores the earlier box is taken first.
        num_regions: at most this many regions, the frame included.
        nms_threshold: a box is suppressed if its IoU with a better one is above this.

    Returns:
        `(boxes float32 [R, 4], scores float32 [R])`, best first after row 0, the whole frame,
        whose score is 1; R is smaller than num_regions where there are too few detections.

    Raises:
        ValueError: for boxes or scores that are not finite or do not match.
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    scores = np.asarray(scores, np.float32).reshape(-1)
    if len(boxes) != len(scores):
        raise ValueError(
            f"Expected one score a box. Received: {len(boxes)} boxes and {len(scores)} scores"
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise ValueError("Expected finite boxes and scores. Received: NaN or infinity")
    boxes = np.clip(boxes, 0.0, 1.0)
    # A side under a thousandth of the frame is less than a pixel of any image used here.
    usable = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=1.0) > 1e-3
    order = np.argsort(-scores, kind="stable")
    order = order[usable[order]]
    suppressed = np.zeros(len(boxes), bool)
    chosen = []
    for place, hides in _hidden_boxes(boxes, order, nms_threshold):
        if len(chosen) == num_regions - 1:
            break
        if not suppressed[place]:
            chosen.append(place)
            suppressed |= hides
    return (
        np.concatenate([WHOLE_FRAME, boxes[chosen]]),
        np.concatenate([np.ones(1, np.float32), scores[chosen]]),
    )


def _hidden_boxes(boxes, order, nms_threshold):
    """Yields each place of `order`, and which boxes that box hides, bool `[K]`."""
    for first in range(0, len(order), _OVERLAPS_AT_A_TIME):
        places = order[first : first + _OVERLAPS_AT_A_TIME]
        yield from zip(places, box_overlap(boxes[places, None], boxes) > nms_threshold)


def boxes_of_pixels(boxes, height, width):
    """Normalises boxes of pixels, which may exceed the frame by rounding.

    Args:
        boxes: float `[R, 4]`, `xmin, ymin, xmax, ymax`.
        height, width: of the image in pixels.

    Returns:
        float32 `[R, 4]`, `ymin, xmin, ymax, xmax` in 0..1.

    Raises:
        ValueError: a box is outside the image by more than a pixel and a hundredth of it, or has no
            area in it.

    Example:

    >>> boxes_of_pixels(np.float32([[5, 2, 10.5, 4]]), height=4, width=10).tolist()
    [[0.5, 0.5, 1.0, 1.0]]
    """
    frame = np.float32([width, height, width, height])
    boxes = np.asarray(boxes, np.float32)
    rounding = 1 + 0.01 * frame
    outside = ~((boxes >= -rounding) & (boxes <= frame + rounding)).all(axis=1)
    scaled = np.clip(boxes / np.maximum(frame, 1), 0, 1)
    empty = (scaled[:, 2:] <= scaled[:, :2]).any(axis=1)
    for wrong, what in ((outside, "is outside"), (empty, "has no area in")):
        for box in boxes[wrong][:1]:
            values = [round(float(value), 2) for value in box]
            raise ValueError(f"the box {values} {what} the image of {width} x {height} pixels")
    return scaled[:, [1, 0, 3, 2]]


def _area(start, end, inclusive):
    sides = np.maximum(end - start + int(inclusive), 0)
    return sides[..., 0] * sides[..., 1]
