import gzip
import hashlib

import numpy as np
import pytest

from tfrecords_tools.detection.edge_boxes import EdgeBoxes
from tfrecords_tools.detection.load_opencv import load_opencv
from vsa_tf.boxes import box_overlap

SQUARE = np.array([[0.25, 0.25, 0.75, 0.75]])
PATCH, INNER = 32, 4


@pytest.fixture(scope="module", autouse=True)
def _needs_opencv():
    try:
        load_opencv()
    except ValueError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    """A forest of one tree of one question: is the gradient in the middle of the patch strong?

    If it is, the four middle pixels of the patch are edges.
    """
    # Channels are 3 colours, then the gradient's magnitude; patches are shrunk to half.
    side = PATCH // 2
    magnitude = 3 * side**2 + side // 2 * side + side // 2
    middle = [y * INNER + x for y in (1, 2) for x in (1, 2)]
    options = {
        "stride": 2,
        "shrinkNumber": 2,
        "patchSize": PATCH,
        "patchInnerSize": INNER,
        "numberOfGradientOrientations": 4,
        "gradientSmoothingRadius": 0,
        "regFeatureSmoothingRadius": 2,
        "ssFeatureSmoothingRadius": 8,
        "gradientNormalizationRadius": 4,
        "selfsimilarityGridSize": 5,
        "numberOfTrees": 1,
        "numberOfTreesToEvaluate": 1,
    }
    # The root's children are nodes 1 and 2; edges of node n are those from bound n to n + 1.
    tree = {
        "childs": [2, 0, 0],
        "featureIds": [magnitude, 0, 0],
        "thresholds": [0.5, 0.0, 0.0],
        "edgeBoundaries": [0, 0, 0, len(middle)],
        "edgeBins": middle,
    }
    text = "%YAML:1.0\n---\noptions:\n"
    text += "".join(f"   {name}: {value}\n" for name, value in options.items())
    text += "".join(f"{name}:\n   - {values}\n" for name, values in tree.items())
    path = tmp_path_factory.mktemp("forest") / "model.yml.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def bright_square(height=96, width=128):
    image = np.full((height, width, 3), 40, np.uint8)
    image[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 220
    return image


# The larger one is reduced to 375 x 500.
@pytest.mark.parametrize("size", [(96, 128), (900, 1200)])
def test_best_box_is_around_the_contour(forest, size):
    ((boxes, scores),) = EdgeBoxes(str(forest)).detect([bright_square(*size)], [None])
    assert boxes.dtype == scores.dtype == np.float32 and len(boxes) == len(scores)
    assert box_overlap(boxes[[scores.argmax()]], SQUARE) > 0.7


def test_the_same_image_has_the_same_boxes(forest):
    detector = EdgeBoxes(str(forest))
    one, _, other = detector.detect(
        [bright_square(), bright_square(60, 60), bright_square()], [None] * 3
    )
    for first, second in zip(one, other):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [(96, 128), (8, 8), (8, 4000)])
def test_image_without_edges_has_no_boxes(forest, size):
    ((boxes, scores),) = EdgeBoxes(str(forest)).detect([np.full((*size, 3), 90, np.uint8)], [None])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_description_names_the_file_and_its_bytes_but_not_where_it_is(forest):
    described = EdgeBoxes(str(forest)).describe()
    assert described["spec"] == "edge_boxes:model.yml.gz"
    assert described["sha256"] == hashlib.sha256(forest.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%YAML:1.0\n---\nx: 1\n", b"%YAML:1.0\n---\noptions: {a: 1}\n"]
)
def test_file_that_is_no_forest_is_refused(tmp_path, content):
    # OpenCV itself would divide by a number of trees that is missing, and end the process.
    path = tmp_path / "other.yml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other.yml.*cannot be read"):
        EdgeBoxes(str(path))


@pytest.mark.parametrize("model", ["", "/absent.yml.gz"])
def test_missing_file_is_refused(model):
    with pytest.raises(ValueError, match="edge_boxes:MODEL.yml.gz"):
        EdgeBoxes(model)
