"""OpenCV's region proposals: selective search and edge boxes."""

import contextlib
import gzip
import hashlib
import io
import pathlib
import zlib

import numpy as np

from vsa_tf.file_reading import swells

# Pixels of the photographs that the constants of edge boxes were tuned on.
_LONGEST_EDGE_SIDE = 500
_MAX_EDGE_BOXES = 1000
_GZIP = b"\x1f\x8b"
# Pixels. Time of a search grows with their square: about half a second at 224 x 224.
_LONGEST_SEARCH_SIDE = 320


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


def load_opencv():
    """Imports OpenCV with `ximgproc`, of one thread so that results do not hang on their number.

    Returns:
        The module `cv2`.

    Raises:
        ValueError: OpenCV is not installed, or without its contrib modules.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            "Region proposals by OpenCV need its contrib modules, which are not installed: "
            'pip install "vsa_tf[opencv]"'
        ) from error
    if not hasattr(cv2, "ximgproc"):
        # Both packages fill the folder cv2: the one that was installed last is there.
        raise ValueError(
            f"Region proposals by OpenCV need its contrib modules. Received: OpenCV "
            f"{cv2.__version__} without them. Run: pip install --force-reinstall --no-deps "
            f'"opencv-contrib-python-headless"'
        )
    cv2.setNumThreads(1)
    return cv2


def _swells(content):
    """Whether a gzip file unpacks to far more than such a file has; it does not say itself."""
    size = 0
    # What is damaged is told by OpenCV.
    with (
        contextlib.suppress(EOFError, OSError, zlib.error),
        gzip.GzipFile(fileobj=io.BytesIO(content)) as file,
    ):
        while part := file.read(1 << 20):
            size += len(part)
            if swells(len(content), size):
                return True
    return False


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
        super().__init__(_LONGEST_EDGE_SIDE)
        try:
            content = pathlib.Path(model).read_bytes()
            if content.startswith(_GZIP) and _swells(content):
                raise ValueError("it is packed so that it would fill the memory")
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
            "max_boxes": _MAX_EDGE_BOXES,
        }

    def find_rectangles(self, image):
        edges = self._forest.detectEdges(image.astype(np.float32) / 255)
        orientation = self._forest.computeOrientation(edges)
        edges = self._forest.edgesNms(edges, orientation, isParallel=False)
        finder = self.cv2.ximgproc.createEdgeBoxes(maxBoxes=_MAX_EDGE_BOXES)
        rectangles, scores = finder.getBoundingBoxes(edges, orientation)
        if not len(rectangles):
            return (), np.zeros(0, np.float32)
        return rectangles, np.asarray(scores, np.float32).reshape(-1)


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
        super().__init__(_LONGEST_SEARCH_SIDE)

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
