"""The caption generators that the settings describe."""

from vsa_tf.models.dvsa_rnn import DvsaRnn
from vsa_tf.models.image_network import image_network
from vsa_tf.models.m_rnn import MRnn


def build_dvsa_rnn(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns a `DvsaRnn` of `DvsaRnnSettings`, not yet built; arguments as `build_alignment`."""
    return DvsaRnn(
        hidden_size=settings.hidden_size,
        word_embedding_size=settings.word_embedding_size,
        cell=settings.cell,
        image_at=settings.image_at,
        **_shared(settings, vocabulary_size, from_pixels),
    )


def build_m_rnn(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns an `MRnn` of `MRnnSettings`, not yet built; arguments as `build_alignment`."""
    return MRnn(
        variant=settings.variant,
        word_embedding_size=settings.word_embedding_size,
        recurrent_size=settings.recurrent_size,
        multimodal_size=settings.multimodal_size,
        cell=settings.cell,
        **_shared(settings, vocabulary_size, from_pixels),
    )


def _shared(settings, vocabulary_size, from_pixels):
    return {
        "vocabulary_size": vocabulary_size,
        "train_word_vectors": settings.train_word_vectors,
        "feature_normalization": settings.feature_normalization,
        "dropout": settings.dropout,
        "weight_penalty": settings.weight_penalty,
        "image_network": image_network(settings) if from_pixels else None,
    }
