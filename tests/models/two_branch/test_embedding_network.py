import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.two_branch.two_branch_batches import (
    RECURRENCE,
    SMALL,
    image_sentence_batch,
    task_batch,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit, randomize
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.models.two_branch.two_branch_loss import NEGATIVES, TwoBranchLoss
from vsa_tf.models.two_branch.two_branch_network import TASKS

# Those of `TwoBranchLoss`.
LOSS = {
    "negatives": "top_k",
    "text_neighborhood_weight": 0.05,
    "temperature": 0.07,
    "input_dropout": 0.0,
}


def _network(batch=None, **settings):
    keras.utils.set_random_seed(0)
    network = EmbeddingNetwork(**{**SMALL, **LOSS, **settings})
    network(image_sentence_batch() if batch is None else batch)
    return network


class TestEmbeddingNetwork(VsaTfTestCase):
    def test_own_settings_are_in_the_config(self):
        settings = {
            "negatives": "softmax",
            "text_to_image_weight": 1.0,
            "neighborhood_start_step": 7,
            "temperature": 0.1,
            "learn_temperature": True,
            "counted_neighbors": "all",
            "reduction": "sum",
        }
        network = _network(**settings)
        assert network.get_config().items() >= settings.items()
        revived = EmbeddingNetwork.from_config(network.get_config())
        assert revived.two_branch_loss.get_config() == network.two_branch_loss.get_config()

    def test_score_is_minus_the_distance(self):
        batch, network = image_sentence_batch(), _network()
        randomize(network)
        images, sentences = network.embed_images(batch), network.embed_sentences(batch)[:4]
        scores = network.score(images, sentences)
        assert scores.shape == (6, 4)
        squares = ((np.array(images)[:, None] - np.array(sentences)) ** 2).sum(axis=-1)
        np.testing.assert_allclose(scores, -np.sqrt(squares + 1e-4), rtol=1e-4)

    @pytest.mark.parametrize("task", TASKS)
    def test_loss_is_that_of_the_embeddings(self, task):
        batch, settings = (
            task_batch(task),
            {"image_neighborhood_weight": 0.1, "num_hard_negatives": 3},
        )
        network = _network(batch, task=task, **settings)
        outputs = network(batch)
        loss = network.compute_loss(x=batch, y_pred=outputs, training=False)
        expected = TwoBranchLoss(**settings)(
            outputs["images"], outputs["sentences"], network.masks(batch)
        )
        assert float(loss) > 0
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    @pytest.mark.parametrize(
        ("task", "negatives"),
        [*zip(itertools.repeat("image_sentence"), NEGATIVES), ("region_phrase", "top_k")],
    )
    def test_training_lowers_the_loss(self, task, negatives):
        batch = task_batch(task)
        network = _network(batch, task=task, negatives=negatives, margin=0.2)
        network.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
        losses = fit(network, 8, batch)
        assert losses[-1] < losses[0] / 2

    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    def test_words_are_trained_through(self, cell):
        network = _network(**{**RECURRENCE, "text": cell})
        network.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
        before = np.array(network.word_table.embeddings)
        losses = fit(network, 8, image_sentence_batch())
        assert losses[-1] < losses[0] / 2
        assert not np.allclose(network.word_table.embeddings, before)

    def test_steps_are_counted(self):
        batch, network = image_sentence_batch(), _network()
        network.compile(optimizer="sgd", jit_compile=False)
        fit(network, 3, batch)
        assert int(network.steps_trained.value) == 3
        network.compute_loss(x=batch, y_pred=network(batch), training=False)
        assert int(network.steps_trained.value) == 3

    def test_neighbourhood_terms_come_at_their_step(self):
        batch = image_sentence_batch()
        network = _network(text_neighborhood_weight=1.0, neighborhood_start_step=2)
        outputs = network(batch)
        with_terms, without = (
            float(
                TwoBranchLoss(text_neighborhood_weight=weight)(
                    outputs["images"], outputs["sentences"], network.masks(batch)
                )
            )
            for weight in (1.0, 0.0)
        )
        assert with_terms > without
        losses = [float(network.compute_loss(x=batch, y_pred=outputs)) for _ in range(4)]
        np.testing.assert_allclose(losses, [without] * 2 + [with_terms] * 2, rtol=1e-6)

    def test_temperature_is_trained_where_asked_for(self):
        batch = image_sentence_batch()
        network = _network(negatives="softmax", temperature=0.5, learn_temperature=True)
        np.testing.assert_allclose(np.exp(network.log_temperature), 0.5, rtol=1e-6)
        outputs = network(batch)
        expected = TwoBranchLoss(negatives="softmax")(
            outputs["images"], outputs["sentences"], network.masks(batch), temperature=0.5
        )
        loss = network.compute_loss(x=batch, y_pred=outputs, training=False)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        network.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
        fit(network, 60, batch)
        # Pairs that can be told apart are told apart more surely when it is cold.
        assert float(np.exp(network.log_temperature)) < 0.5

    def test_temperature_stays_above_a_hundredth(self):
        batch = image_sentence_batch()
        network = _network(negatives="softmax", learn_temperature=True)
        losses = []
        for temperature in (1e-2, 1e-4):
            network.log_temperature.assign(np.log(temperature))
            losses.append(network.compute_loss(x=batch, y_pred=network(batch), training=False))
        np.testing.assert_allclose(*losses, rtol=1e-5)

    def test_without_a_softmax_there_is_no_temperature_to_learn(self):
        with pytest.raises(ValueError, match="Expected negatives='softmax'.*Received.*'top_k'"):
            _network(learn_temperature=True)

    @pytest.mark.parametrize("task", TASKS)
    def test_compiled_steps_have_the_same_losses(self, task):
        losses = {}
        for jit_compile in (False, True):
            network = _network(
                task_batch(task),
                task=task,
                image_neighborhood_weight=0.1,
                neighborhood_start_step=2,
            )
            network.compile(optimizer=keras.optimizers.SGD(0.1, 0.9), jit_compile=jit_compile)
            losses[jit_compile] = [fit(network, 1, task_batch(task, seed))[0] for seed in range(4)]
            assert network.jit_compile is jit_compile
        np.testing.assert_allclose(losses[True], losses[False], rtol=1e-3)

    def test_a_batch_of_one_image_leaves_the_weights(self):
        batch, network = image_sentence_batch(), _network()
        batch["image_id"][:] = 3
        network.compile(optimizer="sgd", jit_compile=False)
        before = [np.array(weight) for weight in network.trainable_weights]
        assert fit(network, 2, batch) == [0.0, 0.0]
        for weight, start in zip(network.trainable_weights, before):
            np.testing.assert_array_equal(weight, start)

    def test_a_sentence_of_nothing_leaves_the_loss_finite(self):
        batch = image_sentence_batch()
        batch["sentence_features"][:] = 0
        batch["region_features"][:] = 0
        for linear in (True, False):
            network = _network(linear_branches=linear)
            network.compile(optimizer="sgd", jit_compile=False)
            assert np.isfinite(fit(network, 2, batch)).all()
            assert all(np.isfinite(weight).all() for weight in network.get_weights())

    def test_mixed_precision_trains(self):
        with dtype_policy("mixed_bfloat16"):
            network = _network()
            network.compile(optimizer="sgd", jit_compile=False)
            assert network(image_sentence_batch())["images"].dtype == tf.bfloat16
            assert np.isfinite(fit(network, 2, image_sentence_batch())).all()
        assert all(weight.dtype == "float32" for weight in network.trainable_weights)

    @pytest.mark.parametrize("task", TASKS)
    def test_gradients_of_scores(self, task):
        batch = task_batch(task)
        with dtype_policy("float64"):
            network = _network(batch, task=task)
        randomize(network)

        def scores():
            outputs = network(batch)
            return network.score(outputs["images"], outputs["sentences"])

        self.check_gradients(scores, network.trainable_weights)
