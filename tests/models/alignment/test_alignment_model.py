import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.alignment.fragment_batches import (
    VOCABULARY_SIZE,
    in_pixels,
    padded_further,
    with_noise_in_padding,
    word_batch,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit, randomize
from vsa_tf.models.alignment.alignment_model import SIMILARITIES, AlignmentModel
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork

SETTINGS = {
    "vocabulary_size": VOCABULARY_SIZE,
    "joint_size": 6,
    "word_embedding_size": 4,
    "word_activation": "relu",
    "frame_context": True,
    "region_geometry": True,
    "region_hidden_size": 5,
    "feature_normalization": "none",
    "dropout": 0.0,
}
# The paper's loss: inner products, all negatives.
PAPER = {"similarity": "inner", "negatives": "sum", "margin": 1.0}
PAPER |= {"region_dropping": 0.0, "word_dropping": 0.0}


def _model(batch=None, **settings):
    keras.utils.set_random_seed(0)
    model = AlignmentModel(**{**SETTINGS, **PAPER, **settings})
    model(word_batch() if batch is None else batch)
    return model


class TestAlignmentModel(VsaTfTestCase):
    def test_config_round_trips(self):
        model = _model(
            word_activation="tanh",
            cell="gru",
            train_word_vectors=False,
            feature_normalization="l2",
            dropout=0.25,
            margin=0.2,
            negatives="top_k",
            num_hard_negatives=3,
            temperature=0.25,
            region_dropping=0.25,
            word_dropping=0.5,
            similarity="cosine",
            score="both",
            region_pooling="attention",
            region_sharpness=4.0,
            word_pooling="log_sum_exp",
            word_sharpness=5.0,
            length_normalization=True,
            hardness_warmup_steps=7,
        )
        config = model.get_config()
        revived = AlignmentModel.from_config(json.loads(json.dumps(config)))
        assert revived.get_config() == config
        for name in ("region_encoder", "sentence_encoder", "ranking_loss", "alignment_score"):
            own, other = getattr(model, name).get_config(), getattr(revived, name).get_config()
            own.pop("name", None), other.pop("name", None)
            assert own == other

    @pytest.mark.parametrize("from_pixels", [False, True])
    def test_config_and_weights_give_the_same_model(self, from_pixels):
        batch, network = word_batch(), None
        if from_pixels:
            batch = in_pixels(batch)
            network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        model = _model(batch, image_network=network)
        randomize(model)
        revived = AlignmentModel.from_config(json.loads(json.dumps(model.get_config())))
        revived(batch)
        revived.set_weights(model.get_weights())
        np.testing.assert_array_equal(revived(batch), model(batch))

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    @pytest.mark.parametrize("length_normalization", [False, True])
    def test_score_is_the_sum_of_best_regions(self, similarity, length_normalization):
        batch = word_batch()
        model = _model(similarity=similarity, length_normalization=length_normalization)
        randomize(model)
        regions = np.array(model.embed_images(batch))
        words = np.array(model.embed_sentences(batch))
        scores = np.array(model(batch))
        assert scores.shape == (5, 5)
        for k in range(5):
            real_regions = regions[k][batch["region_mask"][k]]
            for l in range(5):
                real_words = words[l][batch["token_ids"][l] != 0]
                expected = (real_words @ real_regions.T).max(axis=1).sum()
                if length_normalization:
                    expected /= len(real_words)
                np.testing.assert_allclose(scores[k, l], expected, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_padding_changes_nothing(self, similarity):
        batch, model = word_batch(), _model(similarity=similarity)
        randomize(model)
        np.testing.assert_allclose(model(padded_further(batch)), model(batch), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(model(with_noise_in_padding(batch)), model(batch))

    def test_inner_keeps_magnitudes(self):
        model = _model(frame_context=False, region_geometry=False, region_hidden_size=0)
        features = np.array(word_batch()["region_features"], "float32")
        kernel, bias = model.region_encoder.get_weights()
        np.testing.assert_allclose(
            model.embed_images(word_batch()), features @ kernel + bias, rtol=1e-4, atol=1e-5
        )

    @pytest.mark.parametrize("similarity", [name for name in SIMILARITIES if name != "inner"])
    def test_other_similarities_make_regions_unit_vectors(self, similarity):
        model = _model(similarity=similarity)
        randomize(model)
        lengths = np.linalg.norm(model.embed_images(word_batch()), axis=-1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)

    def test_cosine_makes_words_unit_vectors(self):
        model = _model(similarity="cosine", word_activation="linear")
        randomize(model)
        batch = word_batch()
        lengths = np.linalg.norm(model.embed_sentences(batch), axis=-1)
        np.testing.assert_allclose(lengths[batch["token_ids"] != 0], 1, rtol=1e-5)

    def test_sentence_cosine_makes_the_sum_of_words_a_unit_vector(self):
        model = _model(similarity="sentence_cosine", word_activation="linear")
        plain = _model(similarity="inner", word_activation="linear")
        for each in (model, plain):
            randomize(each)
        batch = word_batch()
        mask = batch["token_ids"] != 0
        vectors = np.array(model.embed_sentences(batch)) * mask[..., None]
        np.testing.assert_allclose(np.linalg.norm(vectors.sum(axis=1), axis=-1), 1, rtol=1e-4)
        # Words keep their directions, and their magnitudes among those of the sentence.
        raw = np.array(plain.embed_sentences(batch))
        for sentence in range(5):
            ratio = vectors[sentence][mask[sentence]] / raw[sentence][mask[sentence]]
            np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)

    def test_loss_is_the_ranking_loss_of_the_scores(self):
        batch, model = word_batch(), _model(margin=0.3, negatives="hardest")
        batch["image_id"] = np.int32([0, 1, 0, 2, 1])
        loss = model.compute_loss(x=batch, y_pred=model(batch), training=False)
        expected = RankingLoss(0.3, "hardest")(model(batch), batch["image_id"])
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_attention_trains_compiled(self):
        options = {"similarity": "sentence_cosine", "region_pooling": "attention", "score": "both"}
        batch, model = word_batch(), _model(**options, negatives="softmax", temperature=0.5)
        batch["token_ids"][2] = 0
        model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=True)
        losses = fit(model, 40, batch)
        # The sentence without words costs log 5 for ever: all its images score alike.
        assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]

    @pytest.mark.parametrize("cell", ["relu", "gru"])
    def test_what_is_left_out_in_training_might_not_be_there(self, cell):
        batch = word_batch()
        model = _model(
            cell=cell, similarity="sentence_cosine", region_dropping=0.5, word_dropping=0.5
        )
        randomize(model)
        state = np.array(model.seed_generator.state)
        dropped = {name: np.array(each) for name, each in model.drop(batch, training=True).items()}
        assert (dropped["region_mask"] != batch["region_mask"]).any()
        assert (dropped["token_ids"] != batch["token_ids"]).any()
        # The words that stay, moved together: the recurrence has not seen the others.
        words = [row[row != 0] for row in dropped["token_ids"]]
        shorter = np.zeros_like(batch["token_ids"])
        for row, ids in zip(shorter, words):
            row[: len(ids)] = ids
        expected = model({**dropped, "token_ids": shorter})
        model.seed_generator.state.assign(state)
        np.testing.assert_allclose(model(batch, training=True), expected, rtol=1e-4, atol=1e-5)
        assert np.abs(model(batch) - expected).max() > 0.01

    def test_training_lowers_the_loss(self):
        batch, model = word_batch(), _model()
        model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
        losses = fit(model, 40, batch)
        assert losses[-1] < losses[0] / 2

    def test_steps_are_counted(self):
        batch, model = word_batch(), _model()
        model.compile(optimizer="sgd", jit_compile=False)
        model(batch)
        assert int(model.steps_trained.value) == 0
        fit(model, 3, batch)
        assert int(model.steps_trained.value) == 3
        model.compute_loss(x=batch, y_pred=model(batch), training=False)
        assert int(model.steps_trained.value) == 3

    def test_hardness_grows_with_the_steps(self):
        batch = word_batch()
        model = _model(negatives="hardest", hardness_warmup_steps=4)
        scores = model(batch)
        everything, hardest = (
            float(RankingLoss(negatives=negatives)(scores, batch["image_id"]))
            for negatives in ("sum", "hardest")
        )
        losses = [float(model.compute_loss(x=batch, y_pred=scores)) for _ in range(6)]
        shares = [0, 0.25, 0.5, 0.75, 1, 1]
        expected = [share * hardest + (1 - share) * everything for share in shares]
        np.testing.assert_allclose(losses, expected, rtol=1e-6)

    def test_compiled_steps_have_the_same_losses(self):
        losses = {}
        for jit_compile in (False, True):
            model = _model(negatives="hardest", hardness_warmup_steps=3)
            model.compile(optimizer=keras.optimizers.SGD(0.01, 0.9), jit_compile=jit_compile)
            losses[jit_compile] = [fit(model, 1, word_batch(seed))[0] for seed in range(5)]
            assert model.jit_compile is jit_compile
        np.testing.assert_allclose(losses[True], losses[False], rtol=1e-4)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_a_sentence_without_words_leaves_loss_and_weights_finite(self, similarity):
        batch = word_batch()
        batch["token_ids"][2] = 0
        model = _model(similarity=similarity, length_normalization=True)
        model.compile(optimizer="sgd", jit_compile=False)
        assert not np.array(model(batch))[:, 2].any()
        assert np.isfinite(fit(model, 2, batch)).all()
        assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_mixed_precision_trains(self):
        with dtype_policy("mixed_bfloat16"):
            model = _model()
            model.compile(optimizer="sgd", jit_compile=False)
            assert model(word_batch()).dtype == tf.bfloat16
            assert np.isfinite(fit(model, 2, word_batch())).all()
        assert all(weight.dtype == "float32" for weight in model.trainable_weights)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_gradients_of_scores(self, similarity):
        batch = word_batch()
        with dtype_policy("float64"):
            model = _model(similarity=similarity)
        randomize(model)
        self.check_gradients(lambda: model(batch), model.trainable_weights)

    @pytest.mark.parametrize(
        ("similarity", "jit_compile"),
        # Where there is no division, there is nothing to compile otherwise.
        [*((name, False) for name in SIMILARITIES), ("cosine", True), ("sentence_cosine", True)],
    )
    def test_padded_regions_have_finite_gradients(self, similarity, jit_compile):
        # Their features are 0 and so is the bias at the start: the vector has no direction.
        batch = word_batch()
        model = _model(similarity=similarity, frame_context=False, region_geometry=False)
        batch["region_features"] = batch["region_features"] * batch["region_mask"][..., None]
        assert not batch["region_mask"].all()

        def gradients():
            with tf.GradientTape() as tape:
                loss = model.compute_loss(x=batch, y_pred=model(batch), training=False)
            return tape.gradient(loss, [model.region_encoder.projection.kernel.value])

        if jit_compile:
            gradients = tf.function(gradients, jit_compile=True, autograph=False)
        for gradient in gradients():
            assert np.isfinite(gradient).all() and np.any(gradient)

    def test_other_similarities_are_refused(self):
        with pytest.raises(ValueError, match="Expected similarity to be one of.*'euclidean'"):
            AlignmentModel(9, similarity="euclidean")
