"""The two-way ranking loss (D eq. 9, F eq. 7), and which negatives count."""

from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.pair_costs import distillation_costs, negative_mask, softmax_costs

NEGATIVES = ("sum", "hardest", "top_k", "softmax")


class RankingLoss:
    """`C = sum_k [ sum_l max(0, S_kl - S_kk + m) + sum_l max(0, S_lk - S_kk + m) ]`, l != k.

    D eq. 9 with m = 1, of the scores of D eq. 8; F eq. 7, C_G with m = Delta, of those of F eq. 6.
    A chain of three transforms of the score matrix: mask pairs that share an image, take the
    hinge, mine the negatives that count.

    With `softmax` the two sums over l of a pair are cross entropies instead, of S / temperature
    (InfoNCE): `-log( e^S_kk / (e^S_kk + sum_l e^S_kl) )` and the same of S_lk, l the negatives.
    With teachers, of weight w, a batch costs (1 - w) of these and w of its `distillation_costs`.

    Args:
        margin: m. It is 1 in D; for F see `DeFragModel`.
        negatives: `sum` (both papers), `hardest`, `top_k` or `softmax`.
        num_hard_negatives: number of negatives for `top_k`.
        temperature: of `softmax`.
        teacher_weight: w, of `softmax`, where there are teachers.

    Example:

    >>> import numpy as np
    >>> scores = np.array([[2.0, 1.5], [0.0, 1.0]], "float32")
    >>> float(RankingLoss(margin=1.0)(scores, np.array([7, 8])))
    2.0
    """

    def __init__(
        self,
        margin=1.0,
        negatives="sum",
        num_hard_negatives=10,
        temperature=0.05,
        teacher_weight=0.5,
    ):
        check_choice("negatives", negatives, NEGATIVES)
        self.margin = margin
        self.negatives = negatives
        self.num_hard_negatives = num_hard_negatives
        self.temperature = temperature
        self.teacher_weight = teacher_weight

    def __call__(self, scores, image_id, hardness=1.0, teacher_scores=None):
        """Returns the loss of a batch, a scalar.

        Args:
            scores: float `[B, B]`, image k and sentence l.
            image_id: int `[B]`.
            hardness: 0 uses `sum` in place of the chosen negatives, 1 the chosen ones; between
                them, a blend: hardest negatives learn only from a start that `sum` has made. Of
                no meaning for `softmax`.
            teacher_scores: float `[B, B]`, divided by the teachers' temperature; None: there are
                none. Of meaning for `softmax` alone.
        """
        mask = negative_mask(image_id)
        if self.negatives == "softmax":
            logits = scores / self.temperature
            both = logits, ops.transpose(logits)
            loss = sum(ops.sum(ops.diagonal(softmax_costs(each, mask))) for each in both)
            if teacher_scores is None:
                return loss
            taught = teacher_scores, ops.transpose(teacher_scores)
            learnt = sum(ops.sum(distillation_costs(*pair)) for pair in zip(both, taught))
            return (1.0 - self.teacher_weight) * loss + self.teacher_weight * learnt
        loss = 0.0
        for costs in hinge_costs(scores, mask, self.margin):
            mined = mine_costs(costs, self.negatives, self.num_hard_negatives)
            if self.negatives != "sum":
                mined = hardness * mined + (1.0 - hardness) * mine_costs(costs, "sum")
            loss = loss + ops.sum(mined)
        return loss

    def get_config(self):
        return {
            "margin": self.margin,
            "negatives": self.negatives,
            "num_hard_negatives": self.num_hard_negatives,
            "temperature": self.temperature,
            "teacher_weight": self.teacher_weight,
        }


def hinge_costs(scores, mask, margin):
    """Computes the two hinge terms of D eq. 9 before they are summed or mined.

    `sentence_costs[k, l] = max(0, S_kl - S_kk + margin)`: image k prefers a wrong sentence l.
    `image_costs[k, l] = max(0, S_lk - S_kk + margin)`: sentence k prefers a wrong image l.

    Args:
        scores: float `[B, B]`, `S[k, l]` of image k and sentence l; pairs on the diagonal.
        mask: bool `[B, B]`, True where the pair is a negative (symmetric).
        margin: the score difference asked for.

    Returns:
        `(sentence_costs, image_costs)`, float `[B, B]` each, one row per pair k; 0 where masked.
    """
    positives = ops.expand_dims(ops.diagonal(scores), 1)
    mask = ops.cast(mask, scores.dtype)
    sentence_costs = ops.relu(scores - positives + margin) * mask
    image_costs = ops.relu(ops.transpose(scores) - positives + margin) * mask
    return sentence_costs, image_costs


def mine_costs(costs, negatives, num_hard_negatives=10):
    """Reduces each row of non-negative costs to one number.

    Args:
        costs: float `[B, B]`, one row per pair, masked entries 0.
        negatives: `sum` of all (D eq. 9), the `hardest` one (VSE++), or the `top_k` largest.
        num_hard_negatives: how many for `top_k`; fewer where the batch is smaller.

    Returns:
        float `[B]`.

    Raises:
        ValueError: for another `negatives`; `softmax` has no costs to mine.
    """
    if negatives == "sum":
        return ops.sum(costs, axis=1)
    if negatives == "hardest":
        return ops.max(costs, axis=1)
    if negatives == "top_k":
        # Sorting, unlike ops.top_k, needs no batch size that is known when a graph is built.
        largest = -ops.sort(-costs, axis=1)[:, :num_hard_negatives]
        return ops.sum(largest, axis=1)
    raise ValueError(f"Expected negatives to be one of {NEGATIVES[:3]}. Received: {negatives!r}")
