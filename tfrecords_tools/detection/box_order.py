"""Whether boxes were written x before y, by what people have marked in the same images."""

import numpy as np

from vsa_tf.boxes import box_overlap

# Images before anything is concluded, and how far below zero, in standard errors and in overlap,
# their mean must lie: boxes of no order, or that overlap nothing, are never refused.
_MIN_IMAGES = 16
_STANDARD_ERRORS = 5.0
_MIN_DIFFERENCE = 0.05


class BoxOrder:
    """Compares boxes as they are given, and with x and y swapped, with annotated boxes.

    Attributes:
        given: for each image the mean over its annotated boxes of the best overlap (IoU).
        swapped: the same with x and y of the boxes swapped.
    """

    def __init__(self):
        self.given, self.swapped = [], []

    def add(self, boxes, annotated):
        """Takes in one image.

        Args:
            boxes: float `[K, 4]`, said to be `ymin, xmin, ymax, xmax`.
            annotated: float `[n, 4]`, in this order.
        """
        if len(boxes) and len(annotated):
            for overlaps, columns in ((self.given, [0, 1, 2, 3]), (self.swapped, [1, 0, 3, 2])):
                found = box_overlap(annotated[:, None], boxes[:, columns])
                overlaps.append(float(found.max(axis=1).mean()))

    def looks_swapped(self):
        """Returns whether the boxes fit clearly better when x and y are swapped."""
        if len(self.given) < _MIN_IMAGES:
            return False
        gain = np.array(self.swapped) - self.given
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        return bool(gain.mean() > max(_MIN_DIFFERENCE, _STANDARD_ERRORS * error))
