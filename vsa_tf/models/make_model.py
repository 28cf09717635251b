"""The model that the settings describe."""

from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.alignment.defrag_model import DeFragModel
from vsa_tf.models.captioning.dvsa_rnn import DvsaRnn
from vsa_tf.models.captioning.m_rnn import MRnn
from vsa_tf.models.layers.image_network import image_network
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.models.two_branch.similarity_network import SimilarityNetwork


def build_alignment(
    settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1, num_relations=0
):
    """Returns an `AlignmentModel`, not yet built.

    Args:
        settings: `AlignmentSettings`.
        vocabulary_size: number of token ids.
        from_pixels: whether the batches hold images, so that a CNN is trained, not features.
        steps_per_epoch: turns epochs of the settings into steps.
        num_epochs: of the run.
        num_relations: number of relation ids, where it reads dependency relations.
    """
    return AlignmentModel(
        vocabulary_size=vocabulary_size,
        word_encoder={
            "embedding_size": settings.word_embedding_size,
            "cell": settings.cell,
            "output_activation": settings.word_activation,
            "dropout": settings.dropout,
            "train_embedding": settings.train_word_vectors,
        },
        loss={
            "margin": settings.margin,
            "negatives": settings.negatives,
            "top_k": settings.num_hard_negatives,
        },
        similarity=settings.similarity,
        length_normalization=settings.length_normalization,
        hardness_warmup_steps=round(settings.hardness_warmup_epochs * steps_per_epoch),
        **_shared(settings, from_pixels, num_relations),
    )


def build_defrag(
    settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1, num_relations=0
):
    """Returns a `DeFragModel` of `DefragSettings`; arguments as `build_alignment`."""
    return DeFragModel(
        vocabulary_size=vocabulary_size,
        objective=settings.objective,
        global_weight=settings.global_weight,
        margin=settings.margin,
        smoothing=settings.smoothing,
        weight_penalty=settings.weight_penalty,
        fragment_start_step=round(settings.fragment_start_epochs * steps_per_epoch),
        multiple_instance_start_step=round(
            settings.multiple_instance_start_epochs * steps_per_epoch
        ),
        **_shared(settings, from_pixels, num_relations),
    )


def _shared(settings, from_pixels, num_relations):
    return {
        "joint_size": settings.joint_size,
        "num_relations": num_relations,
        "relation_encoder": {
            "embedding_size": settings.word_embedding_size,
            "activation": settings.word_activation,
            "dropout": settings.dropout,
            "train_embedding": settings.train_word_vectors,
        },
        "region_encoder": {
            "frame_context": settings.frame_context,
            "geometry": settings.region_geometry,
            "feature_normalization": settings.feature_normalization,
            "dropout": settings.dropout,
        },
        "image_network": image_network(settings) if from_pixels else None,
    }


def build_dvsa_rnn(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns a `DvsaRnn` of `DvsaRnnSettings`, not yet built; arguments as `build_alignment`."""
    return DvsaRnn(
        hidden_size=settings.hidden_size,
        word_embedding_size=settings.word_embedding_size,
        cell=settings.cell,
        image_at=settings.image_at,
        **_captioner_settings(settings, vocabulary_size, from_pixels),
    )


def build_m_rnn(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns an `MRnn` of `MRnnSettings`, not yet built; arguments as `build_alignment`."""
    return MRnn(
        variant=settings.variant,
        word_embedding_size=settings.word_embedding_size,
        recurrent_size=settings.recurrent_size,
        multimodal_size=settings.multimodal_size,
        cell=settings.cell,
        **_captioner_settings(settings, vocabulary_size, from_pixels),
    )


def _captioner_settings(settings, vocabulary_size, from_pixels):
    return {
        "vocabulary_size": vocabulary_size,
        "train_word_vectors": settings.train_word_vectors,
        "feature_normalization": settings.feature_normalization,
        "dropout": settings.dropout,
        "weight_penalty": settings.weight_penalty,
        "image_network": image_network(settings) if from_pixels else None,
    }


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
        **_two_branch_settings(settings, vocabulary_size, from_pixels),
    )


def build_similarity(settings, vocabulary_size, from_pixels, steps_per_epoch=1, num_epochs=1):
    """Returns a `SimilarityNetwork` of `SimilaritySettings`; arguments as `build_embedding`."""
    return SimilarityNetwork(
        num_fusion_layers=settings.num_fusion_layers,
        negatives=settings.negatives,
        num_candidates=settings.num_hard_negatives,
        **_two_branch_settings(settings, vocabulary_size, from_pixels),
    )


def _two_branch_settings(settings, vocabulary_size, from_pixels):
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
