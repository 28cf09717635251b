"""Deep fragment embeddings of Karpathy, Joulin & Fei-Fei (DeFrag)."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.alignment.fragment_loss import FRAGMENT_BALANCES, fragment_alignment_loss
from vsa_tf.models.alignment.fragment_model import FragmentModel
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.alignment.scores import fragment_products, fragment_scores

OBJECTIVES = ("both", "fragment", "global")


@keras.saving.register_keras_serializable("vsa_tf")
class DeFragModel(FragmentModel):
    """Aligns regions of images with dependency relations of sentences.

    `C = C_F + beta C_G + alpha ||theta||^2` (F eq. 3): `fragment_alignment_loss`, and `RankingLoss`
    of `fragment_scores`.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        num_relations: number of relation ids, PAD = 0 included.
        joint_size: H, the width of region and fragment vectors.
        objective: `both`, or C_F (`fragment`) or C_G (`global`) alone.
        fragment_balance: what kappa of C_F counts, see `fragment_alignment_loss`.
        global_weight: beta, of `both`.
        margin: Delta of F eq. 7. The authors have 40, but their code does not divide scores by the
            number of regions: for 20 regions theirs is 2 here (docs/equations.md 3).
        smoothing: n of `fragment_scores`.
        weight_penalty: alpha.
        fragment_start_steps: steps of `both` in which C_G trains alone, before C_F joins it.
        multiple_instance_start_steps: steps before y_ij comes from the scores; until then it is
            +1 for all fragments of a pair.
        **kwargs: of `FragmentModel`.

    Call arguments: a batch as of `FragmentModel`, with relations, and image_id: int `[B]` (used by
    the loss alone).

    Output: a dict of regions, float `[B, R, joint_size]`, fragments, float `[B, E, joint_size]`,
    and their masks, region_mask, bool `[B, R]`, and fragment_mask, bool `[B, E]`.

    Raises:
        ValueError: for another objective or fragment_balance.
    """

    score_name = "fragments"

    def __init__(
        self,
        vocabulary_size,
        num_relations,
        joint_size=512,
        objective="both",
        fragment_balance="fragment",
        global_weight=10.0,
        margin=1.0,
        smoothing=5.0,
        weight_penalty=0.0,
        fragment_start_steps=0,
        multiple_instance_start_steps=0,
        word_activation="relu",
        **kwargs,
    ):
        super().__init__(
            vocabulary_size, joint_size, num_relations, word_activation=word_activation, **kwargs
        )
        check_choice("objective", objective, OBJECTIVES)
        check_choice("fragment_balance", fragment_balance, FRAGMENT_BALANCES)
        self.objective = objective
        self.fragment_balance = fragment_balance
        self.global_weight = global_weight
        self.smoothing = smoothing
        self.weight_penalty = weight_penalty
        self.fragment_start_steps = fragment_start_steps
        self.multiple_instance_start_steps = multiple_instance_start_steps
        self.ranking_loss = RankingLoss(margin)

    @property
    def score_options(self):
        return {"smoothing": self.smoothing}

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
        batch = self.drop(batch, training)
        return {
            "regions": self.embed_images(batch, training),
            "fragments": self.embed_sentences(batch, training),
            "region_mask": batch["region_mask"],
            "fragment_mask": self.sentence_mask(batch),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        multiple_instance = self.steps_trained >= self.multiple_instance_start_steps
        fragment_weight = ops.cast(self.steps_trained >= self.fragment_start_steps, "float32")
        if training:
            self.steps_trained.assign_add(1)
        y_pred, image_id = self.gather((y_pred, x["image_id"]))
        products = fragment_products(y_pred["regions"], y_pred["fragments"])
        products = ops.cast(products, "float32")
        masks = y_pred["region_mask"], y_pred["fragment_mask"]
        loss = 0.0
        if self.objective != "global":
            loss = fragment_alignment_loss(
                products, *masks, image_id, multiple_instance, self.fragment_balance
            )
        if self.objective == "both":
            loss = fragment_weight * loss
        if self.objective != "fragment":
            scores = fragment_scores(products, *masks, self.smoothing)
            weight = self.global_weight if self.objective == "both" else 1.0
            loss = loss + weight * self.ranking_loss(scores, image_id)
        if self.weight_penalty:
            squares = [ops.sum(ops.square(each)) for each in self.trainable_weights]
            loss = loss + self.weight_penalty * sum(squares)
        return loss

    def get_config(self):
        return {
            **super().get_config(),
            "objective": self.objective,
            "fragment_balance": self.fragment_balance,
            "global_weight": self.global_weight,
            "margin": self.ranking_loss.margin,
            "smoothing": self.smoothing,
            "weight_penalty": self.weight_penalty,
            "fragment_start_steps": self.fragment_start_steps,
            "multiple_instance_start_steps": self.multiple_instance_start_steps,
        }
