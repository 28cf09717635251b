import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.two_branch.branch import Branch

FEATURES = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def _branch(**settings):
    branch = Branch(3, **{"hidden_size": 4, **settings})
    branch(FEATURES)
    randomize(branch)
    return branch


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _affine(layer, inputs):
    kernel, bias = layer.get_weights()
    return inputs @ kernel + bias


def _normalized(layer, inputs, training=False):
    gamma, beta, mean, variance = layer.get_weights()
    if training:
        mean, variance = inputs.mean(axis=0), inputs.var(axis=0)
    return (inputs - mean) / np.sqrt(variance + 1e-5) * gamma + beta


class TestBranch(VsaTfTestCase):
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"linear_branches": True, "input_dropout": 0.5},
            {"batch_norm_at": "last", "dropout": 0.5},
        ],
    )
    def test_layer(self, options):
        self.run_layer_test(Branch, {"units": 3, "hidden_size": 4, **options}, [FEATURES], (6, 3))

    def test_every_setting_is_in_the_config(self):
        settings = {
            "units": 3,
            "hidden_size": 7,
            "linear_branches": True,
            "batch_norm_at": "last",
            "dropout": 0.25,
            "input_dropout": 0.75,
        }
        assert Branch(**settings).get_config().items() >= settings.items()

    @pytest.mark.parametrize("training", [False, True])
    def test_batch_norm_stands_behind_the_first_layer(self, training):
        branch = _branch()
        normalized = _normalized(
            branch.batch_norm, _affine(branch.hidden_projection, FEATURES), training
        )
        expected = _unit(_affine(branch.output_projection, np.maximum(normalized, 0)))
        np.testing.assert_allclose(branch(FEATURES, training=training), expected, rtol=1e-4)

    @pytest.mark.parametrize("training", [False, True])
    def test_batch_norm_stands_behind_the_last_layer(self, training):
        branch = _branch(batch_norm_at="last")
        hidden = np.maximum(_affine(branch.hidden_projection, FEATURES), 0)
        outputs = _affine(branch.output_projection, hidden)
        expected = _unit(_normalized(branch.batch_norm, outputs, training))
        np.testing.assert_allclose(branch(FEATURES, training=training), expected, rtol=1e-4)

    def test_linear_is_one_layer(self):
        branch = _branch(linear_branches=True)
        assert len(branch.weights) == 2
        expected = _unit(_affine(branch.output_projection, FEATURES))
        np.testing.assert_allclose(branch(FEATURES), expected, rtol=1e-5)

    def test_inference_does_not_see_the_rest_of_the_batch(self):
        branch = _branch()
        for _ in range(3):
            branch(FEATURES, training=True)
        alone = branch(FEATURES[:1])
        np.testing.assert_allclose(branch(FEATURES)[:1], alone, rtol=1e-5)

    @pytest.mark.parametrize("place", ["first", "last"])
    def test_moving_averages_forget_by_the_momentum(self, place):
        branch = _branch(batch_norm_at=place)
        branch(FEATURES, training=True)
        values = _affine(branch.hidden_projection, FEATURES)
        if place == "last":
            values = _affine(branch.output_projection, np.maximum(values, 0))
        # They start from mean 0 and variance 1.
        np.testing.assert_allclose(
            branch.batch_norm.moving_mean, 0.1 * values.mean(axis=0), rtol=1e-4
        )
        np.testing.assert_allclose(
            branch.batch_norm.moving_variance, 0.9 + 0.1 * values.var(axis=0), rtol=1e-4
        )

    @pytest.mark.parametrize("place", ["first", "last"])
    def test_masked_rows_leave_the_statistics_alone(self, place):
        branch = _branch(batch_norm_at=place)
        mask = np.array([[True, True], [True, False], [True, True]])
        features = FEATURES.reshape(3, 2, 5)
        expected = branch(features.reshape(6, 5)[mask.reshape(6)], training=True)
        noisy = np.where(mask[..., None], features, 50)
        result = np.array(branch(noisy, feature_mask=mask, training=True))
        np.testing.assert_allclose(result[mask], expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("rate", [{"dropout": 0.5}, {"input_dropout": 0.5}])
    def test_dropout_is_of_training_alone(self, rate):
        branch = _branch(**rate)
        np.testing.assert_array_equal(branch(FEATURES), _branch()(FEATURES))
        dropped, kept = branch(FEATURES, training=True), _branch()(FEATURES, training=True)
        assert not np.allclose(dropped, kept)

    def test_rows_have_length_one(self):
        lengths = np.linalg.norm(_branch()(FEATURES), axis=-1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-6)

    def test_other_places_are_refused(self):
        with pytest.raises(ValueError, match="Expected batch_norm_at.*Received.*'middle'"):
            Branch(3, batch_norm_at="middle")
