"""Margin violations of every negative pair, in both directions."""

from keras import ops


def hinge_costs(scores, mask, margin):
    """Computes the two hinge terms of D eq. 2 before they are summed or mined.

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
