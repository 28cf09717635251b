"""The box of a phrase, by what all regions that fit it overlap with."""

from keras import ops

# Powers of the overlap. A model that learns without boxes finds the telling part of what is meant,
# a face or a wheel: a small power takes the larger box about it.
WITHOUT_BOXES, WITH_BOXES = 0.3, 1.0
_TEMPERATURE = 0.7


def box_agreement(scores, boxes, region_mask, power):
    """How far each region of an image agrees with those that fit a phrase.

        a_i = sum_j p_j IoU(i, j)^power,   p = softmax_j((u_j - mean(u)) / (0.7 std(u)))

    With power 1 it is the overlap that is to be expected, where the region that is meant is j with
    probability p_j. Regions that do not overlap keep the order of their scores u.

    Args:
        scores: float `[B, R]`, u, of each region for the phrase.
        boxes: float `[B, R, 4]` or `[1, R, 4]`, `ymin, xmin, ymax, xmax`.
        region_mask: bool `[B, R]` or `[1, R]`; which regions are no padding.
        power: `WITHOUT_BOXES` or `WITH_BOXES`, as the model has learnt.

    Returns:
        float32 tensor `[B, R]`, 0 to 1; 0 at padding.

    Not in the papers (docs/equations.md 5); the numbers were chosen on Flickr8K dev.

    Example: the first region fits best, and the next two are of one thing.

    >>> boxes = [[[0, 0, 0.2, 0.2], [0.5, 0.5, 1, 1], [0.5, 0.6, 1, 1], [0, 0.8, 0.2, 1]]]
    >>> agreement = box_agreement([[5.0, 4.8, 4.6, 0.0]], boxes, [[True] * 4], WITH_BOXES)
    >>> ops.convert_to_numpy(ops.argsort(-agreement[0])).tolist()
    [1, 2, 0, 3]
    """
    scores = ops.cast(ops.convert_to_tensor(scores), "float32")
    real = ops.cast(ops.convert_to_tensor(region_mask), "float32")
    count = ops.maximum(ops.sum(real, axis=1, keepdims=True), 1.0)
    scores = (scores - ops.sum(scores * real, axis=1, keepdims=True) / count) * real
    deviation = ops.sqrt(ops.sum(scores * scores, axis=1, keepdims=True) / count)
    standardised = scores / ops.maximum(_TEMPERATURE * deviation, 1e-12)
    fits = ops.softmax(standardised + 1e9 * (real - 1.0), axis=1)
    overlap = _overlaps(ops.cast(ops.convert_to_tensor(boxes), "float32"))
    return ops.matmul(overlap**power, fits[..., None])[..., 0] * real


def _overlaps(boxes):
    """Returns the intersection over union of each two boxes of an image, `[B, R, R]`."""
    start = ops.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    end = ops.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    shared = ops.prod(ops.maximum(end - start, 0.0), axis=-1)
    area = ops.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    union = area[:, :, None] + area[:, None, :] - shared
    # A box without an area is itself, too.
    return ops.maximum(shared / ops.maximum(union, 1e-12), ops.eye(ops.shape(boxes)[1]))
