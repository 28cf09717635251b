"""Detectors that are a SavedModel: what their boxes are measured in, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrecords_tools.model_garden import BOXES, SCORES, ModelGardenDetector
from tfrecords_tools.detection import saved_model_detector
from tfrecords_tools.detectors import make_detector
from tfrecords_tools.sources.source import SourceExample

IMAGE = np.zeros((60, 90, 3), np.uint8)


class BoxesAsGiven(tf.Module):
    """A detector with the common signature that gives the same boxes for every image."""

    def __init__(self, boxes, dtype=tf.uint8, shape=(1, None, None, 3)):
        super().__init__()
        self.boxes = np.float32(boxes)
        self.serve = tf.function(
            self._serve, input_signature=[tf.TensorSpec(shape, dtype, name="image")]
        )

    def _serve(self, image):
        boxes = self.boxes + 0 * tf.cast(tf.size(image), tf.float32)
        return {"detection_boxes": boxes[None], "detection_scores": tf.ones([1, len(self.boxes)])}


class OfHighImages(BoxesAsGiven):
    def _serve(self, image):
        check = tf.debugging.Assert(tf.shape(image)[1] > tf.shape(image)[2], ["as high as it is"])
        with tf.control_dependencies([check]):
            return super()._serve(tf.identity(image))


@pytest.fixture
def save(tmp_path):
    def save(module):
        path = str(tmp_path / "detector")
        tf.saved_model.save(module, path, signatures=module.serve)
        return path

    return save


def _detect(detector, image=IMAGE):
    example = SourceExample("a.jpg", "a.jpg", ("A dog .",), lambda: b"")
    return detector.detect([image], [example])[0]


@pytest.mark.parametrize("normalized", [False, True])
def test_boxes_of_model_garden_are_shares_of_the_image(save, normalized):
    detector = make_detector(save(ModelGardenDetector(normalized)))
    for shape in ((60, 90, 3), (400, 300, 3), (2000, 1000, 3)):
        boxes, scores = _detect(detector, np.zeros(shape, np.uint8))
        np.testing.assert_allclose(boxes, BOXES[:2], atol=1e-6)
        np.testing.assert_array_equal(scores, SCORES[:2])


def test_boxes_in_a_graph_are_those_of_the_writer(save):
    detector = make_detector(save(ModelGardenDetector()))
    specification = tf.TensorSpec([None, None, 3], tf.uint8)
    boxes, _ = tf.function(detector.find, input_signature=[specification])(IMAGE)
    np.testing.assert_allclose(boxes, BOXES[:2], atol=1e-6)
    np.testing.assert_array_equal(boxes, _detect(detector)[0])


@pytest.mark.parametrize(
    ("module", "received"),
    [
        (
            ModelGardenDetector(with_info=False),
            "2 of 2 boxes.*the first 42.67, 128, 213.3, 576, in an image of",
        ),
        (BoxesAsGiven(BOXES * 1000), "2 of 2 boxes.*the first 100, 200, 500, 900"),
        # x, y, width, height; and the corners' order turned round.
        (BoxesAsGiven([[0.5, 0.6, 0.2, 0.3], [0.1, 0.7, 0.2, 0.3]]), "the first 0.5, 0.6, 0.2"),
        (BoxesAsGiven(BOXES, tf.float32), "from float32"),
        (BoxesAsGiven(BOXES, tf.uint8, (1, 320, 320, 3)), r"from uint8 \(1, 320, 320, 3\)"),
        (BoxesAsGiven(BOXES, tf.uint8, (None, None, 3)), r"from uint8 \(None, None, 3\)"),
        (OfHighImages(BOXES), r"fails at one of \(192, 288, 3\): (?s:.*)as high"),
        (BoxesAsGiven(BOXES[:, :3]), r"'detection_boxes': '\(1, 3, 3\)'"),
    ],
)
def test_other_boxes_and_signatures_are_refused_before_any_photograph(save, module, received):
    with pytest.raises(ValueError, match=received):
        make_detector(save(module))


def test_a_detector_is_looked_at_once_in_a_process_and_one_that_is_refused_again(
    tmp_path, monkeypatch
):
    def save(name, boxes):
        module = BoxesAsGiven(boxes)
        tf.saved_model.save(module, str(tmp_path / name), signatures=module.serve)
        return str(tmp_path / name)

    shapes = []
    monkeypatch.setattr(
        saved_model_detector,
        "probe_image",
        lambda *shape: shapes.append(shape) or np.zeros((*shape, 3), np.uint8),
    )
    monkeypatch.setattr(saved_model_detector, "_LOOKED_AT", set())
    sound, wrong = save("sound", BOXES), save("wrong", BOXES * 1000)
    make_detector(sound)
    assert shapes == [(192, 288)]
    make_detector(sound)
    assert shapes == [(192, 288)]
    for number in (2, 3):
        with pytest.raises(ValueError, match="2 of 2 boxes"):
            make_detector(wrong)
        assert shapes == [(192, 288)] * number
    # One that finds nothing is asked about a high image, too.
    make_detector(save("blind", BOXES[:0]))
    assert shapes[3:] == [(192, 288), (288, 192)]


def test_boxes_that_leave_the_image_a_little_are_not_refused(save):
    given = np.float32([[-0.2, 0.1, 0.5, 1.3], [0.1, 0.1, 0.2, 0.2], [30, 30, 40, 40]])
    boxes, _ = _detect(make_detector(save(BoxesAsGiven(given))))
    np.testing.assert_array_equal(boxes, given)


def test_a_detector_that_finds_nothing_in_a_test_image_is_refused_at_its_first_box(save):
    class OfDarkImages(BoxesAsGiven):
        def _serve(self, image):
            outputs = super()._serve(image)
            is_dark = tf.reduce_max(image) == 0
            return outputs | {"num_detections": tf.where(is_dark, [2.0], [0.0])}

    detector = make_detector(save(OfDarkImages(BOXES * 1000)))
    assert len(_detect(detector, IMAGE + 9)[0]) == 0
    with pytest.raises(ValueError, match="2 of 2 boxes that are neither"):
        _detect(detector)
