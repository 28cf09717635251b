"""The models that there are: what `--model` names, its settings, its class."""

import importlib
from typing import NamedTuple

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
