"""Regions and words that are left out in training: other images and sentences of the same."""

import keras
from keras import ops


def drop_parts(mask, rate, seed, keep_first=False):
    """Leaves parts of each row out at random; of a row that has any, at least one stays.

    Args:
        mask: bool `[B, P]`, which of a row's regions, words or relations are real.
        rate: probability with which each is left out, from 0 to below 1.
        seed: a `keras.random.SeedGenerator`, or an int.
        keep_first: whether the first of each row always stays: of regions, the whole frame.

    Returns:
        bool `[B, P]`, the real ones that stay.

    Example:

    >>> import numpy as np
    >>> mask = np.array([[True, True, False], [False, False, False]])
    >>> np.array(drop_parts(mask, 0.999, seed=0, keep_first=True)).tolist()
    [[True, False, False], [False, False, False]]

    Reference: Chen et al., Learning the Best Pooling Strategy for Visual Semantic Embedding, CVPR
    2021 ("size augmentation", there of 20 %).
    """
    noise = keras.random.uniform(ops.shape(mask), dtype="float32", seed=seed)
    if keep_first:
        noise = ops.where(ops.equal(ops.arange(ops.shape(mask)[1]), 0), 1.0, noise)
    noise = ops.where(mask, noise, -1.0)
    # The row's largest number always passes.
    threshold = ops.minimum(ops.max(noise, axis=1, keepdims=True), rate)
    return ops.logical_and(mask, noise >= threshold)
