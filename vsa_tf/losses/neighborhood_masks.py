"""Neighbours within one modality, from the matches across the two (T section 3.2.3)."""

from keras import ops


def neighborhood_masks(positive, negative):
    """Returns which items are neighbours, and which are to stay outside the neighbourhood.

    N(y) are the descriptions of the same visual data as y: texts that match a common image (T eq.
    5). Outside stand the negatives of an image that y matches. An item that is neither, and the
    item itself, is left out. For N(x), T eq. 4, images and texts change places.

    Args:
        positive: bool `[N, M]`, True where the target matches an item of the other modality.
        negative: bool `[N, M]`, True where the target is a negative of that item; of texts
            (N texts, M images) the transposed `negative_texts` of `PairMasks`.

    Returns:
        `(neighbors, outsiders)`, bool `[N, N]`, one row per target.

    Example: targets 0 and 1 match the same item, target 2 another.

    >>> import numpy as np
    >>> positive = np.array([[True, False], [True, False], [False, True]])
    >>> neighbors, outsiders = neighborhood_masks(positive, ~positive)
    >>> np.array(neighbors).tolist()
    [[False, True, False], [True, False, False], [False, False, False]]
    >>> np.array(outsiders).tolist()
    [[False, False, True], [False, False, True], [True, True, False]]
    """
    matches = ops.cast(positive, "float32")
    shared = ops.matmul(matches, ops.transpose(matches)) > 0.5
    refused = ops.matmul(matches, ops.transpose(ops.cast(negative, "float32"))) > 0.5
    positions = ops.arange(ops.shape(matches)[0])
    itself = ops.equal(ops.expand_dims(positions, 1), ops.expand_dims(positions, 0))
    neighbors = ops.logical_and(shared, ops.logical_not(itself))
    return neighbors, ops.logical_and(refused, ops.logical_not(shared))
