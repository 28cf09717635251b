import numpy as np
import pytest
import tensorflow as tf

from tests.saved_models.small_models import save_encoder
from tfrecords_tools.encoders import REGION_FEATURES, make_encoder
from vsa_tf.saved_models.graph_encoder import GraphEncoder

FRAME = (0.0, 0.0, 1.0, 1.0)


def _compare(encoder, num_boxes):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (50, 40, 3)).astype(np.uint8)
    corners = np.sort(rng.random((num_boxes, 2, 2)) * 0.5, axis=1) + [[[0.0], [0.4]]]
    boxes = np.concatenate([[FRAME], corners.reshape(-1, 4)]).astype(np.float32)
    module = GraphEncoder(encoder)
    run = tf.function(
        module,
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((None, 4))],
    )
    (expected,) = encoder.encode([image], [boxes])
    assert module.feature_size == expected.shape[1]
    np.testing.assert_allclose(run(image, boxes), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder") / "encoder")


# None but the frame, fewer than in one call of the network, and more.
@pytest.mark.parametrize("num_boxes", [0, 3, 12])
def test_crops_have_the_features_of_the_records(directory, num_boxes):
    _compare(make_encoder(directory, "crop", 24), num_boxes)


@pytest.mark.parametrize("num_boxes", [0, 12])
def test_pooled_regions_have_the_features_of_the_records(directory, num_boxes):
    _compare(make_encoder(directory, "pool", 64), num_boxes)


@pytest.mark.parametrize("num_boxes", [0, 12])
def test_both_side_by_side_have_the_features_of_the_records(directory, num_boxes):
    _compare(make_encoder(directory, "both", 24), num_boxes)


@pytest.mark.parametrize("region_features", REGION_FEATURES)
def test_networks_of_keras_have_the_features_of_the_records(region_features):
    _compare(make_encoder("keras:MobileNet", region_features, 64, weights="random"), 2)
