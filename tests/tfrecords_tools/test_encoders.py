"""Encoders that `--image_encoder` names, and the two ways to a region's feature."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools.encoders import REGION_FEATURES, make_encoder
from tfrecords_tools.encoding.region_encoders import average_weights, crop_regions

FRAME = np.float32([[0, 0, 1, 1]])
HALVES = np.float32([[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.5, 1, 1]])


class MeanColour(tf.Module):
    """An encoder whose feature is the mean colour, by a feature map and global pooling."""

    def __init__(self, dtype=tf.float32):
        super().__init__()
        self.kernel = tf.Variable(tf.reshape(tf.eye(3), [1, 1, 3, 3]))

        specification = tf.TensorSpec([None, None, None, 3], dtype, name="inputs")
        self.signature = tf.function(self._vectors, input_signature=[specification])

    def _vectors(self, inputs):
        feature_map = tf.nn.conv2d(tf.cast(inputs, tf.float32), self.kernel, 1, "SAME")
        return {"default": tf.reduce_mean(feature_map, [1, 2])}


def save(path, dtype):
    module = MeanColour(dtype)
    tf.saved_model.save(module, str(path), signatures=module.signature)
    return str(path)


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory):
    return save(tmp_path_factory.mktemp("encoder") / "mean_colour", tf.float32)


def two_colours(height=16, width=16):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (255, 0, 51)
    image[:, width // 2 :] = (0, 102, 255)
    return image


@pytest.mark.parametrize("mode", REGION_FEATURES)
def test_features_of_halves_are_their_colours(encoder_dir, mode):
    encoder = make_encoder(encoder_dir, mode, crop_size=16)
    (features,) = encoder.encode([two_colours()], [HALVES])
    expected = np.array([[0.5, 0.2, 0.6], [1, 0, 0.2], [0, 0.4, 1]])
    if mode == "both":
        lengths = np.linalg.norm(expected, axis=1, keepdims=True)
        expected = np.tile(expected / lengths, 2)
    assert encoder.feature_size == expected.shape[1]
    assert encoder.describe()["feature_size"] == encoder.feature_size
    np.testing.assert_allclose(features, expected, atol=0.04)


@pytest.mark.parametrize("mode", REGION_FEATURES)
def test_batching_across_images_changes_no_feature(encoder_dir, mode):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in ((20, 30), (8, 40))]
    boxes = [HALVES, FRAME]
    encoder = make_encoder(encoder_dir, mode, crop_size=16)
    together = encoder.encode(images, boxes)
    alone = [encoder.encode([i], [b])[0] for i, b in zip(images, boxes)]
    for a, b in zip(together, alone):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("encoder_input", "expected"),
    [
        ("", [1, 0.4, 0]),
        ("0..1", [1, 0.4, 0]),
        ("-1..1", [1, -0.2, -1]),
        ("0..255", [255, 102, 0]),
        # By the mean and deviation that Model Garden and PyTorch give, in shares of 255.
        ("imagenet", [(1 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, -0.406 / 0.225]),
        ("caffe", [0 - 103.939, 102 - 116.779, 255 - 123.68]),
    ],
)
@pytest.mark.parametrize("mode", ["crop", "pool"])
def test_pixels_are_what_the_encoder_expects(encoder_dir, mode, encoder_input, expected):
    encoder = make_encoder(encoder_dir, mode, 16, encoder_input)
    orange = np.full((9, 9, 3), (255, 102, 0), np.uint8)
    (features,) = encoder.encode([orange], [FRAME])
    np.testing.assert_allclose(features, [expected], rtol=2e-3, atol=2e-3)
    # What the records of before there was this choice say stays valid.
    recorded = encoder.describe().get("encoder_input", "0..1")
    assert recorded == (encoder_input or "0..1")


def test_networks_of_uint8_normalize_themselves(tmp_path):
    path = save(tmp_path / "encoder", tf.uint8)
    orange = np.full((9, 9, 3), (255, 102, 0), np.uint8)
    for encoder_input in ("", "0..255"):
        (features,) = make_encoder(path, "crop", 16, encoder_input).encode([orange], [FRAME])
        np.testing.assert_allclose(features, [[255, 102, 0]])
    with pytest.raises(ValueError, match="0..255 for .*which takes uint8. Received: .*imagenet"):
        make_encoder(path, "crop", 16, "imagenet")


@pytest.mark.parametrize(
    ("takes", "received"),
    [
        (tf.TensorSpec([None], tf.string), r"string \(None,\)"),
        (tf.TensorSpec([None, 32, 48, 3]), r"float32 \(None, 32, 48, 3\)"),
    ],
)
def test_networks_of_other_than_square_images_are_refused(tmp_path, takes, received):
    module = tf.Module()
    module.serve = tf.function(
        lambda images: {"default": tf.zeros([1, 3])}, input_signature=[takes]
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    with pytest.raises(ValueError, match=f"float32 or uint8 images.*takes {received}"):
        make_encoder(str(tmp_path / "m"))


def test_both_ways_stand_side_by_side_in_equal_lengths(encoder_dir):
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    both, crop, pool = (
        make_encoder(encoder_dir, mode, crop_size=size).encode([image], [HALVES])[0]
        for mode, size in (("both", 16), ("crop", 16), ("pool", 0))
    )
    np.testing.assert_allclose(np.linalg.norm(both.reshape(3, 2, 3), axis=2), 1, rtol=1e-6)
    for part, whole in ((both[:, :3], crop), (both[:, 3:], pool)):
        lengths = np.linalg.norm(whole, axis=1, keepdims=True)
        np.testing.assert_allclose(part, whole / lengths, rtol=1e-6)


def test_black_regions_have_a_finite_feature(encoder_dir):
    (features,) = make_encoder(encoder_dir, "both", 16).encode(
        [np.zeros((9, 9, 3), np.uint8)], [HALVES]
    )
    np.testing.assert_array_equal(features, np.zeros((3, 6)))


def test_crops_of_the_frame_at_its_own_size_are_the_image():
    image = np.random.default_rng(1).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    np.testing.assert_array_equal(crop_regions(image, FRAME, 12)[0], image)


def test_average_weights_sum_to_one_and_follow_the_interval():
    weights = average_weights(np.float32([0, 0, 0.5]), np.float32([1, 0.25, 1]), 8)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    # A linear signal's average over an interval is its value at the middle.
    centres = (np.arange(8) + 0.5) / 8
    np.testing.assert_allclose(weights @ centres, [0.5, 0.125, 0.75], atol=0.01)


def test_maps_are_found_in_functions_within_functions_before_they_are_pooled(tmp_path, capfd):
    module = MeanColour()
    inner = tf.function(lambda x: tf.nn.relu(tf.nn.conv2d(x, module.kernel, 1, "SAME")))
    # Pooled to one cell, as in TF Hub's networks of TensorFlow 1, it has D channels still.
    pooled = tf.function(lambda x: tf.reduce_mean(inner(2.0 * x), [1, 2], keepdims=True))
    signature = tf.function(
        lambda inputs: {"default": pooled(inputs)[:, 0, 0]},
        input_signature=[tf.TensorSpec([None, None, None, 3])],
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=signature)
    capfd.readouterr()
    (features,) = make_encoder(str(tmp_path / "m"), "pool", 16).encode([two_colours()], [HALVES])
    np.testing.assert_allclose(features[1:], [[2, 0, 0.4], [0, 0.8, 2]], atol=0.04)
    # No session of TensorFlow's optimizer begins for it, which would tell of itself.
    assert capfd.readouterr() == ("", "")


def test_networks_without_maps_are_refused(tmp_path):
    module = tf.Module()
    module.serve = tf.function(
        lambda images: {"default": tf.reduce_mean(images, [1, 2])[:, :2]},
        input_signature=[tf.TensorSpec([None, 8, 8, 3])],
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    with pytest.raises(ValueError, match="a feature map of 2 channels .*which has none"):
        make_encoder(str(tmp_path / "m"), "pool")


def test_a_directory_is_also_known_by_its_url(encoder_dir, tmp_path):
    folder = tmp_path / "mean colour"
    shutil.copytree(encoder_dir, folder)
    given, by_url = (make_encoder(handle, "crop", 16) for handle in (str(folder), folder.as_uri()))
    assert folder.as_uri().startswith("file:///") and "%20" in folder.as_uri()
    assert by_url.describe() == given.describe()
    with pytest.raises(ValueError, match="Received: 'file:///no/such', which has no"):
        make_encoder("file:///no/such")


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 320), (400, 256)])
def test_ten_crops_are_those_of_the_paper_in_an_image_of_256_pixels(encoder_dir, height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    encoder = make_encoder(encoder_dir, "crop", num_crops=10)
    assert encoder.describe()["frame_size"] == 224 and encoder.describe()["num_crops"] == 10
    seen = []

    class Network:
        feature_size, own_size = 3, 224

        def vectors(self, images):
            seen.extend(images)
            return images.mean(axis=(1, 2))

    encoder.network = Network()
    (features,) = encoder.encode([image], [HALVES])
    down, right = height - 224, width - 224
    tops = (0, 0, down, down, down // 2)
    lefts = (0, right, 0, right, right // 2)
    views = [image[y : y + 224, x : x + 224] for y, x in zip(tops, lefts)]
    views += [view[:, ::-1] for view in views]
    np.testing.assert_array_equal(np.array(seen)[:10], views)
    np.testing.assert_allclose(features[0], np.mean(views, axis=(0, 1, 2)), rtol=1e-5)
    # Regions are seen once.
    assert len(seen) == 12


def test_records_of_one_view_are_as_those_of_before_there_was_a_choice(encoder_dir):
    assert "num_crops" not in make_encoder(encoder_dir).describe()


def test_pixels_need_no_encoder_and_unknown_ones_are_errors():
    assert make_encoder("pixels") is None
    with pytest.raises(ValueError, match="keras:NoSuchNetwork"):
        make_encoder("keras:NoSuchNetwork")
    with pytest.raises(ValueError, match="keras:MobilNetV2. Did you mean keras:MobileNetV2 or "):
        make_encoder("keras:MobilNetV2")
    with pytest.raises(ValueError, match="no/such"):
        make_encoder("no/such")
    with pytest.raises(ValueError, match="region_features"):
        make_encoder("keras:MobileNetV2", "average")


@pytest.mark.parametrize("name", ["saved_model.pb", "variables.index", "variables.data"])
def test_a_saved_model_of_empty_files_is_one_error(encoder_dir, tmp_path, name):
    folder = shutil.copytree(encoder_dir, tmp_path / "encoder")
    (path,) = [path for path in folder.rglob("*") if path.name.startswith(name)]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="Expected a SavedModel that TensorFlow loads") as caught:
        make_encoder(str(folder))
    assert str(folder) in str(caught.value)


def test_weights_that_cannot_be_downloaded_are_one_error_that_says_what_to_do(monkeypatch):
    import keras

    def offline(**_):
        raise Exception("URL fetch failure on https://x/y.h5: None -- no name resolution")

    monkeypatch.setattr(keras.applications.mobilenet_v2, "MobileNetV2", offline)
    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(ValueError, match="keras:MobileNetV2 cannot be downloaded.*KERAS_HOME"):
        make_encoder("keras:MobileNetV2")


def test_keras_application_gives_finite_features():
    encoder = make_encoder("keras:MobileNetV2", "crop", crop_size=32, weights="random")
    features = encoder.network.vectors(np.zeros((2, 32, 32, 3), np.uint8))
    assert features.shape == (2, encoder.feature_size) and np.isfinite(features).all()
