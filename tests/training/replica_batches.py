"""Every model, small, with a batch that training spreads over devices."""

import numpy as np

from tests.models.alignment import fragment_batches
from tests.models.captioning import small_captioners
from tests.models.two_branch import two_branch_batches
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.alignment.defrag_model import DeFragModel
from vsa_tf.models.captioning.dvsa_rnn import DvsaRnn
from vsa_tf.models.captioning.m_rnn import MRnn
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.models.two_branch.similarity_network import SimilarityNetwork


def models(batch_size, names=()):
    """Yields (name, function to a model, a batch of so many rows) of all models, or those named."""
    for name, make, batch in _models(batch_size):
        if not names or name in names:
            yield name, make, batch


def _models(batch_size):
    words = fragment_batches.word_batch(size=batch_size)
    relations = fragment_batches.relation_batch(size=batch_size)
    sizes = {"joint_size": 4, "word_embedding_size": 3, "dropout": 0.0}
    kept = {"region_dropping": 0.0, "word_dropping": 0.0}
    for negatives in ("sum", "hardest", "softmax"):
        yield (
            f"alignment {negatives}",
            lambda: AlignmentModel(
                fragment_batches.VOCABULARY_SIZE, negatives=negatives, **sizes, **kept
            ),
            words,
        )
    taught = {"teacher_scores": np.sin(np.arange(batch_size**2.0, dtype="float32"))}
    taught["teacher_scores"] = taught["teacher_scores"].reshape(batch_size, batch_size)
    yield (
        "alignment taught",
        lambda: AlignmentModel(fragment_batches.VOCABULARY_SIZE, **sizes, **kept),
        {**words, **taught},
    )
    yield (
        "alignment blocks",
        lambda: _in_blocks(AlignmentModel(fragment_batches.VOCABULARY_SIZE, **sizes, **kept)),
        words,
    )
    yield (
        "defrag",
        lambda: DeFragModel(
            fragment_batches.VOCABULARY_SIZE,
            fragment_batches.NUM_RELATIONS,
            weight_penalty=0.1,
            **sizes,
        ),
        relations,
    )
    pairs = two_branch_batches.image_sentence_batch(size=batch_size)
    small = two_branch_batches.SMALL
    for negatives in ("softmax", "top_k"):
        yield (
            f"embedding {negatives}",
            lambda: EmbeddingNetwork(negatives=negatives, input_dropout=0.0, **small),
            pairs,
        )
    yield (
        "embedding taught",
        lambda: EmbeddingNetwork(input_dropout=0.0, **small),
        {**pairs, **taught},
    )
    yield "similarity", lambda: SimilarityNetwork(**small), pairs
    phrases = two_branch_batches.region_phrase_batch(size=batch_size)
    plain = {**small, "task": "region_phrase", "linear_branches": True}
    yield "phrases", lambda: EmbeddingNetwork(input_dropout=0.0, **plain), phrases
    sentences = small_captioners.make_batch(size=batch_size)
    for model in (MRnn, DvsaRnn):
        settings = {"dropout": 0.0, "weight_penalty": 0.1, "word_embedding_size": 3}
        yield (
            model.__name__,
            lambda: model(small_captioners.VOCABULARY_SIZE, **settings),
            sentences,
        )


def first_rows(batch, size):
    """Returns so many rows of a batch; of scores of its pairs as many columns."""
    rows = {name: value[:size] for name, value in batch.items()}
    if "teacher_scores" in rows:
        rows["teacher_scores"] = rows["teacher_scores"][:, :size]
    return rows


def _in_blocks(model):
    model.alignment_score.block_bytes = 500
    return model
