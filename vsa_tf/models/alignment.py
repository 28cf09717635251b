"""The alignment model of Karpathy & Fei-Fei (DVSA)."""

import keras
from keras import ops

from vsa_tf.layers.max_sum_score import max_sum_score
from vsa_tf.layers.region_encoder import RegionEncoder
from vsa_tf.layers.word_encoder import WordEncoder
from vsa_tf.losses.ranking_loss import RankingLoss

SIMILARITIES = ("inner", "cosine", "sentence_cosine")


@keras.saving.register_keras_serializable("vsa_tf")
class AlignmentModel(keras.Model):
    """Scores images against sentences by their best region for every word (D eq. 1).

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        joint_size: H, the width of region and word vectors.
        word_encoder: `WordEncoder` settings besides units and vocabulary_size, a dict.
        region_encoder: `RegionEncoder` settings besides units, a dict.
        loss: `RankingLoss` settings, a dict.
        similarity: `inner` as in the paper: magnitudes carry meaning. `cosine`: every vector is
            scaled to length 1. `sentence_cosine`: regions are, and the words of a sentence are
            scaled together so that their sum has length 1: with the whole frame as the only
            region the score is the cosine of image and sentence, and magnitudes still tell
            which words matter.
        length_normalization: divide a sentence's score by its number of words.
        hardness_warmup_steps: steps in which the loss goes linearly from all negatives to the
            mined ones of `loss`; 0: mined from the start.
        image_network: turns `images` into region features, a layer called with
            `(images [B, S, S, 3], boxes [B, R, 4])` that returns `[B, R, D]`; None where the
            batches hold `region_features`.

    Call arguments: a batch, a dict of
        region_features: `[B, R, D]`, or images: `[B, S, S, 3]`,
        region_boxes: `[B, R, 4]`, region_mask: bool `[B, R]`,
        token_ids: int `[B, W]`, image_id: int `[B]` (used by the loss alone).

    Output shape: `[B, B]`, `S[k, l]` of image k and sentence l.
    """

    def __init__(
        self,
        vocabulary_size,
        joint_size=1000,
        word_encoder=None,
        region_encoder=None,
        loss=None,
        similarity="inner",
        length_normalization=False,
        hardness_warmup_steps=0,
        image_network=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if similarity not in SIMILARITIES:
            raise ValueError(
                f"Expected similarity to be one of {SIMILARITIES}. "
                f"Received: similarity={similarity!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.joint_size = joint_size
        self.similarity = similarity
        self.length_normalization = length_normalization
        self.hardness_warmup_steps = hardness_warmup_steps
        self.image_network = image_network
        self.word_encoder = WordEncoder(joint_size, vocabulary_size, **(word_encoder or {}))
        self.region_encoder = RegionEncoder(joint_size, **(region_encoder or {}))
        self.ranking_loss = RankingLoss(**(loss or {}))
        self._settings = {
            "word_encoder": word_encoder, "region_encoder": region_encoder, "loss": loss
        }
        # A weight of the model, not the optimiser's counter, which JAX's step cannot see.
        self.steps_trained = self.add_weight(
            name="steps_trained", shape=(), initializer="zeros", trainable=False, dtype="int32"
        )

    @property
    def word_table(self):
        return self.word_encoder.word_table

    def embed_images(self, batch, training=False):
        """Returns v, float `[B, R, joint_size]`."""
        boxes = batch["region_boxes"]
        if self.image_network is None:
            features = batch["region_features"]
        else:
            features = self.image_network(batch["images"], boxes, training=training)
        v = self.region_encoder(features, boxes, training=training)
        return v if self.similarity == "inner" else ops.normalize(v, axis=-1)

    def embed_sentences(self, batch, training=False):
        """Returns s, float `[B, W, joint_size]`; positions of PAD hold no meaning."""
        token_ids = batch["token_ids"]
        s = self.word_encoder(token_ids, training=training)
        if self.similarity == "cosine":
            return ops.normalize(s, axis=-1)
        if self.similarity == "sentence_cosine":
            mask = ops.expand_dims(ops.cast(ops.not_equal(token_ids, 0), s.dtype), -1)
            total = ops.sum(s * mask, axis=1, keepdims=True)
            # Added under the root: the gradient of a sentence of zeros is finite.
            return s / ops.sqrt(ops.sum(ops.square(total), axis=-1, keepdims=True) + 1e-6)
        return s

    def score(self, regions, region_mask, words, word_mask):
        """Returns `S`, float `[N, M]`, of N embedded images and M embedded sentences."""
        return max_sum_score(regions, region_mask, words, word_mask, self.length_normalization)

    def call(self, batch, training=False):
        return self.score(
            self.embed_images(batch, training),
            batch["region_mask"],
            self.embed_sentences(batch, training),
            ops.not_equal(batch["token_ids"], 0),
        )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        steps = ops.cast(self.steps_trained, "float32")
        hardness = ops.minimum(steps / max(self.hardness_warmup_steps, 1), 1.0)
        if not self.hardness_warmup_steps:
            hardness = 1.0
        if training:
            self.steps_trained.assign_add(1)
        return self.ranking_loss(ops.cast(y_pred, "float32"), x["image_id"], hardness)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "joint_size": self.joint_size,
            "similarity": self.similarity,
            "length_normalization": self.length_normalization,
            "hardness_warmup_steps": self.hardness_warmup_steps,
            "image_network": keras.saving.serialize_keras_object(self.image_network),
            **self._settings,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["image_network"])
        return cls(**{**config, "image_network": network})
