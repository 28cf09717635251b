"""Deep fragment embeddings of Karpathy, Joulin & Fei-Fei (DeFrag)."""

import keras
from keras import ops

from vsa_tf.layers.fragment_products import fragment_products
from vsa_tf.layers.fragment_scores import fragment_scores
from vsa_tf.layers.region_encoder import RegionEncoder
from vsa_tf.layers.relation_encoder import RelationEncoder
from vsa_tf.losses.fragment_alignment_loss import fragment_alignment_loss
from vsa_tf.losses.ranking_loss import RankingLoss

OBJECTIVES = ("both", "fragment", "global")


@keras.saving.register_keras_serializable("vsa_tf")
class DeFragModel(keras.Model):
    """Aligns regions of images with dependency relations of sentences (models.md 3).

    `C = C_F + beta C_G + alpha ||theta||^2`: `fragment_alignment_loss`, and `RankingLoss` of
    `fragment_scores`.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        num_relations: number of relation ids, PAD = 0 included.
        joint_size: H, the width of region and fragment vectors.
        relation_encoder: `RelationEncoder` settings besides units, vocabulary_size and
            num_relations, a dict.
        region_encoder: `RegionEncoder` settings besides units, a dict.
        objective: `both`, or C_F (`fragment`) or C_G (`global`) alone.
        global_weight: beta, of `both`.
        margin: D of the global objective.
        smoothing: n of `fragment_scores`.
        weight_penalty: alpha.
        fragment_start_step: steps of `both` in which C_G trains alone, before C_F joins it.
        multiple_instance_start_step: steps before y_ij comes from the scores; until then it is
            +1 for all fragments of a pair.
        image_network: turns `images` into region features, see `AlignmentModel`; None where the
            batches hold `region_features`.

    Call arguments: a batch, a dict of
        region_features: `[B, R, D]`, or images: `[B, S, S, 3]`,
        region_boxes: `[B, R, 4]`, region_mask: bool `[B, R]`,
        relations: int `[B, E]`, ids of relation types, PAD = 0 on the right; a sentence may have
            none,
        heads: int `[B, E]` and dependents: int `[B, E]`, token ids,
        image_id: int `[B]` (used by the loss alone).

    Output: a dict of regions, float `[B, R, joint_size]`, and fragments, float
    `[B, E, joint_size]`.

    Raises:
        ValueError: for another objective.

    Reference: Karpathy, Joulin, Fei-Fei, Deep Fragment Embeddings for Bidirectional Image Sentence
    Mapping, 2014.
    """

    def __init__(
        self,
        vocabulary_size,
        num_relations,
        joint_size=1000,
        relation_encoder=None,
        region_encoder=None,
        objective="both",
        global_weight=1.0,
        margin=40.0,
        smoothing=5.0,
        weight_penalty=0.0,
        fragment_start_step=0,
        multiple_instance_start_step=0,
        image_network=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if objective not in OBJECTIVES:
            raise ValueError(
                f"Expected objective to be one of {OBJECTIVES}. Received: objective={objective!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.num_relations = num_relations
        self.joint_size = joint_size
        self.objective = objective
        self.global_weight = global_weight
        self.smoothing = smoothing
        self.weight_penalty = weight_penalty
        self.fragment_start_step = fragment_start_step
        self.multiple_instance_start_step = multiple_instance_start_step
        self.image_network = image_network
        self.relation_encoder = RelationEncoder(
            joint_size, vocabulary_size, num_relations, **(relation_encoder or {})
        )
        self.region_encoder = RegionEncoder(joint_size, **(region_encoder or {}))
        self.ranking_loss = RankingLoss(margin)
        self._settings = {"relation_encoder": relation_encoder, "region_encoder": region_encoder}
        # A weight of the model, not the optimiser's counter, which JAX's step cannot see.
        self.steps_trained = self.add_weight(
            name="steps_trained", shape=(), initializer="zeros", trainable=False, dtype="int32"
        )

    @property
    def word_table(self):
        return self.relation_encoder.word_table

    def embed_images(self, batch, training=False):
        """Returns v, float `[B, R, joint_size]`."""
        boxes = batch["region_boxes"]
        if self.image_network is None:
            features = batch["region_features"]
        else:
            features = self.image_network(batch["images"], boxes, training=training)
        return self.region_encoder(features, boxes, training=training)

    def embed_sentences(self, batch, training=False):
        """Returns s, float `[B, E, joint_size]`; positions of PAD hold no meaning."""
        return self.relation_encoder(
            batch["relations"], batch["heads"], batch["dependents"], training=training
        )

    def score(self, regions, region_mask, fragments, fragment_mask):
        """Returns `S`, float `[N, M]`, of N embedded images and M embedded sentences.

        Args:
            regions: float `[N, R, joint_size]`, of `embed_images`.
            region_mask: bool `[N, R]`.
            fragments: float `[M, E, joint_size]`, of `embed_sentences`.
            fragment_mask: bool `[M, E]`, where the relation is not PAD.
        """
        products = fragment_products(regions, fragments)
        return fragment_scores(products, region_mask, fragment_mask, self.smoothing)

    def call(self, batch, training=False):
        return {
            "regions": self.embed_images(batch, training),
            "fragments": self.embed_sentences(batch, training),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        multiple_instance = self.steps_trained >= self.multiple_instance_start_step
        fragment_weight = ops.cast(self.steps_trained >= self.fragment_start_step, "float32")
        if training:
            self.steps_trained.assign_add(1)
        products = fragment_products(y_pred["regions"], y_pred["fragments"])
        products = ops.cast(products, "float32")
        masks = x["region_mask"], ops.not_equal(x["relations"], 0)
        loss = 0.0
        if self.objective != "global":
            loss = fragment_alignment_loss(products, *masks, x["image_id"], multiple_instance)
        if self.objective == "both":
            loss = fragment_weight * loss
        if self.objective != "fragment":
            scores = fragment_scores(products, *masks, self.smoothing)
            weight = self.global_weight if self.objective == "both" else 1.0
            loss = loss + weight * self.ranking_loss(scores, x["image_id"])
        if self.weight_penalty:
            squares = [ops.sum(ops.square(each)) for each in self.trainable_weights]
            loss = loss + self.weight_penalty * sum(squares)
        return loss

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "num_relations": self.num_relations,
            "joint_size": self.joint_size,
            "objective": self.objective,
            "global_weight": self.global_weight,
            "margin": self.ranking_loss.margin,
            "smoothing": self.smoothing,
            "weight_penalty": self.weight_penalty,
            "fragment_start_step": self.fragment_start_step,
            "multiple_instance_start_step": self.multiple_instance_start_step,
            "image_network": keras.saving.serialize_keras_object(self.image_network),
            **self._settings,
        }

    @classmethod
    def from_config(cls, config):
        network = keras.saving.deserialize_keras_object(config["image_network"])
        return cls(**{**config, "image_network": network})
