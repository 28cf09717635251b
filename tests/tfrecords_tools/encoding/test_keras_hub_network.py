"""Image networks of presets, made here of Keras Hub's own classes."""

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")

import keras_hub

from tests import keras_hub_presets
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.encoding.keras_networks import KerasHubNetwork

# Of each preset the tokens that stand before those of the patches.
_TOKENS_BEFORE = {"vit": 1, "dinov2": 4, "clip": 1, "siglip": 0}


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    names = ("resnet", "efficientnet", "vit", "dinov2", "clip", "siglip", "bert", "retinanet")
    return {name: keras_hub_presets.save(name, folder / name) for name in names}


def _given(path, size):
    """Two images, and the backbone and the pixels that Keras Hub makes of preset and images."""
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype(np.uint8)
    converter = keras_hub.layers.ImageConverter.from_preset(path)
    backbone = keras_hub.models.Backbone.from_preset(path)
    return images, backbone, converter(images.astype(np.float32))


def _tokens(name, backbone, pixels):
    if name == "siglip":
        import keras

        encoder = backbone.vision_encoder
        return keras.Model(encoder.inputs, encoder.post_layer_norm.output)(pixels)
    if name == "clip":
        return backbone.vision_encoder({"images": pixels})
    return backbone({"images": pixels} if name == "dinov2" else pixels)


@pytest.mark.parametrize("name", ["resnet", "efficientnet", "vit", "dinov2", "clip", "siglip"])
def test_vectors_are_the_pooled_output_of_pixels_that_the_preset_converts(presets, name):
    network = KerasHubNetwork(presets[name])
    images, backbone, pixels = _given(presets[name], network.own_size)
    if name in ("resnet", "efficientnet"):
        expected = np.mean(backbone(pixels), axis=(1, 2))
    elif name in ("clip", "siglip"):
        expected = backbone.get_vision_embeddings(pixels)
    else:
        expected = _tokens(name, backbone, pixels)[:, 0]
    np.testing.assert_allclose(network.vectors(images), expected, rtol=1e-4, atol=1e-5)
    assert network.feature_size == expected.shape[1]


@pytest.mark.parametrize("name", _TOKENS_BEFORE)
def test_maps_are_the_tokens_of_the_patches_in_their_places(presets, name):
    network = KerasHubNetwork(presets[name])
    images, backbone, pixels = _given(presets[name], 32)
    tokens = np.asarray(_tokens(name, backbone, pixels))
    maps = network.maps(images)
    # Patches of 8 pixels in images of 32, row by row.
    assert maps.shape == (2, 4, 4, network.map_channels)
    for row, column in ((0, 0), (1, 3), (3, 3)):
        expected = tokens[:, _TOKENS_BEFORE[name] + 4 * row + column]
        np.testing.assert_allclose(maps[:, row, column], expected, rtol=1e-4, atol=1e-5)


def test_maps_of_a_convolutional_network_are_of_any_size(presets):
    network = KerasHubNetwork(presets["resnet"])
    images, backbone, pixels = _given(presets["resnet"], 48)
    # The lower half of a frame twice as high sees what the frame alone does, but for the edge.
    above = np.concatenate([images, images], axis=1)
    maps, alone = network.maps(above), np.asarray(backbone(pixels))
    assert maps.shape == (2, 2 * alone.shape[1], alone.shape[2], network.map_channels)
    np.testing.assert_allclose(maps[:, :2], alone[:, :2], rtol=1e-4, atol=1e-4)


def test_pooled_frames_have_the_one_size_that_a_transformer_takes(presets):
    spec = f"keras_hub:{presets['clip']}"
    both = make_encoder(spec, "both").describe()
    assert (both["crop_size"], both["pool_frame_size"]) == (32, 32)
    # The embedding is of 10 numbers, tokens are of 16.
    assert both["feature_size"] == 26 and make_encoder(spec, "pool").feature_size == 16
    with pytest.raises(ValueError, match="--crop_size of 0 or 32.*Received: --crop_size=24"):
        make_encoder(spec, crop_size=24)
    assert make_encoder(f"keras_hub:{presets['resnet']}", "pool").describe()["frame_size"] == 96


def test_records_name_a_directory_without_its_path(presets):
    assert KerasHubNetwork(presets["vit"]).describe()["spec"] == "vit"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bert", "Expected --image_encoder of a model of images. .*BertBackbone"),
        (
            "retinanet",
            "feature maps or tokens at its end. Received: retinanet, a RetinaNetBackbone",
        ),
    ],
)
def test_models_without_a_vector_of_an_image_are_one_error(presets, name, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_encoder(f"keras_hub:{presets[name]}")
    assert "\n" not in str(caught.value)
