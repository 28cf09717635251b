"""What OpenCV's region proposals have in common."""

import numpy as np

from tfrecords_tools.detection.load_opencv import load_opencv


class OpenCVProposals:
    """Region proposals by OpenCV, of images that are reduced to a bounded size.

    A subclass says in `longest_side` how large they may be, and in `find_rectangles` what is found.

    Args:
        longest_side: pixels; larger images are averaged down to it.

    Raises:
        ValueError: OpenCV's contrib modules are not installed.
    """

    def __init__(self, longest_side):
        self.cv2 = load_opencv()
        self.longest_side = longest_side

    def find_rectangles(self, image):
        """Returns rectangles `[K, 4]`, `xmin, ymin, width, height`, and float32 `[K]` scores.

        Args:
            image: uint8 `[h, w, 3]`, RGB, in one piece of memory.
        """
        raise NotImplementedError

    def detect(self, images, examples):
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image):
        image = np.ascontiguousarray(image)
        scale = self.longest_side / max(image.shape[:2])
        if scale < 1:
            # Edges need a few pixels, however long the other side is.
            size = [max(8, round(side * scale)) for side in image.shape[1::-1]]
            image = self.cv2.resize(image, size, interpolation=self.cv2.INTER_AREA)
        rectangles, scores = self.find_rectangles(image)
        xmin, ymin, width, height = np.asarray(rectangles, np.float64).reshape(-1, 4).T
        boxes = np.stack([ymin, xmin, ymin + height, xmin + width], axis=1)
        return (boxes / np.tile(image.shape[:2], 2)).astype(np.float32), scores
