"""The detector of `--detector=edge_boxes:MODEL.yml.gz`."""

import hashlib
import pathlib

import numpy as np

from tfrecords_tools.detection.opencv_proposals import OpenCVProposals

# Pixels of the photographs that the method's constants were tuned on.
_LONGEST_SIDE = 500
_MAX_BOXES = 1000


class EdgeBoxes(OpenCVProposals):
    """Boxes that many whole contours lie in.

    Args:
        model: file of the structured forest that finds edges; OpenCV has no other edges that come
            with their strength and direction.

    Reference: Zitnick, Dollar, Edge boxes: locating object proposals from edges, 2014.

    Raises:
        ValueError: the file is missing or no structured forest, or OpenCV's contrib modules are
            not installed.
    """

    def __init__(self, model):
        if not model:
            raise ValueError(
                "Expected --detector=edge_boxes:MODEL.yml.gz, the file of a structured forest, "
                "such as model.yml.gz of opencv_extra (testdata/cv/ximgproc). Received: no file"
            )
        super().__init__(_LONGEST_SIDE)
        try:
            content = pathlib.Path(model).read_bytes()
            storage = self.cv2.FileStorage(model, self.cv2.FILE_STORAGE_READ)
            # OpenCV divides by it unseen, which ends the process where it is missing.
            if not storage.getNode("options").getNode("numberOfTrees").real() >= 1:
                raise ValueError("it says no options: numberOfTrees")
            self._forest = self.cv2.ximgproc.createStructuredEdgeDetection(model)
        except (OSError, SystemError, ValueError, self.cv2.error) as error:
            raise ValueError(
                f"Expected --detector=edge_boxes:MODEL.yml.gz, the file of a structured forest. "
                f"Received: {model!r}, which cannot be read: "
                f"{str(error.__cause__ or error).strip()}"
            ) from error
        self._name, self._checksum = pathlib.Path(model).name, hashlib.sha256(content).hexdigest()

    def describe(self):
        return {
            "spec": f"edge_boxes:{self._name}",
            "sha256": self._checksum,
            "longest_side": self.longest_side,
            "max_boxes": _MAX_BOXES,
        }

    def find_rectangles(self, image):
        edges = self._forest.detectEdges(image.astype(np.float32) / 255)
        orientation = self._forest.computeOrientation(edges)
        edges = self._forest.edgesNms(edges, orientation, isParallel=False)
        finder = self.cv2.ximgproc.createEdgeBoxes(maxBoxes=_MAX_BOXES)
        rectangles, scores = finder.getBoundingBoxes(edges, orientation)
        if not len(rectangles):
            return (), np.zeros(0, np.float32)
        return rectangles, np.asarray(scores, np.float32).reshape(-1)
