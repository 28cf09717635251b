"""From detections to the regions of a record."""

import numpy as np

from vsa_tf.boxes import box_overlap

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)


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
    for place in order:
        if len(chosen) == num_regions - 1:
            break
        if not suppressed[place]:
            chosen.append(place)
            suppressed |= box_overlap(boxes[place], boxes) > nms_threshold
    return (
        np.concatenate([WHOLE_FRAME, boxes[chosen]]),
        np.concatenate([np.ones(1, np.float32), scores[chosen]]),
    )
