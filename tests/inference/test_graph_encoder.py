import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import keras_hub_presets
from tests.inference.small_models import save_encoder
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.encoding.region_encoders import crop_regions
from vsa_tf.inference.graph_photographs import GraphEncoder, graph_crops

FRAME = (0.0, 0.0, 1.0, 1.0)
SIZES = (1, 7, 32)
WHOLE = (0.0, 0.0, 1.0, 1.0)


def _compare(encoder, *counts):
    """Compares features of the frame and so many boxes, by one graph for all."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (50, 40, 3)).astype(np.uint8)
    module = GraphEncoder(encoder)
    run = tf.function(
        module,
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4))],
    )
    for num_boxes in counts:
        corners = np.sort(rng.random((num_boxes, 2, 2)) * 0.5, axis=1) + [[[0.0], [0.4]]]
        boxes = np.concatenate([[FRAME], corners.reshape(-1, 4)]).astype(np.float32)
        (expected,) = encoder.encode([image], [boxes])
        assert module.feature_size == expected.shape[1]
        np.testing.assert_allclose(run(image, boxes), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder") / "encoder")


@pytest.mark.parametrize(("region_features", "size"), [("crop", 24), ("pool", 64), ("both", 24)])
def test_regions_have_the_features_of_the_records(directory, region_features, size):
    # None but the frame, fewer than in one call of the network, and more.
    _compare(make_encoder(directory, region_features, size), 0, 3, 12)


def test_a_saved_model_holds_the_variables_of_pooled_features(directory, tmp_path):
    module = tf.Module()
    module.encoder = GraphEncoder(make_encoder(directory, "pool", 64))
    module.run = tf.function(
        lambda image: module.encoder(image, tf.constant([FRAME])),
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
    )
    image = np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8)
    expected = module.run(image)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(loaded.run(image), expected, rtol=1e-6)


def test_networks_of_keras_have_the_features_of_the_records():
    _compare(make_encoder("keras:MobileNet", "both", 64, weights="random"), 2)


@pytest.mark.parametrize("name", ["resnet", "clip"])
def test_networks_of_keras_hub_have_the_features_of_the_records(tmp_path, name):
    pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")
    spec = f"keras_hub:{keras_hub_presets.save(name, tmp_path / name)}"
    _compare(make_encoder(spec, "both", num_crops=10), 2)


@pytest.mark.parametrize("region_features", ["crop", "both"])
def test_ten_crops_have_the_features_of_the_records(directory, region_features):
    _compare(make_encoder(directory, region_features, 24, num_crops=10), 0, 3)


@pytest.fixture(scope="module")
def crops():
    """`graph_crops` traced once for each size of crop, with images of unknown size."""
    return {
        size: tf.function(
            lambda image, boxes, size=size: graph_crops(image, boxes, size),
            autograph=False,
            input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4))],
        )
        for size in SIZES
    }


@st.composite
def boxes(draw):
    sides = st.floats(0, 1, width=32)
    points = draw(st.lists(st.tuples(sides, sides), min_size=2, max_size=2))
    (ymin, xmin), (ymax, xmax) = np.sort(points, axis=0)
    # `select_regions` keeps none that is smaller.
    return (ymin, xmin, ymax, xmax) if min(ymax - ymin, xmax - xmin) > 1e-3 else WHOLE


@settings(max_examples=150, deadline=None)
@given(
    st.integers(8, 150),
    st.integers(8, 150),
    st.lists(boxes(), min_size=1, max_size=4),
    st.sampled_from(SIZES),
    st.integers(0, 1000),
)
# Rows first: the height loses more than twice as many pixels as the width, or one too few.
@example(100, 60, [WHOLE], 32, 0)
@example(100, 65, [WHOLE], 32, 0)
@example(100, 66, [WHOLE], 32, 0)
@example(32, 32, [WHOLE], 32, 0)
@example(9, 150, [(0.999, 0.25, 1.0, 0.75)], 7, 0)
def test_crops_equal_pillows_to_the_last_bit(crops, height, width, box_list, size, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    box_array = np.array(box_list, np.float32)
    np.testing.assert_array_equal(
        crops[size](image, box_array), crop_regions(image, box_array, size)
    )


def test_no_boxes_give_no_crops(crops):
    image = np.zeros((20, 20, 3), np.uint8)
    assert crops[7](image, np.zeros((0, 4), np.float32)).shape == (0, 7, 7, 3)
