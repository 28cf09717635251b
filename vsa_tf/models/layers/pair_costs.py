"""What losses of several papers share: negatives, InfoNCE, distillation, means of what counts."""

from keras import ops

# Of a negative that is none: its exponential vanishes, its gradient is 0 and not NaN.
_NO_SCORE = -1e9


def own_rows(values):
    """Returns what it is given: the default `gather` of models, which compares all rows of a batch.

    A model reads a batch by rows, and its loss by pairs of them. Where a batch is spread over
    replicas each of which runs the model on its rows, training puts in its place a function that
    brings together all replicas' rows (`vsa_tf.training.compiling.gather_replicas`).

    Args:
        values: a nest of tensors, a row for each of a batch.
    """
    return values


def negative_mask(image_id):
    """Marks the (image k, sentence l) pairs of a batch that are true negatives.

    Two pairs that share an image are never each other's negatives: every sentence of a photograph
    is a right answer for it. The diagonal is masked by the same rule.

    Args:
        image_id: int `[B]`, the image of each pair.

    Returns:
        bool `[B, B]`, True where image k and sentence l come from different images.
    """
    return ops.not_equal(ops.expand_dims(image_id, 1), ops.expand_dims(image_id, 0))


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


def distillation_costs(scores, teacher_scores):
    """Computes `-sum_j q_ij log p_ij`: p by the softmax of a row of scores, q by a teacher's.

    A teacher says how far each item fits each target, whether or not they are a pair: it knows of
    wrong items that fit, and of right ones that hardly do.

    Args:
        scores: float `[N, M]`, one row per target, divided by the temperature.
        teacher_scores: float `[N, M]`, divided by the teacher's.

    Returns:
        float `[N]`; the least, the entropy of q, where p is q.

    Example: a teacher to whom two items are alike.

    >>> import math
    >>> import numpy as np
    >>> costs = distillation_costs(np.zeros((1, 2), "float32"), np.ones((1, 2), "float32"))
    >>> round(float(costs[0]) / math.log(2), 6)
    1.0

    Reference: Hinton et al., Distilling the Knowledge in a Neural Network, 2015.
    """
    return -ops.sum(ops.softmax(teacher_scores) * ops.log_softmax(scores), axis=1)


def mean_of_pairs(costs, counted):
    """Returns the mean of the costs of the pairs that are counted; 0 where none is.

    Args:
        costs: float, of any shape, finite.
        counted: bool, of the same shape.

    Example:

    >>> import numpy as np
    >>> float(mean_of_pairs(np.float32([1, 5, 9]), np.array([True, False, True])))
    5.0
    """
    counted = ops.cast(counted, costs.dtype)
    return ops.sum(costs * counted) / ops.maximum(ops.sum(counted), 1.0)


def sum_of_pairs(costs, counted):
    """Returns the sum of the costs of the pairs that are counted; arguments of `mean_of_pairs`."""
    return ops.sum(costs * ops.cast(counted, costs.dtype))
