"""The two-branch networks that the settings describe."""

from vsa_tf.models.embedding_network import EmbeddingNetwork
from vsa_tf.models.image_network import image_network
from vsa_tf.models.similarity_network import SimilarityNetwork


def build_embedding(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns an `EmbeddingNetwork` of `EmbeddingSettings`, not yet built.

    Arguments as `build_alignment`; the last `neighborhood_epochs` have the neighbourhood terms.
    """
    return EmbeddingNetwork(
        loss={
            "margin": settings.margin,
            "image_to_text": settings.image_to_text_weight,
            "text_to_image": settings.text_to_image_weight,
            "image_to_image": settings.image_neighborhood_weight,
            "text_to_text": settings.text_neighborhood_weight,
            "top_k": settings.num_hard_negatives,
            "negatives": settings.negatives,
        },
        neighborhood_start_step=max(num_epochs - settings.neighborhood_epochs, 0) * steps_per_epoch,
        temperature=settings.temperature,
        learn_temperature=settings.learn_temperature,
        **_shared(settings, vocabulary_size, from_pixels),
    )


def build_similarity(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns a `SimilarityNetwork` of `SimilaritySettings`; arguments as `build_embedding`."""
    return SimilarityNetwork(
        num_fusion_layers=settings.num_fusion_layers,
        negatives=settings.negatives,
        num_candidates=settings.num_hard_negatives,
        **_shared(settings, vocabulary_size, from_pixels),
    )


def _shared(settings, vocabulary_size, from_pixels):
    branch = {
        "hidden_units": settings.hidden_size,
        "linear": settings.linear_branches,
        "batch_norm_at": settings.batch_norm_at,
        "dropout": settings.dropout,
        "input_dropout": settings.input_dropout,
    }
    recurrence = None
    if settings.text in ("lstm", "gru"):
        recurrence = {
            "vocabulary_size": vocabulary_size,
            "embedding_size": settings.word_embedding_size,
            "units": settings.recurrent_size,
            "cell": settings.text,
            "pooling": settings.word_pooling,
            "dropout": settings.word_dropout,
            "train_embedding": settings.train_word_vectors,
        }
    return {
        "task": settings.task,
        "joint_size": settings.joint_size,
        "image_branch": branch,
        "text_branch": {**branch, "hidden_units": settings.text_hidden_size},
        "sentence_recurrence": recurrence,
        "regions_context": settings.regions_context,
        "geometry": settings.region_geometry,
        "feature_normalization": settings.feature_normalization,
        "text_normalization": settings.text_normalization,
        "negative_overlap": settings.negative_overlap,
        "positive_overlap": settings.positive_overlap or None,
        "image_network": image_network(settings) if from_pixels else None,
    }
