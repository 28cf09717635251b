import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.alignment.fragment_batches import (
    NUM_RELATIONS,
    VOCABULARY_SIZE,
    in_pixels,
    padded_further,
    relation_batch,
    with_noise_in_padding,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit, randomize
from vsa_tf.models.alignment.defrag_model import OBJECTIVES, DeFragModel, fragment_alignment_loss
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork

SETTINGS = {
    "vocabulary_size": VOCABULARY_SIZE,
    "num_relations": NUM_RELATIONS,
    "joint_size": 6,
    "word_embedding_size": 4,
    "frame_context": True,
    "region_geometry": True,
    "feature_normalization": "none",
    "margin": 40.0,
    "global_weight": 1.0,
    "dropout": 0.0,
}


def _batch(seed=0):
    """Two of the sentences are of one image."""
    return {**relation_batch(seed), "image_id": np.int32([0, 1, 2, 0, 3])}


def _model(batch=None, **settings):
    keras.utils.set_random_seed(0)
    model = DeFragModel(**{**SETTINGS, **settings})
    model(_batch() if batch is None else batch)
    return model


def _loss(model, batch, training=False):
    return float(model.compute_loss(x=batch, y_pred=model(batch), training=training))


def _terms(model, batch, multiple_instance=True):
    """C_F and C_G of the paper's margin 40, from the model's vectors."""
    v, s = (np.array(each) for each in (model.embed_images(batch), model.embed_sentences(batch)))
    products = np.einsum("kih,ljh->kilj", v, s)
    masks = batch["region_mask"], batch["relations"] != 0
    fragment = fragment_alignment_loss(products, *masks, batch["image_id"], multiple_instance)
    scores = np.array(model.score(v, masks[0], s, masks[1]))
    return float(fragment), float(RankingLoss(40.0)(scores, batch["image_id"]))


class TestDeFragModel(VsaTfTestCase):
    @pytest.mark.parametrize("from_pixels", [False, True])
    def test_config_and_weights_give_the_same_model(self, from_pixels):
        batch, network = _batch(), None
        if from_pixels:
            batch = in_pixels(batch)
            network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        model = _model(
            batch,
            image_network=network,
            objective="both",
            fragment_balance="batch",
            global_weight=0.5,
            margin=2.0,
            smoothing=3.0,
            weight_penalty=0.1,
            fragment_start_steps=4,
            multiple_instance_start_steps=5,
        )
        randomize(model)
        config = model.get_config()
        revived = DeFragModel.from_config(json.loads(json.dumps(config)))
        if not from_pixels:  # the network's shapes come back as lists
            assert revived.get_config() == config
        revived(batch)
        revived.set_weights(model.get_weights())
        assert _loss(revived, batch) == _loss(model, batch)
        for name, vectors in model(batch).items():
            np.testing.assert_array_equal(revived(batch)[name], vectors)

    def test_score_is_the_smoothed_mean_of_positive_products(self):
        batch, model = _batch(), _model()
        randomize(model)
        v, s = (
            np.array(each) for each in (model.embed_images(batch), model.embed_sentences(batch))
        )
        scores = np.array(model.score(v, batch["region_mask"], s, batch["relations"] != 0))
        assert scores.shape == (5, 5)
        for k, l in np.ndindex(5, 5):
            real_v, real_s = v[k][batch["region_mask"][k]], s[l][batch["relations"][l] != 0]
            expected = np.maximum(real_v @ real_s.T, 0).sum()
            expected /= len(real_v) * (len(real_s) + 5)
            np.testing.assert_allclose(scores[k, l], expected, rtol=1e-4, atol=1e-5)
        assert not scores[:, 1].any()

    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_loss_is_the_sum_of_its_objectives(self, objective):
        batch, model = _batch(), _model(objective=objective, global_weight=0.25)
        randomize(model)
        fragment, ranking = _terms(model, batch)
        expected = {"both": fragment + 0.25 * ranking, "fragment": fragment, "global": ranking}[
            objective
        ]
        np.testing.assert_allclose(_loss(model, batch), expected, rtol=1e-5)

    def test_weight_penalty_adds_the_squares_of_all_weights(self):
        batch = _batch()
        losses = []
        for penalty in (0.0, 0.5):
            model = _model(weight_penalty=penalty)
            randomize(model)
            losses.append(_loss(model, batch))
        squares = sum((np.array(weight) ** 2).sum() for weight in model.trainable_weights)
        np.testing.assert_allclose(losses[1] - losses[0], 0.5 * squares, rtol=1e-3)

    def test_schedule(self):
        batch = _batch()
        model = _model(fragment_start_steps=2, multiple_instance_start_steps=3)
        randomize(model)
        dense, ranking = _terms(model, batch, multiple_instance=False)
        fragment, _ = _terms(model, batch)
        assert fragment != dense
        losses = [_loss(model, batch, training=True) for _ in range(5)]
        expected = [ranking, ranking, ranking + dense, ranking + fragment, ranking + fragment]
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        assert int(model.steps_trained.value) == 5
        _loss(model, batch)
        assert int(model.steps_trained.value) == 5

    def test_the_fragment_objective_alone_waits_for_nothing(self):
        batch, model = _batch(), _model(objective="fragment", fragment_start_steps=9)
        np.testing.assert_allclose(_loss(model, batch), _terms(model, batch)[0], rtol=1e-5)

    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_padding_changes_nothing(self, objective):
        batch, model = _batch(), _model(objective=objective)
        randomize(model)
        for other in (padded_further(batch), with_noise_in_padding(batch)):
            np.testing.assert_allclose(_loss(model, other), _loss(model, batch), rtol=1e-5)

    @pytest.mark.parametrize("objective", OBJECTIVES)
    def test_training_puts_the_right_image_first(self, objective):
        model = _model(objective=objective, margin=1.0, smoothing=1.0)
        # Five images of their own, each with a sentence.
        batch = relation_batch(seed=1)
        batch["relations"][1, 0], batch["region_mask"][:] = 1, True
        model.compile(optimizer=keras.optimizers.Adam(0.02), jit_compile=False)
        losses = fit(model, 150, batch)
        assert losses[-1] < losses[0] / 2
        v, s = model.embed_images(batch), model.embed_sentences(batch)
        scores = np.array(model.score(v, batch["region_mask"], s, batch["relations"] != 0))
        np.testing.assert_array_equal(scores.argmax(axis=0), np.arange(5))

    def test_compiled_steps_have_the_same_losses(self):
        losses = []
        for jit_compile in (False, True):
            model = _model(fragment_start_steps=1, multiple_instance_start_steps=3)
            model.compile(optimizer=keras.optimizers.SGD(1e-4), jit_compile=jit_compile)
            losses.append(fit(model, 5, _batch()))
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)

    def test_mixed_precision_has_finite_float32_losses(self):
        with dtype_policy("mixed_bfloat16"):
            model = _model()
        batch = _batch()
        assert model(batch)["fragments"].dtype == tf.bfloat16
        loss = model.compute_loss(x=batch, y_pred=model(batch))
        assert loss.dtype == tf.float32
        assert np.isfinite(loss)

    def test_a_batch_without_relations_trains_on(self):
        batch, model = _batch(), _model()
        batch["relations"][:] = 0
        model.compile(optimizer="sgd", jit_compile=False)
        fit(model, 2, batch)
        assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_the_balance_is_that_of_the_fragment_objective(self):
        batch = _batch()
        model = _model(objective="fragment", fragment_balance="batch")
        randomize(model)
        output = {name: np.array(value) for name, value in model(batch).items()}
        products = np.einsum("kih,ljh->kilj", output["regions"], output["fragments"])
        given = products, batch["region_mask"], batch["relations"] != 0, batch["image_id"]
        expected = float(fragment_alignment_loss(*given, balance="batch"))
        assert abs(expected - float(fragment_alignment_loss(*given))) > 1e-3
        np.testing.assert_allclose(_loss(model, batch), expected, rtol=1e-5)

    def test_another_balance_is_refused(self):
        with pytest.raises(ValueError, match="fragment_balance to be one of.*'pair'"):
            DeFragModel(**SETTINGS, fragment_balance="pair")

    def test_another_objective_is_refused(self):
        with pytest.raises(ValueError, match="objective to be one of.*objective='mil'"):
            DeFragModel(**SETTINGS, objective="mil")
