"""Detectors of presets, made here of Keras Hub's own classes."""

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")

import keras_hub

from tests import keras_hub_presets
from tfrecords_tools.detection.keras_hub_detector import KerasHubDetector
from tfrecords_tools.detectors import make_detector


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    names = ("retinanet", "d_fine", "resnet")
    return {name: keras_hub_presets.save(name, folder / name) for name in names}


@pytest.fixture(scope="module")
def detectors(presets):
    return {name: KerasHubDetector(presets[name]) for name in ("retinanet", "d_fine")}


def _image(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_boxes_of_retinanet_are_its_anchors_moved_and_stretched(detectors):
    image = _image(64, 96)  # as large as it sees images
    ((boxes, scores),) = detectors["retinanet"].detect([image], [None])
    task = detectors["retinanet"]._task
    pixels = task.preprocessor(image[None].astype(np.float32))
    outputs = {name: np.asarray(each)[0] for name, each in task(pixels, training=False).items()}
    expected = 1 / (1 + np.exp(-outputs["cls_logits"].max(axis=-1)))
    best = np.argsort(-expected)[:20]
    np.testing.assert_allclose(scores[:20], expected[best], rtol=1e-4)
    # Girshick et al., Rich feature hierarchies, 2014, appendix C; anchors are xyxy.
    anchors = np.concatenate([np.asarray(each) for each in task.anchor_generator(pixels).values()])
    starts, ends = anchors[best, :2], anchors[best, 2:]
    moves, stretches = np.split(outputs["bbox_regression"][best], 2, axis=1)
    centres = (starts + ends) / 2 + moves * (ends - starts)
    halves = np.exp(stretches) * (ends - starts) / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)[:, [1, 0, 3, 2]]
    np.testing.assert_allclose(boxes[:20], corners / [64, 96, 64, 96], rtol=1e-3, atol=1e-4)


def test_boxes_of_d_fine_are_centres_and_sides_in_shares_of_the_image(detectors):
    image = _image(50, 90)
    ((boxes, scores),) = detectors["d_fine"].detect([image], [None])
    task = detectors["d_fine"]._task
    outputs = task(task.preprocessor(image[None].astype(np.float32)), training=False)
    expected = 1 / (1 + np.exp(-np.asarray(outputs["logits"])[0].max(axis=-1)))
    best = np.argsort(-expected)
    np.testing.assert_allclose(scores, expected[best], rtol=1e-4)
    x, y, width, height = np.asarray(outputs["pred_boxes"])[0, best].T
    corners = np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=1)
    np.testing.assert_allclose(boxes, corners, rtol=1e-3, atol=1e-4)


class _BrightThings:
    """In the place of a network: its one box is what is bright in the pixels, as xyxy."""

    def __call__(self, pixels, training):
        return pixels

    def decode_predictions(self, predictions, pixels):
        rows, columns = (
            np.flatnonzero(np.asarray(pixels)[0, ..., 0].max(axis=axis) > 0.5) for axis in (1, 0)
        )
        box = [columns[0], rows[0], columns[-1] + 1.0, rows[-1] + 1.0]
        return {"boxes": np.array([[box]], np.float32), "scores": np.array([[[3.0]]], np.float32)}


@pytest.mark.parametrize("shape", [(120, 90), (60, 200), (101, 151)])
@pytest.mark.parametrize("aspect", ["stretched", "cropped", "padded"])
def test_boxes_are_in_shares_of_the_image_whatever_the_network_saw_of_it(presets, shape, aspect):
    detector = object.__new__(KerasHubDetector)
    detector._task, detector._format, detector._from_logits = _BrightThings(), "xyxy", True
    detector._converter = keras_hub.layers.RetinaNetImageConverter(
        image_size=(64, 96),
        scale=1 / 255,
        crop_to_aspect_ratio=aspect == "cropped",
        pad_to_aspect_ratio=aspect == "padded",
    )
    height, width = shape
    # In the middle, which all see.
    expected = np.array([0.4, 0.45, 0.6, 0.58])
    top, left, bottom, right = np.round(expected * [height, width, height, width]).astype(int)
    image = np.zeros((*shape, 3), np.uint8)
    image[top:bottom, left:right] = 255
    boxes, scores = detector.find(image)
    # A pixel of what the network sees on either side.
    np.testing.assert_allclose(
        boxes, [[top / height, left / width, bottom / height, right / width]], atol=0.03
    )
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-3.0))], rtol=1e-5)


def test_a_saved_model_finds_the_same(detectors, tmp_path):
    module = tf.Module()
    module.tracked = detectors["retinanet"].tracked
    module.find = tf.function(
        detectors["retinanet"].find,
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
    )
    tf.saved_model.save(module, str(tmp_path))
    image = _image(70, 41)
    ((boxes, scores),) = detectors["retinanet"].detect([image], [None])
    loaded = tf.saved_model.load(str(tmp_path))
    found = loaded.find(image)
    np.testing.assert_allclose(found[0], boxes, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], scores, rtol=1e-5, atol=1e-5)


def test_presets_that_are_no_detectors_are_one_error(presets):
    with pytest.raises(ValueError, match="Expected --detector of an object detector.*resnet"):
        make_detector(f"keras_hub:{presets['resnet']}")
    with pytest.raises(ValueError, match="keras.applications has none"):
        make_detector("keras:VGG16")
