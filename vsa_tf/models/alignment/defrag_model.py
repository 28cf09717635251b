"""Deep fragment embeddings of Karpathy, Joulin & Fei-Fei (DeFrag)."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.alignment.fragment_model import FragmentModel
from vsa_tf.models.alignment.ranking_loss import RankingLoss
from vsa_tf.models.alignment.scores import fragment_products, fragment_scores
from vsa_tf.models.layers.pair_costs import negative_mask

OBJECTIVES = ("both", "fragment", "global")
FRAGMENT_BALANCES = ("fragment", "batch")


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


def fragment_alignment_loss(
    products, region_mask, fragment_mask, image_id, multiple_instance=True, balance="fragment"
):
    """`C_F = min_y sum_i sum_j kappa_ij max(0, 1 - y_ij v_i . s_j)` over a batch (F eq. 4, 5).

    The minimum is approximated as in the authors' code: y_ij is -1 for a region i and a fragment j
    of different images; within a pair, `multiple_instance_labels` tells. kappa_ij is one over the
    number of positives where y_ij = +1, and one over that of negatives where it is -1, so that both
    weigh the same: `balance` says whether each fragment's own are counted, as in that code, or
    those of the batch, as F puts it. Neither y nor kappa is differentiated.

    A region and a fragment of two pairs that share an image are left out: the sentence is a right
    one for that image, and its own pair labels it.

    Args:
        products: float `[B, R, B, E]`, `v_i . s_j`, see `fragment_products`.
        region_mask: bool `[B, R]`.
        fragment_mask: bool `[B, E]`.
        image_id: int `[B]`.
        multiple_instance: bool; False: y_ij is +1 for all of a pair, the paper's start for labels
            that depend on scores. May be a tensor.
        balance: `fragment`: kappa_ij counts the positives and negatives of fragment j; `batch`:
            those of all fragments, times the number of fragments, so that the loss keeps its scale.

    Returns:
        A scalar.

    Example: two pairs of one region and one fragment; the positives cost 1 - .5 and 1 - (-1), the
    negatives 1 + 0 and 1 + 2.

    >>> import numpy as np
    >>> products = np.float32([[0.5, 0], [2, -1]]).reshape(2, 1, 2, 1)
    >>> mask = np.ones((2, 1), bool)
    >>> float(fragment_alignment_loss(products, mask, mask, np.array([7, 8])))
    6.5
    """
    num_pairs = ops.shape(products)[0]
    pair = ops.arange(num_pairs)
    own = ops.reshape(ops.equal(ops.expand_dims(pair, 1), pair), (num_pairs, 1, num_pairs, 1))
    # The diagonal's axis comes last.
    own_products = ops.transpose(ops.diagonal(products, axis1=0, axis2=2), (2, 0, 1))
    own_real = ops.logical_and(ops.expand_dims(region_mask, 2), ops.expand_dims(fragment_mask, 1))
    labels = ops.where(
        multiple_instance,
        multiple_instance_labels(own_products, region_mask, fragment_mask),
        own_real,
    )
    positive = ops.logical_and(own, ops.expand_dims(labels, 2))

    others = ops.reshape(negative_mask(image_id), (num_pairs, 1, num_pairs, 1))
    negative = ops.logical_or(others, ops.logical_and(own, ops.logical_not(positive)))
    real = ops.logical_and(region_mask[:, :, None, None], fragment_mask[None, None, :, :])
    negative = ops.logical_and(negative, real)
    counted = (0, 1) if balance == "fragment" else None
    means = _mean(ops.relu(1.0 - products), positive, counted)
    means += _mean(ops.relu(1.0 + products), negative, counted)
    return ops.sum(ops.where(fragment_mask, means, 0.0))


def _mean(costs, mask, axes):
    """The mean over axes of what the mask has; 0 where that is nothing."""
    mask = ops.cast(mask, costs.dtype)
    return ops.sum(costs * mask, axis=axes) / ops.maximum(ops.sum(mask, axis=axes), 1.0)


def multiple_instance_labels(products, region_mask, fragment_mask):
    """Marks the pairs with `y_ij = +1` within image-sentence pairs: the constraints of F eq. 5.

    A fragment is about the regions of its image that it scores above 0; one that scores none so
    is about its best region (the first of several): every fragment has a positive.

    Args:
        products: float `[B, R, E]`, `v_i . s_j` of the regions and fragments of each pair.
        region_mask: bool `[B, R]`; masked regions are never positive.
        fragment_mask: bool `[B, E]`; masked fragments have no positives.

    Returns:
        bool `[B, R, E]`; False is `y_ij = -1`, or a mask. Nothing is differentiated through it.

    Example: the second fragment scores no region above 0.

    >>> import numpy as np
    >>> products = np.float32([[[2, -3], [1, -1], [-5, -2]]])
    >>> mask = np.ones((1, 3), bool)
    >>> np.array(multiple_instance_labels(products, mask, mask[:, :2]))[0].tolist()
    [[True, False], [True, True], [False, False]]
    """
    region_mask = ops.expand_dims(region_mask, 2)
    real = ops.logical_and(region_mask, ops.expand_dims(fragment_mask, 1))
    positive = ops.logical_and(products > 0.0, real)
    best = ops.argmax(ops.where(region_mask, products, -1e9), axis=1)
    regions = ops.expand_dims(ops.arange(ops.shape(products)[1], dtype=best.dtype), 1)
    is_best = ops.equal(ops.expand_dims(best, 1), regions)
    has_none = ops.logical_not(ops.any(positive, axis=1, keepdims=True))
    is_best = ops.logical_and(ops.logical_and(is_best, has_none), real)
    return ops.logical_or(positive, is_best)
