"""What a caption generator sees of an image beside its whole frame."""

import keras
import numpy as np
import pytest

from tests.models.captioning.small_captioners import batch_of, make_batch, make_captioner
from vsa_tf.models.captioning.m_rnn import MRnn


@pytest.mark.parametrize("name", ["m_rnn", "dvsa_rnn"])
def test_the_mean_of_the_regions_is_beside_the_frame(name):
    batch = batch_of(f"{name} mean")
    model = make_captioner(f"{name} mean", feature_normalization="l2")
    features = batch["region_features"].astype("float64")
    # Rows of three regions, two, and the frame alone; all are of the length of root 5.
    features *= 5**0.5 / np.linalg.norm(features, axis=-1, keepdims=True)
    expected = np.zeros((4, 10))
    expected[:, :5] = features[:, 0]
    for row in range(4):
        others = features[row, 1:][batch["region_mask"][row, 1:]]
        if len(others):
            mean = others.mean(axis=0)
            expected[row, 5:] = mean * 5**0.5 / np.linalg.norm(mean)
    (terms,) = keras.tree.flatten(model.encode_images(batch))
    kernel = (model.V_I if name == "m_rnn" else model.image_projection).kernel
    np.testing.assert_allclose(terms[:, 0], expected @ np.array(kernel), rtol=1e-3, atol=1e-4)
    assert not expected[1, 5:].any() and expected[2, 5:].any()


@pytest.mark.parametrize("name", ["m_rnn mean", "m_rnn attention", "dvsa_rnn attention"])
def test_padding_of_regions_is_not_seen(name):
    batch = batch_of(name)
    model = make_captioner(name, batch)
    features = batch["region_features"].copy()
    features[~batch["region_mask"]] *= -3
    assert (features != batch["region_features"]).any()
    changed = model({**batch, "region_features": features})
    np.testing.assert_allclose(changed, model(batch), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["m_rnn m-rnn", "m_rnn mean", "dvsa_rnn attention"])
def test_no_layer_is_left_unbuilt(name):
    # Keras would warn whoever makes the model.
    assert all(layer.built for layer in make_captioner(name).layers)


def test_without_a_mask_all_regions_are_there():
    for name in ("m_rnn mean", "dvsa_rnn attention"):
        model, batch = make_captioner(name), make_batch(num_regions=3)
        expected = model(batch)
        del batch["region_mask"]
        np.testing.assert_array_equal(model(batch), expected)


def test_other_contexts_are_refused():
    with pytest.raises(ValueError, match="image_context to be one of.*'regions'"):
        MRnn(9, image_context="regions")
    with pytest.raises(ValueError, match="layer sees the image.*'vis_in_rnn'.*'mean'"):
        MRnn(9, "vis_in_rnn", image_context="mean")
