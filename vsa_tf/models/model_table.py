"""The models that there are: what `--model` names, its settings and class, and how it is made."""

import importlib
from typing import NamedTuple

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.models.alignment.settings import AlignmentSettings, DeFragSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings, SimilaritySettings


class ModelKind(NamedTuple):
    """One row of `MODELS`.

    Attributes:
        settings: class of the model's settings, a `NetworkSettings`; it says the family.
        network: `module:Class` of the Keras model, imported by `load` alone: programs read their
            flags without Keras.
    """

    settings: type
    network: str

    def load(self):
        """Imports the class of the model."""
        module, _, name = self.network.partition(":")
        return getattr(importlib.import_module(module), name)


MODELS = {
    "alignment": ModelKind(
        AlignmentSettings, "vsa_tf.models.alignment.alignment_model:AlignmentModel"
    ),
    "defrag": ModelKind(DeFragSettings, "vsa_tf.models.alignment.defrag_model:DeFragModel"),
    "dvsa_rnn": ModelKind(DvsaRnnSettings, "vsa_tf.models.captioning.dvsa_rnn:DvsaRnn"),
    "m_rnn": ModelKind(MRnnSettings, "vsa_tf.models.captioning.m_rnn:MRnn"),
    "embedding": ModelKind(
        EmbeddingSettings, "vsa_tf.models.two_branch.embedding_network:EmbeddingNetwork"
    ),
    "similarity": ModelKind(
        SimilaritySettings, "vsa_tf.models.two_branch.similarity_network:SimilarityNetwork"
    ),
}


def make_model(settings, inputs, vocabulary_size, steps_per_epoch=1):
    """Returns the model of `settings` with all its weights made.

    Args:
        settings: `Settings`.
        inputs: what the model reads, a dict: `num_regions` and `region_feature_size` (0: pixels) of
            the records, `sentence_feature_size` (0: none), and of models that read dependency
            relations `num_relations`.
        vocabulary_size: number of token ids.
        steps_per_epoch: of the training run.

    Raises:
        VsaTfError: the settings do not go together, or there is no such `--cnn`.
    """
    own = settings.model.network(steps_per_epoch, settings.training.num_epochs)
    if "num_relations" in inputs:
        own["num_relations"] = inputs["num_relations"]
    try:
        if inputs["region_feature_size"] == 0:
            from vsa_tf.models.layers.image_network import image_network

            own["image_network"] = image_network(settings.model)
        network = MODELS[settings.training.model].load()
        model = network(vocabulary_size=vocabulary_size, **own)
    except ValueError as error:
        raise VsaTfError.of(error) from error
    model(example_batch(inputs, settings.data.image_size))
    return model


def example_batch(inputs, image_size):
    """Returns the smallest batch of the records' layout, all zeros but for the tokens."""
    num_regions, feature_size = inputs["num_regions"], inputs["region_feature_size"]
    if feature_size:
        image = {"region_features": np.zeros((2, num_regions, feature_size), np.float16)}
    else:
        image = {"images": np.zeros((2, image_size, image_size, 3), np.uint8)}
    sentence_feature_size = inputs.get("sentence_feature_size", 0)
    read = ("relations", "heads", "dependents") if "num_relations" in inputs else ("token_ids",)
    sentence = {name: np.ones((2, 3), np.int32) for name in read}
    if sentence_feature_size:
        sentence["sentence_features"] = np.zeros((2, sentence_feature_size), np.float16)
    return {
        **image,
        **sentence,
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (2, num_regions, 1)),
        "region_mask": np.ones((2, num_regions), bool),
        "image_id": np.arange(2, dtype=np.int32),
    }
