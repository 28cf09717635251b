"""The loss of the similarity network (T eq. 7), and the negatives it draws."""

import keras
from keras import ops

from vsa_tf.models.layers.pair_costs import mean_of_pairs, sum_of_pairs


def logistic_pair_loss(positive_logits, positive, negative_logits, negative, reduction="mean"):
    """`L = sum over i, j of log(1 + exp(-z_ij p_ij))` (T eq. 7), or its mean.

    Over as many positive as negative pairs.

    z is +1 for a pair that matches and -1 for one that does not. A row with more positives than
    negatives, or the other way round, counts the first of each, up to the smaller number: a row
    without negatives counts nothing. The paper's equation sums; the mean does not grow with the
    number of pairs, which differs from batch to batch.

    Args:
        positive_logits: float `[B, R]`, p of pairs that match.
        positive: bool `[B, R]`, which of them do.
        negative_logits: float `[B, C]`, p of pairs that do not.
        negative: bool `[B, C]`, which of them there are.
        reduction: `mean`, or `sum` as in the paper.

    Returns:
        A scalar, 0 where no pair is left.

    Example: logits of 0 say nothing, and cost log 2 each.

    >>> import math
    >>> import numpy as np
    >>> logits, mask = np.zeros((2, 1), "float32"), np.ones((2, 1), bool)
    >>> round(float(logistic_pair_loss(logits, mask, logits, mask)) / math.log(2), 6)
    1.0
    """
    positive, negative = _balanced(positive, negative), _balanced(negative, positive)
    costs = [ops.softplus(-positive_logits), ops.softplus(negative_logits)]
    if reduction == "sum":
        return sum_of_pairs(costs[0], positive) + sum_of_pairs(costs[1], negative)
    return (mean_of_pairs(costs[0], positive) + mean_of_pairs(costs[1], negative)) / 2.0


def _balanced(counted, others):
    """The first True of each row of `counted`, as many as the same row of `others` has."""
    limit = ops.sum(ops.cast(others, "int32"), axis=1, keepdims=True)
    position = ops.cumsum(ops.cast(counted, "int32"), axis=1)
    return ops.logical_and(counted, position <= limit)


def drawn_negatives(negative, num_drawn, seed):
    """Draws negatives of every target, all alike likely, none twice.

    Args:
        negative: bool `[P, Q]`, one row per target.
        num_drawn: C, how many of each.
        seed: a `keras.random.SeedGenerator`, or an int.

    Returns:
        `(columns, drawn)`, int `[P, C]` and bool `[P, C]`; where a target has fewer than C
        negatives, the last are not `drawn`, and their columns mean nothing (they exist).

    Example:

    >>> import numpy as np
    >>> columns, drawn = drawn_negatives(np.array([[False, False, True]]), 2, seed=0)
    >>> int(columns[0, 0]), np.array(drawn).tolist()
    (2, [[True, False]])
    """
    noise = keras.random.uniform(ops.shape(negative), seed=seed)
    noise = ops.where(negative, noise, -1.0)
    # C more columns: top_k takes no more than there are, a number that a graph may not know.
    noise = ops.pad(noise, [[0, 0], [0, num_drawn]], constant_values=-1.0)
    largest, columns = ops.top_k(noise, num_drawn)
    last = ops.cast(ops.shape(negative)[1] - 1, columns.dtype)
    return ops.minimum(columns, last), largest >= 0.0
