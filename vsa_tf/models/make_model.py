"""The models of image regions and sentence fragments that the settings describe."""

from vsa_tf.models.alignment import AlignmentModel
from vsa_tf.models.defrag import DeFragModel
from vsa_tf.models.image_network import image_network


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
