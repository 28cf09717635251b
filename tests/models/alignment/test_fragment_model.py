"""What the models of regions and fragments share, and alignment by dependency relations."""

import json

import keras
import numpy as np
import pytest

from tests.models.alignment.fragment_batches import (
    NUM_RELATIONS,
    VOCABULARY_SIZE,
    padded_further,
    relation_batch,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit, randomize
from vsa_tf.models.alignment.alignment_model import SIMILARITIES, AlignmentModel
from vsa_tf.models.alignment.defrag_model import DeFragModel
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.alignment.word_encoder import WordEncoder

SETTINGS = {
    "vocabulary_size": VOCABULARY_SIZE,
    "num_relations": NUM_RELATIONS,
    "joint_size": 6,
    "word_embedding_size": 4,
    "word_activation": "linear",
    "frame_context": True,
    "region_geometry": True,
    "feature_normalization": "none",
    "dropout": 0.0,
}
# The paper's loss: inner products, all negatives.
PAPER = {"similarity": "inner", "negatives": "sum", "margin": 1.0}
PAPER |= {"region_dropping": 0.0, "word_dropping": 0.0}


def _alignment(**settings):
    keras.utils.set_random_seed(0)
    model = AlignmentModel(**{**SETTINGS, **PAPER, **settings})
    model(relation_batch())
    randomize(model)
    return model


class TestAlignmentByRelations(VsaTfTestCase):
    @pytest.mark.parametrize("similarity", SIMILARITIES)
    @pytest.mark.parametrize("length_normalization", [False, True])
    def test_score_is_the_sum_of_best_regions(self, similarity, length_normalization):
        batch = relation_batch()
        model = _alignment(similarity=similarity, length_normalization=length_normalization)
        regions, fragments = (
            np.array(each) for each in (model.embed_images(batch), model.embed_sentences(batch))
        )
        scores = np.array(model(batch))
        assert not scores[:, 1].any()
        for k, l in np.ndindex(5, 5):
            real_v = regions[k][batch["region_mask"][k]]
            real_s = fragments[l][batch["relations"][l] != 0]
            if len(real_s):
                expected = (real_s @ real_v.T).max(axis=1).sum()
                expected /= len(real_s) if length_normalization else 1
                np.testing.assert_allclose(scores[k, l], expected, rtol=1e-4, atol=1e-5)

    def test_sentence_cosine_makes_the_sum_of_relations_a_unit_vector(self):
        batch, model = relation_batch(), _alignment(similarity="sentence_cosine")
        real = (batch["relations"] != 0)[..., None]
        sums = (np.array(model.embed_sentences(batch)) * real).sum(axis=1)
        lengths = np.linalg.norm(sums, axis=-1)
        np.testing.assert_allclose(lengths[[0, 2, 3, 4]], 1, rtol=1e-4)
        assert lengths[1] == 0

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_padding_changes_nothing(self, similarity):
        batch, model = relation_batch(), _alignment(similarity=similarity)
        np.testing.assert_allclose(model(padded_further(batch)), model(batch), rtol=1e-4, atol=1e-5)

    def test_the_mask_is_of_relations_whatever_the_words_are(self):
        batch, model = relation_batch(), _alignment()
        np.testing.assert_array_equal(model.sentence_mask(batch), batch["relations"] != 0)
        unknown = dict(batch, heads=np.zeros_like(batch["heads"]))
        np.testing.assert_array_equal(model.sentence_mask(unknown), batch["relations"] != 0)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_a_batch_without_relations_leaves_weights_finite(self, similarity):
        batch = relation_batch()
        model = _alignment(similarity=similarity, length_normalization=True)
        model.compile(optimizer="sgd", jit_compile=False)
        assert np.isfinite(fit(model, 2, batch)).all()
        batch["relations"][:] = 0
        assert np.isfinite(fit(model, 2, batch)).all()
        assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_loss_is_the_ranking_loss_of_the_scores(self):
        batch, model = relation_batch(), _alignment(margin=0.3, negatives="hardest")
        loss = model.compute_loss(x=batch, y_pred=model(batch), training=False)
        expected = RankingLoss(0.3, "hardest")(model(batch), batch["image_id"])
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_config_and_weights_give_the_same_model(self):
        batch, model = relation_batch(), _alignment(similarity="cosine")
        config = model.get_config()
        revived = AlignmentModel.from_config(json.loads(json.dumps(config)))
        assert revived.get_config() == config
        revived(batch)
        revived.set_weights(model.get_weights())
        np.testing.assert_array_equal(revived(batch), model(batch))

    def test_compiled_steps_have_the_same_losses(self):
        losses = []
        for jit_compile in (False, True):
            model = _alignment()
            model.compile(optimizer=keras.optimizers.SGD(0.001), jit_compile=jit_compile)
            losses.append(fit(model, 3, relation_batch()))
        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)

    @pytest.mark.parametrize("similarity", SIMILARITIES)
    def test_gradients_of_scores(self, similarity):
        batch = relation_batch()
        with dtype_policy("float64"):
            model = _alignment(similarity=similarity)
        self.check_gradients(lambda: model(batch), model.trainable_weights)


class TestFragmentModel:
    def test_both_models_have_one_region_side(self):
        batch, alignment = relation_batch(), _alignment()
        defrag = DeFragModel(**SETTINGS)
        defrag(batch)
        for theirs, ours in zip(
            defrag.region_encoder.weights, alignment.region_encoder.weights, strict=True
        ):
            assert theirs.name == ours.name
            theirs.assign(ours)
        np.testing.assert_array_equal(defrag.embed_images(batch), alignment.embed_images(batch))

    @pytest.mark.parametrize("model_class", [AlignmentModel, DeFragModel])
    def test_relations_are_left_out_in_training_alone(self, model_class):
        batch = relation_batch()
        model = model_class(**SETTINGS, word_dropping=0.5, region_dropping=0.5)
        untouched = model.drop(batch, training=False)
        assert all(untouched[name] is batch[name] for name in batch)
        dropped = model.drop(batch, training=True)
        left_out = np.array(dropped["relations"]) != batch["relations"]
        assert left_out.any() and not np.array(dropped["relations"])[left_out].any()
        assert np.array(dropped["region_mask"])[:, 0].all()

    def test_draws_are_saved_where_there_are_any(self):
        assert len(_alignment(region_dropping=0.2).variables) == len(_alignment().variables) + 1

    def test_without_relations_fragments_are_words(self):
        model = AlignmentModel(9, 6, word_embedding_size=4)
        assert isinstance(model.sentence_encoder, WordEncoder)
        mask = model.sentence_mask({"token_ids": np.int32([[5, 4, 0]])})
        assert np.array(mask).tolist() == [[True, True, False]]

    def test_the_word_table_is_that_of_the_sentence_side(self):
        assert _alignment().word_table.embeddings.shape == (9, 4)
