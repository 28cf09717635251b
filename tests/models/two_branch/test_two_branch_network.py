import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.two_branch.two_branch_batches import (
    FEATURE_SIZE,
    RECURRENCE,
    SMALL,
    image_sentence_batch,
    region_phrase_batch,
    task_batch,
)
from tests.vsa_tf_test_case import randomize
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork
from vsa_tf.models.layers.sets import POOLINGS
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.models.two_branch.pair_masks import image_sentence_masks, region_phrase_masks
from vsa_tf.models.two_branch.similarity_network import SimilarityNetwork
from vsa_tf.models.two_branch.two_branch_network import TASKS, TwoBranchNetwork


def _network(batch, network_class=EmbeddingNetwork, **settings):
    keras.utils.set_random_seed(0)
    network = network_class(**{**SMALL, **settings})
    network(batch)
    randomize(network)
    return network


def _regions_batch():
    """Images with three regions beside the frame, with one, and with none."""
    features = np.random.default_rng(3).normal(size=(3, 4, FEATURE_SIZE)).astype("float16")
    mask = np.array([[True] * 4, [True, True, False, False], [True, False, False, False]])
    return {**image_sentence_batch(size=3), "region_features": features, "region_mask": mask}


class TestTwoBranchNetwork:
    @pytest.mark.parametrize("network_class", [EmbeddingNetwork, SimilarityNetwork])
    def test_config_round_trips(self, network_class):
        settings = {
            **SMALL,
            "task": "region_phrase",
            **RECURRENCE,
            "word_pooling": "learned",
            "bidirectional": True,
            "word_dropout": 0.1,
            "train_word_vectors": False,
            "hidden_size": 5,
            "text_hidden_size": 7,
            "linear_branches": True,
            "batch_norm_at": "last",
            "dropout": 0.5,
            "input_dropout": 0.2,
            "region_geometry": True,
            "regions_context": True,
            "regions_pooling": "learned",
            "regions_size": 3,
            "region_dropping": 0.1,
            "word_dropping": 0.2,
            "feature_normalization": "l2",
            "text_normalization": "l2",
            "negative_overlap": 0.2,
            "positive_overlap": 0.8,
        }
        network = network_class(**settings)
        config = network.get_config()
        assert config.items() >= settings.items()
        revived = network_class.from_config(json.loads(json.dumps(config)))
        assert revived.get_config() == config
        for name in ("image_branch", "text_branch", "sentence_recurrence"):
            own, other = getattr(network, name).get_config(), getattr(revived, name).get_config()
            own.pop("name"), other.pop("name")
            assert own == other

    @pytest.mark.parametrize("network_class", [EmbeddingNetwork, SimilarityNetwork])
    @pytest.mark.parametrize("from_pixels", [False, True])
    def test_config_and_weights_give_the_same_network(self, network_class, from_pixels):
        batch, image_network = region_phrase_batch(), None
        if from_pixels:
            del batch["region_features"]
            batch["images"] = np.random.default_rng(0).integers(0, 256, (6, 10, 10, 3), "uint8")
            image_network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        network = _network(
            batch,
            network_class,
            task="region_phrase",
            region_geometry=True,
            image_network=image_network,
            **RECURRENCE,
        )
        revived = network_class.from_config(json.loads(json.dumps(network.get_config())))
        revived(batch)
        revived.set_weights(network.get_weights())
        for name, value in network(batch).items():
            np.testing.assert_array_equal(revived(batch)[name], value)

    @pytest.mark.parametrize("task", TASKS)
    def test_images_are_region_0_of_regions(self, task):
        batch = region_phrase_batch()
        network = _network(batch, task=task, region_geometry=True)
        regions = np.array(network.embed_regions(batch))
        assert regions.shape == (6, 3, 4)
        np.testing.assert_allclose(network.embed_images(batch), regions[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(regions, axis=-1), 1, rtol=1e-5)

    def test_images_of_pixels_are_region_0(self):
        batch = region_phrase_batch()
        batch["images"] = np.random.default_rng(0).integers(0, 256, (6, 10, 10, 3), "uint8")
        network = _network(
            batch,
            task="region_phrase",
            image_network=CropNetwork(ConvolutionalEncoder((4,)), size=8),
        )
        np.testing.assert_allclose(
            network.embed_images(batch), network.embed_regions(batch)[:, 0], rtol=1e-4, atol=1e-5
        )

    def test_geometry_is_the_box_and_its_area(self):
        batch = region_phrase_batch()
        network = _network(batch, task="region_phrase", region_geometry=True)
        assert network.image_branch.hidden_projection.kernel.shape == (FEATURE_SIZE + 5, 6)
        boxes = batch["region_boxes"]
        area = (boxes[..., 2:] - boxes[..., :2]).prod(axis=-1, keepdims=True)
        features = np.concatenate([batch["region_features"], boxes, area], axis=-1)
        np.testing.assert_allclose(
            network.embed_regions(batch), network.image_branch(features), rtol=1e-5, atol=1e-6
        )

    def test_normalization_leaves_no_scale(self):
        batch = image_sentence_batch()
        network = _network(batch, feature_normalization="l2", text_normalization="l2")
        louder = {
            **batch,
            "region_features": 4 * batch["region_features"],
            "sentence_features": 9 * batch["sentence_features"],
        }
        for embed in (network.embed_images, network.embed_sentences):
            np.testing.assert_allclose(embed(louder), embed(batch), rtol=1e-4, atol=1e-5)

    def test_padding_of_words_changes_nothing(self):
        batch = image_sentence_batch()
        network = _network(batch, input_dropout=0.0, **RECURRENCE)
        longer = {**batch, "token_ids": np.pad(batch["token_ids"], ((0, 0), (0, 4)))}
        for training in (False, True):
            np.testing.assert_allclose(
                network.embed_sentences(longer, training),
                network.embed_sentences(batch, training),
                rtol=1e-4,
                atol=1e-5,
            )

    @pytest.mark.parametrize("training", [False, True])
    def test_padded_regions_change_nothing(self, training):
        batch = region_phrase_batch()
        network = _network(batch, task="region_phrase", input_dropout=0.0)
        noisy = {
            **batch,
            "region_features": np.where(
                batch["region_mask"][..., None], batch["region_features"], np.float16(50)
            ),
        }
        expected, result = (
            np.array(network.embed_regions(each, training))[batch["region_mask"]]
            for each in (batch, noisy)
        )
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)

    def test_inference_does_not_see_the_rest_of_the_batch(self):
        batch = image_sentence_batch()
        network = _network(batch)
        network(batch, training=True)
        alone = {name: value[:1] for name, value in batch.items()}
        for embed in (network.embed_images, network.embed_sentences):
            np.testing.assert_allclose(embed(alone), embed(batch)[:1], rtol=1e-5, atol=1e-6)

    def test_masks_are_those_of_the_task(self):
        batch = image_sentence_batch()
        sentence_id = np.int32([0, 1, 2, 3, 4, 0])
        masks = TwoBranchNetwork(**SMALL).masks({**batch, "sentence_id": sentence_id})
        expected = image_sentence_masks(batch["image_id"], sentence_id)
        for mask, other in zip(masks, expected):
            np.testing.assert_array_equal(mask, other)
        batch = {
            **region_phrase_batch(),
            "text_id": sentence_id,
            "phrase_boxes": np.tile(np.float32([0, 0, 1, 0.45]), (6, 1)),
        }
        network = TwoBranchNetwork(
            **{**SMALL, "task": "region_phrase", "negative_overlap": 0.5, "positive_overlap": 0.6}
        )
        expected = region_phrase_masks(
            batch["image_id"],
            batch["phrase_id"],
            batch["region_boxes"],
            batch["region_mask"],
            batch["phrase_boxes"],
            batch["text_id"],
            negative_overlap=0.5,
            positive_overlap=0.6,
        )
        for mask, other in zip(network.masks(batch), expected):
            np.testing.assert_array_equal(mask, other)

    def test_the_word_table_is_that_of_the_recurrence(self):
        network = TwoBranchNetwork(**RECURRENCE, **SMALL)
        assert network.word_table is network.sentence_recurrence.word_table
        assert TwoBranchNetwork(**SMALL).word_table is None

    @pytest.mark.parametrize("task", TASKS)
    def test_both_batches_have_positives_and_negatives_in_both_directions(self, task):
        for mask in TwoBranchNetwork(task=task, **SMALL).masks(task_batch(task))[:3]:
            assert np.array(mask).any(axis=0).all()

    def test_other_tasks_are_refused(self):
        with pytest.raises(ValueError, match="Expected task to be one of.*task='retrieval'"):
            TwoBranchNetwork(task="retrieval")

    @pytest.mark.parametrize("normalization", ["none", "l2", "power"])
    def test_regions_context_is_the_mean_of_the_real_regions_beside_the_frame(self, normalization):
        batch = _regions_batch()
        features, mask = batch["region_features"], batch["region_mask"]
        network = _network(batch, regions_context=True, feature_normalization=normalization)

        def scaled(values):
            if normalization == "none":
                return values
            length = np.linalg.norm(values, axis=-1, keepdims=True)
            return values / np.maximum(length, 1e-12) * FEATURE_SIZE**0.5

        regions = features.astype("float32")
        if normalization == "power":
            regions = np.sign(regions) * np.abs(regions) ** 0.5
        regions = scaled(regions)
        means = np.stack([regions[0, 1:].mean(axis=0), regions[1, 1], np.zeros(FEATURE_SIZE)])
        expected = np.concatenate([regions[:, 0], scaled(means)], axis=1)
        np.testing.assert_allclose(network.image_inputs(batch), expected, rtol=1e-4, atol=1e-5)
        # What stands in padding does not matter.
        noisy = {**batch, "region_features": np.where(mask[..., None], features, 9)}
        np.testing.assert_allclose(
            network.embed_images(noisy), network.embed_images(batch), rtol=1e-5, atol=1e-6
        )

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_regions_are_mapped_then_pooled_beside_the_frame(self, pooling):
        batch = _regions_batch()
        settings = {"regions_context": True, "feature_normalization": "l2"}
        network = _network(batch, **settings, regions_pooling=pooling, regions_size=3)
        regions = np.array(network.region_inputs(batch))
        mapped = np.array(network.regions_projection(regions[:, 1:]))
        pooled = np.array(network.pooling(mapped, batch["region_mask"][:, 1:]))
        pooled *= 3**0.5 / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        expected = np.concatenate([regions[:, 0], pooled], axis=1)
        np.testing.assert_allclose(network.image_inputs(batch), expected, rtol=1e-4, atol=1e-5)
        assert not pooled[2].any()
        # The branch's dropout is on what the layer reads, too.
        assert not np.allclose(network.image_inputs(batch, training=True)[:, 5:], pooled)
        still = _network(batch, **settings, regions_size=3, input_dropout=0.0)
        np.testing.assert_array_equal(
            still.image_inputs(batch, training=True), still.image_inputs(batch)
        )

    def test_dropping_is_of_regions_and_words_in_training_alone(self):
        batch = _regions_batch()
        batch["region_features"] = np.tile(batch["region_features"], (1, 9, 1))
        batch["region_mask"] = np.ones((3, 36), bool)
        settings = {"regions_context": True, "input_dropout": 0.0, **RECURRENCE}
        plain = _network(batch, **settings)
        none = [np.array(each) for each in plain.embed_batch(batch, training=True)]
        for name, side, other in (("region_dropping", 0, 1), ("word_dropping", 1, 0)):
            network = _network(batch, **settings, **{name: 0.5})
            network.set_weights(plain.get_weights())
            first, second = (network.embed_batch(batch, training=True) for _ in range(2))
            assert not np.allclose(first[side], second[side])
            # What is drawn next is saved with the weights.
            assert any("seed" in variable.path for variable in network.variables)
            np.testing.assert_allclose(first[other], none[other], rtol=1e-5, atol=1e-6)
            network.set_weights(plain.get_weights())
            for left, right in zip(network.embed_batch(batch), plain.embed_batch(batch)):
                np.testing.assert_array_equal(left, right)

    def test_what_is_dropped_is_as_padding_in_training(self):
        batch = _regions_batch()
        batch["token_ids"] = np.int32([[3, 4, 5], [6, 7, 8], [8, 0, 0]])
        settings = {"regions_context": True, "input_dropout": 0.0, **RECURRENCE}
        network = _network(batch, **settings, region_dropping=0.999, word_dropping=0.999)
        left = {
            **batch,
            "region_mask": np.tile(np.arange(4) == 0, (3, 1)),
            "token_ids": np.int32([[8], [7], [3]]),
        }
        # All but the frame; of the words one is left, whichever.
        regions, texts = network.embed_batch(batch, training=True)
        np.testing.assert_allclose(
            regions, network.embed_batch(left, training=True)[0], rtol=1e-4, atol=1e-5
        )

    def test_gradients_reach_all_weights_of_regions_and_words(self):
        batch = _regions_batch()
        learned = {"regions_pooling": "learned", "regions_size": 3, "regions_context": True}
        words = {**RECURRENCE, "text": "gru", "bidirectional": True, "word_pooling": "learned"}
        network = _network(batch, **learned, **words)
        with tf.GradientTape() as tape:
            loss = network.compute_loss(x=batch, y_pred=network(batch, training=True))
        values = [weight.value for weight in network.trainable_weights]
        gradients = tape.gradient(loss, values, unconnected_gradients="zero")
        still = [
            weight.path
            for weight, gradient in zip(network.trainable_weights, gradients)
            if not np.any(tf.convert_to_tensor(gradient))
        ]
        # A bias before BatchNorm changes nothing.
        assert all("hidden_projection/bias" in path for path in still), still
