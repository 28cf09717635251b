import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inference.small_models import photographs, save_encoder
from tests.tfrecords_tools.model_garden import BOXES, save_detector
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.image_decoding import decode_image
from vsa_tf.boxes import select_regions
from vsa_tf.inference.graph_photographs import GraphPhotographs, graph_regions
from vsa_tf.inference.photograph_reader import PhotographReader


@pytest.fixture(scope="module")
def regions():
    return tf.function(
        lambda boxes, scores: graph_regions(boxes, scores, 5, 0.5),
        input_signature=[tf.TensorSpec((None, 4)), tf.TensorSpec((None,))],
        autograph=False,
    )


# Few different numbers: equal scores, and overlaps of exactly one half, are common.
@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5])] * 4), max_size=12
    ),
    st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=12, max_size=12),
)
def test_regions_are_those_of_the_records_ties_too(regions, boxes, scores):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    scores = np.array(scores[: len(boxes)], np.float32)
    expected, _ = select_regions(boxes, scores, 5, 0.5)
    np.testing.assert_array_equal(regions(boxes, scores), expected)


def test_random_boxes_give_the_regions_of_the_records(regions):
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = np.sort(rng.random((40, 2, 2)), axis=1).reshape(40, 4).astype(np.float32)
        scores = rng.random(40).astype(np.float32)
        expected, _ = select_regions(corners, scores, 5, 0.5)
        np.testing.assert_array_equal(regions(corners, scores), expected)


def test_one_region_is_the_frame():
    boxes = graph_regions(tf.constant([[0.0, 0.0, 0.5, 0.5]]), tf.constant([0.9]), 1, 0.5)
    np.testing.assert_array_equal(boxes, [[0, 0, 1, 1]])


@pytest.mark.parametrize("kind", ["model_garden", "shapes", "none", "shapes,grid"])
def test_photographs_are_read_as_for_the_records(tmp_path, kind):
    detector = save_detector(tmp_path / "detector") if kind == "model_garden" else kind
    encoder = save_encoder(tmp_path / "encoder")
    recorded = make_encoder(encoder, "crop", 24, "imagenet").describe()
    inputs = {"encoder": recorded, "detector": {"spec": "proposals"}}
    reader = PhotographReader(inputs, 0, encoder, detector, num_regions=5)
    graph = GraphPhotographs(reader)
    images = photographs(3)
    expected = reader.batch([(data, decode_image(data)) for data in images])
    received = graph(tf.constant(images))
    np.testing.assert_array_equal(received["region_mask"], expected["region_mask"])
    for name, tolerance in (("region_boxes", 1e-6), ("region_features", 1e-3)):
        np.testing.assert_allclose(received[name], expected[name], tolerance, tolerance)
    if kind == "model_garden":
        for boxes, mask in zip(received["region_boxes"], received["region_mask"]):
            np.testing.assert_allclose(boxes[1:3], BOXES[:2], atol=1e-6)
            assert mask.numpy().sum() == 3
