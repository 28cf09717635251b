"""The detector of `--detector=selective_search`."""

import numpy as np

from tfrecords_tools.detection.opencv_proposals import OpenCVProposals

# Pixels. Time grows with their square: about half a second at 224 x 224.
_LONGEST_SIDE = 320


class SelectiveSearch(OpenCVProposals):
    """Boxes around segments and around what similar neighbours grow together to, in fast mode.

    A box's score is its share of the frame. OpenCV's own order is drawn at random and begins with
    small boxes: among the first 100 fewer would show what people mention.

    Reference: Uijlings, van de Sande, Gevers, Smeulders, Selective search for object recognition,
    2013.

    Raises:
        ValueError: OpenCV's contrib modules are not installed.
    """

    def __init__(self):
        super().__init__(_LONGEST_SIDE)

    def describe(self):
        return {
            "spec": "selective_search",
            "mode": "fast",
            "score": "area",
            "longest_side": self.longest_side,
        }

    def find_rectangles(self, image):
        search = self.cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(np.ascontiguousarray(image[..., ::-1]))
        search.switchToSelectiveSearchFast()
        # Sorted, as rectangles of one area would else keep the random order.
        rectangles = np.unique(search.process(), axis=0)
        share = np.prod(rectangles[:, 2:] / np.array(image.shape[1::-1]), axis=1)
        return rectangles, share.astype(np.float32)
