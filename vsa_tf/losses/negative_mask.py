"""Which pairs of a batch may serve as negatives."""

from keras import ops


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
