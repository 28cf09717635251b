"""Phrase localization as on Flickr30K Entities: is the phrase's box among the first proposals?"""

import numpy as np

from vsa_tf.boxes import box_overlap
from vsa_tf.metrics.retrieval import RECALL_AT

# A half, and what rounding takes from it where boxes are normalised float32.
IOU_THRESHOLD = 0.5 - 1e-6
_NAMES = (*(f"R@{k}" for k in RECALL_AT), "pointing", "upper_bound", "chance")


def union_box(boxes):
    """The smallest box around `boxes [n, 4]`, each `ymin, xmin, ymax, xmax`: float64 `[4]`.

    Example:

    >>> union_box([[125, 159, 335, 219], [110, 197, 373, 261]]).tolist()
    [110.0, 159.0, 373.0, 261.0]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def points_at(boxes, truth, inclusive_pixels=False):
    """Whether the centres of boxes lie within another, on its border too: bool `[n]`.

    Args:
        boxes: float `[n, 4]`, `ymin, xmin, ymax, xmax`.
        truth: float `[4]`, of the same units.
        inclusive_pixels: whether maxima are pixels that belong to the box.

    Example:

    >>> points_at([[0, 0, 8, 8], [0, 0, 4, 8]], [3, 3, 9, 9]).tolist()
    [True, False]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    truth = np.asarray(truth, np.float64)
    beyond = int(inclusive_pixels)
    centers = (boxes[:, :2] + boxes[:, 2:] + beyond) / 2
    return ((centers >= truth[:2]) & (centers <= truth[2:] + beyond)).all(axis=1)


def phrase_localization(phrases, inclusive_pixels=True):
    """Recall and pointing accuracy of ranked proposals for phrases.

    One item per mention of a phrase. Its ground truth is the union of all boxes of its coreference
    chain; a phrase whose chain has no box is dropped and counted. A proposal is correct if its
    intersection over union with the ground truth is at least 0.5. The first one points at the
    ground truth if its centre lies within it, whatever its size: work that learns without boxes is
    compared by that. (Some take the boxes of a chain one by one, which is stricter.)

    Args:
        phrases: iterable of `(ranked_boxes [K, 4], truth_boxes [n, 4], phrase_type)`; boxes best
            first, `ymin, xmin, ymax, xmax` in the annotation's own pixels. K may be 0 (a miss) and
            differ between phrases, n may be 0 (dropped). A phrase of several types,
            `people/clothing`, counts in each of them, as in the data set's own protocol.
        inclusive_pixels: False for normalised or otherwise continuous coordinates.

    Returns:
        A dict: `"R@1"`, `"R@5"`, `"R@10"`, `"pointing"` (the first proposal points at the ground
        truth), `"upper_bound"` (some proposal is correct) and `"chance"` (expected R@1 of a
        proposal drawn at random) in percent, None where no phrase is left; `"num_phrases"` (those
        scored), `"num_dropped"`, and `"by_type"`: type -> the same percentages and
        `"num_phrases"`.

    Raises:
        ValueError: on a box that is not finite, or whose minimum exceeds its maximum.

    Reference: Plummer et al., Flickr30k Entities, 2015; T section 4.
    """
    rows, of_type, num_dropped = [], {}, 0
    for index, (ranked_boxes, truth_boxes, phrase_type) in enumerate(phrases):
        truth_boxes = _checked(truth_boxes, index, "truth")
        if len(truth_boxes) == 0:
            num_dropped += 1
            continue
        ranked_boxes, truth = _checked(ranked_boxes, index, "ranked"), union_box(truth_boxes)
        correct = box_overlap(ranked_boxes, truth, inclusive_pixels) >= IOU_THRESHOLD
        points = points_at(ranked_boxes[:1], truth, inclusive_pixels).any()
        rows.append(
            [correct[:k].any() for k in RECALL_AT]
            + [points, correct.any(), correct.mean() if correct.size else 0.0]
        )
        for name in set(phrase_type.split("/")):
            of_type.setdefault(name, []).append(len(rows) - 1)
    rows = np.asarray(rows, np.float64).reshape(-1, len(_NAMES))
    return {
        **_percentages(rows),
        "num_dropped": num_dropped,
        "by_type": {name: _percentages(rows[of_type[name]]) for name in sorted(of_type)},
    }


def _percentages(rows):
    means = 100.0 * rows.mean(axis=0) if len(rows) else [None] * len(_NAMES)
    values = {name: None if mean is None else float(mean) for name, mean in zip(_NAMES, means)}
    return {**values, "num_phrases": len(rows)}


def _checked(boxes, index, name):
    boxes = np.asarray(boxes, np.float64)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            "Expected boxes [n, 4] as ymin, xmin, ymax, xmax. "
            f"Received: {name} boxes of shape {boxes.shape} for phrase {index}"
        )
    wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if wrong.any():
        raise ValueError(
            "Expected finite boxes with ymin <= ymax and xmin <= xmax: check the order of the "
            f"coordinates. Received: {name} box {boxes[wrong][0].tolist()} of phrase {index}"
        )
    return boxes
