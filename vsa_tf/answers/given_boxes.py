"""Boxes of one's own in the place of a detector's."""

import numpy as np

_WHOLE_FRAME = np.float32([[0, 0, 1, 1]])


class GivenBoxes:
    """Reads the same boxes of every image; takes the place of a `PhotographReader` in `LiveModel`.

    Args:
        reader: the `PhotographReader`.
        boxes: float `[n, 4]`, normalised `ymin, xmin, ymax, xmax`.
    """

    def __init__(self, reader, boxes):
        self._reader = reader
        # Region 0 is the whole frame: models may add it to the others.
        self._boxes = np.concatenate([_WHOLE_FRAME, np.asarray(boxes, np.float32)])

    def batch(self, photographs):
        """Returns the batch of `PhotographReader.batch`: the frame, then the boxes as given."""
        return self._reader.batch(photographs, [self._boxes] * len(photographs))
