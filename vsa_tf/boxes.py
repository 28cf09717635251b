"""Boxes as all floors of the project know them: normalised `ymin, xmin, ymax, xmax`."""

import numpy as np

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
# Powers of the overlap in `box_agreement`. A model that learns without boxes finds the telling part
# of what is meant, a face or a wheel: a small power takes the larger box about it.
WITHOUT_BOXES, WITH_BOXES = 0.3, 1.0
_AGREEMENT_TEMPERATURE = 0.7
# Boxes whose overlap with all is computed together: of a few dozen one by one takes three times
# as long, of thousands most are never asked for.
_OVERLAPS_AT_A_TIME = 16


def box_overlap(boxes, others, inclusive=False, xp=np):
    """Computes the intersection over union of boxes.

    Args:
        boxes: float `[..., 4]`; `ymin, xmin, ymax, xmax`, or the two axes the other way round.
        others: float `[..., 4]` of the same order and units; its leading axes are broadcast.
        inclusive: whether maxima are pixels that belong to the box, as in the annotations of
            Flickr30K Entities: a box from 3 to 5 is 3 pixels wide.
        xp: numpy; or `keras.ops`, of tensors.

    Returns:
        float `[...]`, 0..1; 0 where neither box has an area.

    Example:

    >>> box_overlap([0, 0, 1, 1], [[0, 0.5, 1, 1], [2, 2, 3, 3]]).tolist()
    [0.5, 0.0]
    >>> float(box_overlap([0, 0, 9, 9], [0, 5, 9, 9], inclusive=True))
    0.5
    """
    boxes, others = xp.array(boxes), xp.array(others)
    lowest_end = xp.minimum(boxes[..., 2:], others[..., 2:])
    highest_start = xp.maximum(boxes[..., :2], others[..., :2])
    intersection = _area(highest_start, lowest_end, inclusive, xp)
    union = (
        _area(boxes[..., :2], boxes[..., 2:], inclusive, xp)
        + _area(others[..., :2], others[..., 2:], inclusive, xp)
        - intersection
    )
    return intersection / xp.maximum(union, 1e-12)


def box_agreement(scores, boxes, region_mask, power, xp=np):
    """How far each region of an image agrees with those that fit a phrase.

        a_i = sum_j p_j IoU(i, j)^power,   p = softmax_j((u_j - mean(u)) / (0.7 std(u)))

    With power 1 it is the overlap that is to be expected, where the region that is meant is j with
    probability p_j. Regions that do not overlap keep the order of their scores u.

    Args:
        scores: float32 `[B, R]`, u, of each region for the phrase.
        boxes: float32 `[B, R, 4]` or `[1, R, 4]`, `ymin, xmin, ymax, xmax`.
        region_mask: bool `[B, R]` or `[1, R]`; which regions are no padding.
        power: `WITHOUT_BOXES` or `WITH_BOXES`, as the model has learnt.
        xp: numpy; or `keras.ops`, of tensors.

    Returns:
        float32 `[B, R]`, 0 to 1; 0 at padding.

    Not in the papers (docs/equations.md 5); the numbers were chosen on Flickr8K dev.

    Example: the first region fits best, and the next two are of one thing.

    >>> boxes = [[[0, 0, 0.2, 0.2], [0.5, 0.5, 1, 1], [0.5, 0.6, 1, 1], [0, 0.8, 0.2, 1]]]
    >>> scores, mask = np.array([[5.0, 4.8, 4.6, 0.0]]), np.ones((1, 4), bool)
    >>> np.argsort(-box_agreement(scores, boxes, mask, WITH_BOXES)[0]).tolist()
    [1, 2, 0, 3]
    """
    boxes = xp.array(boxes)
    real = xp.where(region_mask, 1.0, 0.0)
    count = xp.maximum(xp.sum(real, axis=1, keepdims=True), 1.0)
    away = (scores - xp.sum(scores * real, axis=1, keepdims=True) / count) * real
    deviation = xp.sqrt(xp.sum(away * away, axis=1, keepdims=True) / count)
    standardised = away / xp.maximum(_AGREEMENT_TEMPERATURE * deviation, 1e-12)
    fits = xp.exp(standardised - xp.max(standardised, axis=1, keepdims=True)) * real
    fits = fits / xp.maximum(xp.sum(fits, axis=1, keepdims=True), 1e-12)
    overlap = box_overlap(boxes[:, :, None], boxes[:, None], xp=xp) ** power
    # A box without an area overlaps with itself, too.
    return xp.maximum(xp.matmul(overlap, fits[..., None])[..., 0] * real, fits)


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


def _area(start, end, inclusive, xp):
    sides = xp.maximum(end - start + int(inclusive), 0)
    return sides[..., 0] * sides[..., 1]
