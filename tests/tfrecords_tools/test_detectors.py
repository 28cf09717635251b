"""Detectors that `--detector` names."""

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools.detectors import JoinedDetector, make_detector
from tfrecords_tools.sources.shape_scenes import ShapeScenes
from tfrecords_tools.sources.source import SourceExample
from vsa_tf.boxes import box_overlap, select_regions

IMAGE = np.zeros((20, 30, 3), np.uint8)


def example(name="a.jpg", **fields):
    return SourceExample(name, name, ("A dog .",), lambda: b"", **fields)


class TwoBoxes(tf.Module):
    """A detector with the common signature; the second box scores the mean pixel."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
    def __call__(self, image):
        boxes = tf.constant([[[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 0.0, 0.0]]])
        score = tf.reduce_mean(tf.cast(image, tf.float32)) / 255.0
        return {
            "detection_boxes": boxes,
            "detection_scores": tf.reshape(tf.stack([0.9, score, 0.0]), [1, 3]),
            "num_detections": tf.constant([2.0]),
        }


def test_none_finds_nothing():
    ((boxes, scores),) = make_detector("none").detect([IMAGE], [example()])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_grid_covers_the_frame_with_windows_of_three_sizes():
    ((boxes, scores),) = make_detector("grid").detect([IMAGE], [example()])
    assert len(boxes) == len(scores) == 4 + 9 + 25
    assert boxes.min() == 0 and np.isclose(boxes.max(), 1)
    np.testing.assert_allclose(boxes[:4, 2:] - boxes[:4, :2], 2 / 3, rtol=1e-5)
    # Any point lies in a window of the smallest size.
    points = np.random.default_rng(0).uniform(size=(100, 2))
    small = boxes[-25:]
    inside = (points[:, None] >= small[:, :2]) & (points[:, None] <= small[:, 2:] + 1e-6)
    assert inside.all(-1).any(-1).all()


def test_shapes_are_found_in_generated_scenes():
    scenes = ShapeScenes(0, 0, 30)
    images = [scenes.scene("test", i).pixels() for i in range(30)]
    found = make_detector("shapes").detect(images, [None] * 30)
    boxes = [np.float32(scenes.scene("test", i).boxes) for i in range(30)]
    best = [
        box_overlap(own[:, None], detected).max(axis=1) for own, (detected, _) in zip(boxes, found)
    ]
    assert np.mean(np.concatenate(best) > 0.5) > 0.9
    # And little else: shapes that touch are one.
    assert sum(len(detected) for detected, _ in found) < 1.1 * sum(map(len, boxes))


def test_shapes_of_an_image_without_colours_are_none():
    ((boxes, scores),) = make_detector("shapes").detect([IMAGE], [example()])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_saved_model_boxes_are_cut_to_the_number_of_detections(tmp_path):
    tf.saved_model.save(TwoBoxes(), str(tmp_path / "m"), signatures=TwoBoxes().__call__)
    detector = make_detector(str(tmp_path / "m"))
    ((boxes, scores),) = detector.detect([IMAGE + 51], [example()])
    np.testing.assert_allclose(boxes, [[0, 0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4]])
    np.testing.assert_allclose(scores, [0.9, 0.2], rtol=1e-6)
    assert len(detector.describe()["sha256"]) == 64


def test_a_missing_saved_model_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="no/such/model"):
        make_detector("no/such/model")


def test_a_network_that_is_no_detector_is_refused(tmp_path):
    module = tf.Module()
    module.f = tf.function(
        lambda x: {"default": x}, input_signature=[tf.TensorSpec([1, 2], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.f)
    with pytest.raises(ValueError, match="detection_boxes"):
        make_detector(str(tmp_path / "m"))


def test_proposals_of_the_data_set_are_used_and_missing_ones_named():
    detector = make_detector("proposals")
    given = example(proposals=((0.0, 0.0, 0.5, 0.5),), proposal_scores=(0.5,))
    ((boxes, scores),) = detector.detect([IMAGE], [given])
    np.testing.assert_allclose(boxes, [[0, 0, 0.5, 0.5]])
    with pytest.raises(ValueError, match="a.jpg"):
        detector.detect([IMAGE], [example()])


def test_files_and_the_extra_are_named_by_their_prefix(tmp_path):
    (tmp_path / "p.json").write_text('{"a.jpg": {"boxes": [[0, 0, 0.5, 1]]}}')
    ((boxes, _),) = make_detector(f"proposals:{tmp_path / 'p.json'}").detect([IMAGE], [example()])
    np.testing.assert_allclose(boxes, [[0, 0, 0.5, 1]])
    with pytest.raises(ValueError, match="edge_boxes:MODEL.yml.gz"):
        make_detector("edge_boxes")


class _Given:
    """A detector of the same boxes in every image."""

    def __init__(self, boxes, scores):
        self._found = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)

    def describe(self):
        return {"spec": "given", "count": len(self._found[0])}

    def detect(self, images, examples):
        return [self._found] * len(images)


# A quarter each, and one that nearly is the lower right one: 100 / 110 of both together.
UPPER, LOWER = [0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]
RIGHT, NEAR_LOWER = [0, 0.5, 0.5, 1], [0.5, 0.45, 1, 1]


def test_boxes_of_the_first_detector_come_first_whatever_the_scores_of_the_next():
    first = _Given([UPPER, LOWER], [0.1, 0.2])
    second = _Given([NEAR_LOWER, RIGHT, [0.5, 0, 1, 0.5]], [9, 7, 8])
    detected = JoinedDetector([first, second]).detect([IMAGE] * 2, [example()] * 2)
    for boxes, scores in detected:
        assert boxes.dtype == scores.dtype == np.float32
        regions, _ = select_regions(boxes, scores, 20, 0.9)
        np.testing.assert_allclose(regions[1:], [LOWER, UPPER, [0.5, 0, 1, 0.5], RIGHT])
        # Fewer are the first of them; and above 10 / 11 both of the near ones stay.
        np.testing.assert_array_equal(select_regions(boxes, scores, 4, 0.9)[0], regions[:4])
        apart, _ = select_regions(boxes, scores, 20, 0.92)
        np.testing.assert_allclose(apart[1:4], [LOWER, UPPER, NEAR_LOWER])


def test_equal_scores_and_detectors_that_find_nothing_keep_their_order():
    joined = JoinedDetector([_Given([], []), _Given([RIGHT, UPPER], [1, 1]), _Given([LOWER], [1])])
    ((boxes, scores),) = joined.detect([IMAGE], [example()])
    np.testing.assert_allclose(select_regions(boxes, scores)[0][1:], [RIGHT, UPPER, LOWER])


def test_scores_that_are_no_numbers_are_not_hidden_by_joining():
    joined = JoinedDetector([_Given([UPPER], [np.nan]), _Given([LOWER], [1])])
    ((boxes, scores),) = joined.detect([IMAGE], [example()])
    with pytest.raises(ValueError, match="NaN or infinity"):
        select_regions(boxes, scores)


def test_joined_detectors_are_described_in_their_order_and_need_a_graph_each(tmp_path):
    tf.saved_model.save(TwoBoxes(), str(tmp_path / "m"), signatures=TwoBoxes().__call__)
    joined = make_detector(f"{tmp_path / 'm'},grid")
    described = joined.describe()
    assert described["spec"] == "m,grid" and len(joined.tracked) == 1
    parts = [make_detector(str(tmp_path / "m")).describe(), make_detector("grid").describe()]
    assert described["joined"] == parts
    ((boxes, scores),) = joined.detect([IMAGE + 51], [example()])
    found, own_scores = joined.find(tf.constant(IMAGE + 51))
    np.testing.assert_array_equal(found, boxes)
    np.testing.assert_allclose(own_scores, scores, rtol=1e-6)
    assert len(boxes) == 2 + 38 and scores[0] == 1
    assert not hasattr(make_detector("proposals,grid"), "find")
