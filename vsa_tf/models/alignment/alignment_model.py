"""The alignment model of Karpathy & Fei-Fei (DVSA)."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.alignment.fragment_model import FragmentModel
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.alignment.scores import AlignmentScore
from vsa_tf.models.layers.vector_length import unit_length

SIMILARITIES = ("inner", "cosine", "sentence_cosine")


@keras.saving.register_keras_serializable("vsa_tf")
class AlignmentModel(FragmentModel):
    """Scores images against sentences by their best region for every word (D eq. 8).

    With `num_relations` it is the paper's "DepTree edges" (D supplement, Table 2): dependency
    relations take the place of words.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        joint_size: H, the width of region and word vectors.
        margin, negatives, num_hard_negatives, temperature, teacher_weight: see `RankingLoss`.
        similarity: `inner` as in the paper: magnitudes carry meaning. `cosine`: every vector is
            scaled to length 1. `sentence_cosine`: regions are, and the words of a sentence are
            scaled together so that their sum has length 1: with the whole frame as the only
            region the score is the cosine of image and sentence, and magnitudes still tell
            which words matter.
        score, region_pooling, region_sharpness, word_pooling, word_sharpness,
        length_normalization: see `AlignmentScore`.
        hardness_warmup_steps: steps in which the loss goes linearly from all negatives to the
            mined ones; 0: mined from the start.
        feature_normalization, dropout, region_dropping, word_dropping, **kwargs: of
            `FragmentModel`.

    Call arguments: a batch as of `FragmentModel`, image_id: int `[B]`, and where there are teachers
        teacher_scores: float `[B, B]` (both used by the loss alone).

    Output shape: `[B, B]`, `S[k, l]` of image k and sentence l.
    """

    def __init__(
        self,
        vocabulary_size,
        joint_size=512,
        margin=0.2,
        negatives="softmax",
        num_hard_negatives=10,
        temperature=0.05,
        teacher_weight=0.5,
        similarity="sentence_cosine",
        score="words",
        region_pooling="max",
        region_sharpness=9.0,
        word_pooling="sum",
        word_sharpness=6.0,
        length_normalization=False,
        hardness_warmup_steps=0,
        feature_normalization="power",
        dropout=0.3,
        region_dropping=0.15,
        word_dropping=0.1,
        **kwargs,
    ):
        super().__init__(
            vocabulary_size,
            joint_size,
            feature_normalization=feature_normalization,
            dropout=dropout,
            region_dropping=region_dropping,
            word_dropping=word_dropping,
            **kwargs,
        )
        check_choice("similarity", similarity, SIMILARITIES)
        self.similarity = similarity
        self.length_normalization = length_normalization
        self.hardness_warmup_steps = hardness_warmup_steps
        self.ranking_loss = RankingLoss(
            margin, negatives, num_hard_negatives, temperature, teacher_weight
        )
        self.alignment_score = AlignmentScore(
            score,
            region_pooling,
            region_sharpness,
            word_pooling,
            word_sharpness,
            length_normalization,
        )

    def embed_images(self, batch, training=False):
        """Returns v, float `[B, R, joint_size]`."""
        v = super().embed_images(batch, training)
        return v if self.similarity == "inner" else unit_length(v)

    def embed_sentences(self, batch, training=False):
        """Returns s, float `[B, W, joint_size]`; what `sentence_mask` masks means nothing."""
        s = super().embed_sentences(batch, training)
        if self.similarity == "cosine":
            return unit_length(s)
        if self.similarity == "sentence_cosine":
            mask = ops.expand_dims(ops.cast(self.sentence_mask(batch), s.dtype), -1)
            total = ops.sum(s * mask, axis=1, keepdims=True)
            # Added under the root: the gradient of a sentence of zeros is finite.
            return s / ops.sqrt(ops.sum(ops.square(total), axis=-1, keepdims=True) + 1e-6)
        return s

    @property
    def score_name(self):
        return "max_sum" if self.alignment_score.is_max_sum else ""

    @property
    def score_options(self):
        return {"normalize_by_length": self.length_normalization}

    def score(self, regions, region_mask, words, word_mask):
        """Returns `S`, float `[N, M]`, of N embedded images and M embedded sentences."""
        return self.alignment_score(regions, region_mask, words, word_mask)

    def call(self, batch, training=False):
        batch = self.drop(batch, training)
        sentences = self.embed_sentences(batch, training), self.sentence_mask(batch)
        if training:
            # Of replicas, each scores its own images with all sentences.
            sentences = self.gather(sentences)
        return self.alignment_score(
            self.embed_images(batch, training), batch["region_mask"], *sentences, training
        )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        steps = ops.cast(self.steps_trained, "float32")
        hardness = ops.minimum(steps / max(self.hardness_warmup_steps, 1), 1.0)
        if not self.hardness_warmup_steps:
            hardness = 1.0
        if training:
            self.steps_trained.assign_add(1)
        scores = ops.cast(y_pred, "float32")
        scores, image_id, taught = self.gather((scores, x["image_id"], x.get("teacher_scores")))
        return self.ranking_loss(scores, image_id, hardness, taught)

    def get_config(self):
        return {
            **super().get_config(),
            **self.ranking_loss.get_config(),
            **self.alignment_score.get_config(),
            "similarity": self.similarity,
            "hardness_warmup_steps": self.hardness_warmup_steps,
        }
