import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, randomize
from vsa_tf.layers.convolutional_encoder import ConvolutionalEncoder
from vsa_tf.layers.crop_network import CropNetwork
from vsa_tf.losses.ranking_loss import RankingLoss
from vsa_tf.model_settings import AlignmentSettings
from vsa_tf.models.alignment import SIMILARITIES, AlignmentModel
from vsa_tf.models.build_fragment_model import build_alignment

SETTINGS = {
    "vocabulary_size": 9,
    "joint_size": 6,
    "word_encoder": {"embedding_size": 4},
    "region_encoder": {"frame_context": True, "geometry": True},
}


def _batch(seed=0, size=5, num_regions=4, num_words=6):
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(size=(size, num_regions, 2, 2)), axis=2)
    boxes = corners.reshape(size, num_regions, 4).astype("float32")
    boxes[:, 0] = 0, 0, 1, 1
    lengths = rng.integers(1, num_words + 1, size)
    token_ids = rng.integers(1, 9, (size, num_words)) * (np.arange(num_words) < lengths[:, None])
    return {
        "region_features": rng.normal(size=(size, num_regions, 3)).astype("float16"),
        "region_boxes": boxes,
        "region_mask": np.arange(num_regions) < rng.integers(1, num_regions + 1, size)[:, None],
        "token_ids": token_ids.astype("int32"),
        "image_id": np.arange(size, dtype="int32"),
    }


def _model(batch=None, **settings):
    keras.utils.set_random_seed(0)
    model = AlignmentModel(**{**SETTINGS, **settings})
    model(_batch() if batch is None else batch)
    return model


def _fit(model, steps, batch):
    dataset = tf.data.Dataset.from_tensors(batch).repeat()
    history = model.fit(dataset, steps_per_epoch=1, epochs=steps, shuffle=False, verbose=0)
    return history.history["loss"]


