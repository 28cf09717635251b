"""The boxes of an image in the order of their scores, in a graph."""

import tensorflow as tf


def ranked_boxes(batch, scores):
    """Ranks the real regions of each row, in a graph: the answer of `localize`.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        scores: float `[B, R]`; of equal ones the earlier region is first.

    Returns:
        dict of boxes `[B, R, 4]`, best first, scores `[B, R]`, num_boxes `[B]`; 0 at padding.
    """
    mask = batch["region_mask"]
    order = tf.argsort(
        tf.where(mask, scores, scores.dtype.min), axis=1, direction="DESCENDING", stable=True
    )
    mask = tf.gather(mask, order, batch_dims=1)
    return {
        "boxes": tf.gather(batch["region_boxes"], order, batch_dims=1),
        "scores": tf.where(mask, tf.gather(scores, order, batch_dims=1), 0.0),
        "num_boxes": tf.reduce_sum(tf.cast(mask, tf.int32), axis=1),
    }
