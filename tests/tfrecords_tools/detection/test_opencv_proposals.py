import gzip
import hashlib
import sys
import types

import numpy as np
import pytest

from tfrecords_tools.detection.opencv_proposals import EdgeBoxes, SelectiveSearch, load_opencv
from vsa_tf.boxes import box_overlap, select_regions

SQUARE = np.array([[0.25, 0.25, 0.75, 0.75]])
PATCH, INNER = 32, 4


def test_without_opencv_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ValueError, match=r'pip install "vsa_tf\[opencv\]"'):
        load_opencv()


def test_opencv_without_contrib_is_told_from_none(monkeypatch):
    # What is left where another package that fills the same folder was installed later.
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(ValueError, match="OpenCV 5.0.0 without.*--force-reinstall"):
        load_opencv()


@pytest.fixture(scope="module")
def opencv():
    """Skips what needs OpenCV where it is not installed."""
    try:
        load_opencv()
    except ValueError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def forest(opencv, tmp_path_factory):
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
def test_best_edge_box_is_around_the_contour(forest, size):
    ((boxes, scores),) = EdgeBoxes(str(forest)).detect([bright_square(*size)], [None])
    assert boxes.dtype == scores.dtype == np.float32 and len(boxes) == len(scores)
    assert box_overlap(boxes[[scores.argmax()]], SQUARE) > 0.7


def test_the_same_image_has_the_same_edge_boxes(forest):
    detector = EdgeBoxes(str(forest))
    one, _, other = detector.detect(
        [bright_square(), bright_square(60, 60), bright_square()], [None] * 3
    )
    for first, second in zip(one, other):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [(96, 128), (8, 8), (8, 4000)])
def test_image_without_edges_has_no_edge_boxes(forest, size):
    ((boxes, scores),) = EdgeBoxes(str(forest)).detect([np.full((*size, 3), 90, np.uint8)], [None])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_description_names_the_forest_and_its_bytes_but_not_where_it_is(forest):
    described = EdgeBoxes(str(forest)).describe()
    assert described["spec"] == "edge_boxes:model.yml.gz"
    assert described["sha256"] == hashlib.sha256(forest.read_bytes()).hexdigest()


@pytest.mark.usefixtures("opencv")
@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%YAML:1.0\n---\nx: 1\n", b"%YAML:1.0\n---\noptions: {a: 1}\n"]
)
def test_file_that_is_no_forest_is_refused(tmp_path, content):
    # OpenCV itself would divide by a number of trees that is missing, and end the process.
    path = tmp_path / "other.yml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other.yml.*cannot be read"):
        EdgeBoxes(str(path))


@pytest.mark.usefixtures("opencv")
@pytest.mark.parametrize("model", ["", "/absent.yml.gz"])
def test_missing_forest_is_refused(model):
    with pytest.raises(ValueError, match="edge_boxes:MODEL.yml.gz"):
        EdgeBoxes(model)


@pytest.fixture(scope="module")
def search(opencv):
    return SelectiveSearch()


def uneven_bright_square(height=96, width=128):
    """A bright box in the middle of a dark picture, which is slightly uneven."""
    image = np.random.default_rng(0).integers(30, 50, (height, width, 3)).astype(np.uint8)
    image[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] += 170
    return image


@pytest.mark.parametrize("size", [(96, 128), (900, 1200), (700, 500)])
def test_search_finds_the_box_around_what_differs_from_the_rest(search, size):
    ((boxes, scores),) = search.detect([uneven_bright_square(*size)], [None])
    assert boxes.dtype == scores.dtype == np.float32 and len(boxes) == len(scores)
    assert boxes.min() >= 0 and boxes.max() <= 1
    assert box_overlap(boxes, SQUARE).max() > 0.8


def test_search_reduces_large_images_to_320_pixels(search):
    ((boxes, _),) = search.detect([uneven_bright_square(900, 1200)], [None])
    # Of 240 x 320: every end is a whole pixel there.
    pixels = boxes * [240, 320, 240, 320]
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
    assert search.describe()["longest_side"] == 320


def test_score_of_a_search_is_the_share_of_the_frame(search):
    ((boxes, scores),) = search.detect([uneven_bright_square()], [None])
    np.testing.assert_allclose(scores, np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), rtol=1e-5)


def test_search_of_the_same_image_finds_the_same_regions_in_the_same_order(search):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    image = image.repeat(2, axis=0).repeat(2, axis=1)
    found = [search.detect([image], [None])[0] for _ in range(3)]
    assert len(found[0][0]) > 20
    regions = [select_regions(*each, num_regions=101)[0] for each in found]
    for other in regions[1:]:
        np.testing.assert_array_equal(regions[0], other)


@pytest.mark.parametrize("size", [(8, 8), (8, 4000), (4000, 8)])
def test_search_of_the_smallest_and_longest_images_finds_boxes_too(search, size):
    ((boxes, _),) = search.detect([np.full((*size, 3), 90, np.uint8)], [None])
    assert np.isfinite(boxes).all() and boxes.shape[1] == 4
