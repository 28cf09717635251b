"""The two-way ranking loss of the alignment model (D eq. 2)."""

from keras import ops

from vsa_tf.losses.hinge_costs import hinge_costs
from vsa_tf.losses.mine_costs import NEGATIVES, mine_costs
from vsa_tf.losses.negative_mask import negative_mask


class RankingLoss:
    """`C = sum_k [ sum_l max(0, S_kl - S_kk + m) + sum_l max(0, S_lk - S_kk + m) ]`, l != k.

    A chain of three transforms of the score matrix: mask pairs that share an image, take the
    hinge, mine the negatives that count.

    Args:
        margin: m. The paper's is 1.
        negatives: `sum` (the paper), `hardest` or `top_k`.
        top_k: number of negatives for `top_k`.

    Example:

    >>> import numpy as np
    >>> scores = np.array([[2.0, 1.5], [0.0, 1.0]], "float32")
    >>> float(RankingLoss(margin=1.0)(scores, np.array([7, 8])))
    2.0
    """

    def __init__(self, margin=1.0, negatives="sum", top_k=10):
        if negatives not in NEGATIVES:
            raise ValueError(
                f"Expected negatives to be one of {NEGATIVES}. Received: negatives={negatives!r}"
            )
        self.margin = margin
        self.negatives = negatives
        self.top_k = top_k

    def __call__(self, scores, image_id, hardness=1.0):
        """Returns the loss of a batch, a scalar.

        Args:
            scores: float `[B, B]`, image k and sentence l.
            image_id: int `[B]`.
            hardness: 0 uses `sum` in place of the chosen negatives, 1 the chosen ones; between
                them, a blend: hardest negatives learn only from a start that `sum` has made.
        """
        mask = negative_mask(image_id)
        loss = 0.0
        for costs in hinge_costs(scores, mask, self.margin):
            mined = mine_costs(costs, self.negatives, self.top_k)
            if self.negatives != "sum":
                mined = hardness * mined + (1.0 - hardness) * mine_costs(costs, "sum")
            loss = loss + ops.sum(mined)
        return loss

    def get_config(self):
        return {"margin": self.margin, "negatives": self.negatives, "top_k": self.top_k}
