import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.alignment.region_encoder import RegionEncoder

_RNG = np.random.default_rng(0)
FEATURES = _RNG.normal(size=(2, 3, 5)).astype("float16")
BOXES = np.float32(
    [
        [[0, 0, 1, 1], [0.25, 0.5, 0.75, 1.0], [0, 0, 0, 0]],
        [[0, 0, 1, 1], [0.1, 0, 0.2, 1], [0, 0, 0, 0]],
    ]
)


def _encoder(**kwargs):
    encoder = RegionEncoder(4, **kwargs)
    encoder(FEATURES, BOXES)
    randomize(encoder)
    return encoder


class TestRegionEncoder(VsaTfTestCase):
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"frame_context": True, "region_geometry": True},
            {"feature_normalization": "l2", "frame_context": True, "hidden_size": 6},
        ],
    )
    def test_layer(self, options):
        self.run_layer_test(
            RegionEncoder,
            {"units": 4, **options},
            [FEATURES, BOXES],
            (2, 3, 4),
            unknown_axes=[(0, 1), (0, 1)],
        )

    def test_every_setting_is_in_the_config(self):
        settings = {
            "units": 4,
            "frame_context": True,
            "region_geometry": True,
            "hidden_size": 6,
            "feature_normalization": "l2",
            "dropout": 0.25,
        }
        assert RegionEncoder(**settings).get_config().items() >= settings.items()

    def test_by_default_it_is_one_affine_map(self):
        encoder = _encoder()
        kernel, bias = encoder.get_weights()
        np.testing.assert_allclose(
            encoder(FEATURES, BOXES),
            FEATURES.astype("float32") @ kernel + bias,
            rtol=1e-5,
            atol=1e-6,
        )

    def test_frame_context_is_one_matrix_over_both_features(self):
        encoder = _encoder(frame_context=True)
        kernel, bias = (np.array(weight) for weight in encoder.projection.weights)
        (frame_kernel,) = encoder.frame_projection.get_weights()
        features = FEATURES.astype("float32")
        both = np.concatenate([features, np.repeat(features[:, :1], 3, axis=1)], axis=-1)
        expected = both @ np.concatenate([kernel, frame_kernel]) + bias
        np.testing.assert_allclose(encoder(FEATURES, BOXES), expected, rtol=1e-5, atol=1e-5)

    def test_a_hidden_layer_is_added(self):
        encoder = _encoder(hidden_size=6)
        kernel, bias = encoder.projection.get_weights()
        hidden_kernel, hidden_bias = encoder.hidden.get_weights()
        (second_kernel,) = encoder.hidden_projection.get_weights()
        features = FEATURES.astype("float32")
        hidden = np.maximum(features @ hidden_kernel + hidden_bias, 0.0)
        expected = features @ kernel + bias + hidden @ second_kernel
        np.testing.assert_allclose(encoder(FEATURES, BOXES), expected, rtol=1e-5, atol=1e-5)

    def test_geometry_is_box_height_width_area_and_squared_distance_from_the_middle(self):
        encoder = _encoder(region_geometry=True)
        (kernel,) = encoder.geometry_projection.get_weights()
        plain = encoder.projection(FEATURES.astype("float32"))
        added = np.array(encoder(FEATURES, BOXES) - plain)
        # Of the box .25 .5 .75 1: height .5, width .5, area .25; its centre is .5 .75.
        expected = np.float32([0.25, 0.5, 0.75, 1.0, 0.5, 0.5, 0.25, 0, 0.0625]) @ kernel
        np.testing.assert_allclose(added[0, 1], expected, rtol=1e-4, atol=1e-5)
        # A box of nothing in the corner is half the frame from the middle both ways.
        corner = np.float32([0, 0, 0, 0, 0, 0, 0, 0.25, 0.25]) @ kernel
        np.testing.assert_allclose(added[0, 2], corner, rtol=1e-4, atol=1e-5)

    def test_l2_gives_every_feature_the_same_length(self):
        encoder = _encoder(feature_normalization="l2")
        kernel, bias = encoder.get_weights()
        features = FEATURES.astype("float32")
        unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
        np.testing.assert_allclose(
            encoder(FEATURES, BOXES), np.sqrt(5) * unit @ kernel + bias, rtol=1e-4, atol=1e-5
        )

    def test_l2_of_a_padded_region_is_finite(self):
        encoder = _encoder(feature_normalization="l2")
        assert np.isfinite(encoder(np.zeros_like(FEATURES), BOXES)).all()

    def test_dropout_is_of_training_alone(self):
        encoder = _encoder(dropout=0.5)
        np.testing.assert_array_equal(encoder(FEATURES, BOXES), _encoder()(FEATURES, BOXES))
        dropped = encoder(FEATURES, BOXES, training=True)
        assert not np.allclose(dropped, encoder(FEATURES, BOXES))

    def test_other_normalizations_are_refused(self):
        with pytest.raises(ValueError, match="Expected feature_normalization.*Received.*'l1'"):
            RegionEncoder(4, feature_normalization="l1")
