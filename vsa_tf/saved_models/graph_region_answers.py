"""What is answered of each region of an image, in a graph."""

import tensorflow as tf


def graph_region_answers(batch, answers):
    """Returns answers of regions with the regions' boxes and how many there are.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        answers: dict of tensors `[B, R, ...]`.

    Returns:
        The answers, 0 or empty strings at padding, and boxes `[B, R, 4]` and num_regions `[B]`.
    """
    mask = batch["region_mask"]
    whole = {}
    for name, values in answers.items():
        is_real = tf.reshape(mask, (-1, mask.shape[1], *[1] * (len(values.shape) - 2)))
        whole[name] = tf.where(is_real, values, tf.zeros((), values.dtype))
    num_regions = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    return {**whole, "boxes": batch["region_boxes"], "num_regions": num_regions}