class TestAlignmentModel(VsaTfTestCase):
    def test_config_round_trips(self):
        model = _model(
            loss={"margin": 0.2, "negatives": "top_k", "top_k": 3}, similarity="cosine",
            length_normalization=True, hardness_warmup_steps=7,
        )
        config = model.get_config()
        revived = AlignmentModel.from_config(json.loads(json.dumps(config)))
        assert revived.get_config() == config
        for name in ("region_encoder", "sentence_encoder", "ranking_loss"):
            own, other = getattr(model, name).get_config(), getattr(revived, name).get_config()
            own.pop("name", None), other.pop("name", None)
            assert own == other

    @pytest.mark.parametrize("from_pixels", [False, True])
    def test_config_and_weights_give_the_same_model(self, from_pixels):
        batch, network = _batch(), None
        if from_pixels:
            del batch["region_features"]
            batch["images"] = np.random.default_rng(0).integers(0, 256, (5, 10, 10, 3), "uint8")
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
        batch = _batch()
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
        batch, model = _batch(), _model(similarity=similarity)
        randomize(model)
        longer = dict(batch)
        for name in ("region_features", "region_boxes", "region_mask"):
            axes = [(0, 0), (0, 3)] + [(0, 0)] * (batch[name].ndim - 2)
            longer[name] = np.pad(batch[name], axes)
        longer["token_ids"] = np.pad(batch["token_ids"], ((0, 0), (0, 4)))
        np.testing.assert_allclose(model(longer), model(batch), rtol=1e-4, atol=1e-5)
        noisy = dict(batch)
        noisy["region_features"] = np.where(
            batch["region_mask"][..., None], batch["region_features"], np.float16(50)
        )
        np.testing.assert_array_equal(model(noisy), model(batch))

    def test_inner_keeps_magnitudes(self):
        model = _model(region_encoder=None)
        features = np.array(_batch()["region_features"], "float32")
        kernel, bias = model.region_encoder.get_weights()
        np.testing.assert_allclose(
            model.embed_images(_batch()), features @ kernel + bias, rtol=1e-4, atol=1e-5
        )

    @pytest.mark.parametrize("similarity", [name for name in SIMILARITIES if name != "inner"])
    def test_other_similarities_make_regions_unit_vectors(self, similarity):
        model = _model(similarity=similarity)
        randomize(model)
        lengths = np.linalg.norm(model.embed_images(_batch()), axis=-1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)

    def test_cosine_makes_words_unit_vectors(self):
        model = _model(similarity="cosine", word_encoder={"output_activation": "linear"})
        randomize(model)
        batch = _batch()
        lengths = np.linalg.norm(model.embed_sentences(batch), axis=-1)
        np.testing.assert_allclose(lengths[batch["token_ids"] != 0], 1, rtol=1e-5)

    def test_sentence_cosine_makes_the_sum_of_words_a_unit_vector(self):
        words = {"output_activation": "linear", "embedding_size": 4}
        model = _model(similarity="sentence_cosine", word_encoder=words)
        plain = _model(similarity="inner", word_encoder=words)
        for each in (model, plain):
            randomize(each)
        batch = _batch()
        mask = batch["token_ids"] != 0
        vectors = np.array(model.embed_sentences(batch)) * mask[..., None]
        np.testing.assert_allclose(np.linalg.norm(vectors.sum(axis=1), axis=-1), 1, rtol=1e-4)
        # Words keep their directions, and their magnitudes among those of the sentence.
        raw = np.array(plain.embed_sentences(batch))
        for sentence in range(5):
            ratio = vectors[sentence][mask[sentence]] / raw[sentence][mask[sentence]]
            np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)

    def test_loss_is_the_ranking_loss_of_the_scores(self):
        batch, model = _batch(), _model(loss={"margin": 0.3, "negatives": "hardest"})
        batch["image_id"] = np.int32([0, 1, 0, 2, 1])
        loss = model.compute_loss(x=batch, y_pred=model(batch), training=False)
        expected = RankingLoss(0.3, "hardest")(model(batch), batch["image_id"])
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_training_lowers_the_loss(self):
        batch, model = _batch(), _model()
        model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
        losses = _fit(model, 40, batch)
        assert losses[-1] < losses[0] / 2

    def test_steps_are_counted(self):
        batch, model = _batch(), _model()
        model.compile(optimizer="sgd", jit_compile=False)
        model(batch)
        assert int(model.steps_trained.value) == 0
        _fit(model, 3, batch)
        assert int(model.steps_trained.value) == 3
        model.compute_loss(x=batch, y_pred=model(batch), training=False)
        assert int(model.steps_trained.value) == 3

    def test_hardness_grows_with_the_steps(self):
        batch = _batch()
        model = _model(loss={"negatives": "hardest"}, hardness_warmup_steps=4)
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
            model = _model(loss={"negatives": "hardest"}, hardness_warmup_steps=3)
            model.compile(optimizer=keras.optimizers.SGD(0.01, 0.9), jit_compile=jit_compile)
            losses[jit_compile] = [_fit(model, 1, _batch(seed))[0] for seed in range(5)]
            assert model.jit_compile is jit_compile
        np.testing.assert_allclose(losses[True], losses[False], rtol=1e-4)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_a_sentence_without_words_leaves_loss_and_weights_finite(self, similarity):
        batch = _batch()
        batch["token_ids"][2] = 0
        model = _model(similarity=similarity, length_normalization=True)
        model.compile(optimizer="sgd", jit_compile=False)
        assert not np.array(model(batch))[:, 2].any()
        assert np.isfinite(_fit(model, 2, batch)).all()
        assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_mixed_precision_trains(self):
        with dtype_policy("mixed_bfloat16"):
            model = _model()
            model.compile(optimizer="sgd", jit_compile=False)
            assert model(_batch()).dtype == tf.bfloat16
            assert np.isfinite(_fit(model, 2, _batch())).all()
        assert all(weight.dtype == "float32" for weight in model.trainable_weights)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_gradients_of_scores(self, similarity):
        batch = _batch()
        with dtype_policy("float64"):
            model = _model(similarity=similarity)
        randomize(model)
        self.check_gradients(lambda: model(batch), model.trainable_weights, num_elements=5)

    def test_other_similarities_are_refused(self):
        with pytest.raises(ValueError, match="Expected similarity to be one of.*'euclidean'"):
            AlignmentModel(9, similarity="euclidean")


class TestBuildAlignment:
    def test_settings_reach_the_layers(self):
        settings = AlignmentSettings(
            joint_size=6, word_embedding_size=4, cell="gru", dropout=0.25, frame_context=True,
            margin=0.2, negatives="top_k", num_hard_negatives=3, hardness_warmup_epochs=1.5,
            similarity="cosine",
        )
        model = build_alignment(settings, 9, from_pixels=False, steps_per_epoch=10)
        assert model.image_network is None
        assert model.hardness_warmup_steps == 15
        assert model.similarity == "cosine"
        assert model.ranking_loss.get_config() == {
            "margin": 0.2, "negatives": "top_k", "top_k": 3
        }
        words, regions = model.sentence_encoder.get_config(), model.region_encoder.get_config()
        assert (words["units"], words["vocabulary_size"], words["embedding_size"]) == (6, 9, 4)
        assert (words["cell"], words["dropout"], regions["dropout"]) == ("gru", 0.25, 0.25)
        assert regions["frame_context"] and not regions["geometry"]

    def test_pixels_bring_a_network(self):
        model = build_alignment(AlignmentSettings(crop_size=16), 9, from_pixels=True)
        assert isinstance(model.image_network, CropNetwork)
        assert model.image_network.size == 16

    @pytest.mark.parametrize("name", ["keras:NoSuchNet", "keras:resnet"])
    def test_unknown_networks_are_refused(self, name):
        settings = AlignmentSettings(cnn=name)
        with pytest.raises(ValueError, match=f"Expected cnn.*Received: cnn='{name}'"):
            build_alignment(settings, 9, from_pixels=True)
