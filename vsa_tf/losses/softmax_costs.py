"""The temperature-scaled softmax cost of each positive pair (InfoNCE)."""

from keras import ops

# Of a negative that is none: its exponential vanishes, its gradient is 0 and not NaN.
_NO_SCORE = -1e9


def softmax_costs(scores, negative):
    """Computes `-log( e^s_ij / (e^s_ij + sum_k e^s_ik) )`, k over the negatives of target i.

    A target's other positives stand in no denominator: they are no wrong answers.

    Args:
        scores: float `[N, M]`, one row per target, divided by the temperature.
        negative: bool `[N, M]`.

    Returns:
        float `[N, M]`, of meaning where target i and item j match; 0 for a target without
        negatives.

    Example: one negative with the same score, the probability is 1/2.

    >>> import math
    >>> import numpy as np
    >>> costs = softmax_costs(np.zeros((1, 2), "float32"), np.array([[False, True]]))
    >>> round(float(costs[0, 0]) / math.log(2), 6)
    1.0

    Reference: van den Oord et al., Representation Learning with Contrastive Predictive Coding,
    2018.
    """
    refused = ops.logsumexp(ops.where(negative, scores, _NO_SCORE), axis=1, keepdims=True)
    return ops.softplus(refused - scores)
