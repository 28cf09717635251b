"""Region selection in a graph."""

import tensorflow as tf

from tfrecords_tools.regions import WHOLE_FRAME

# As in `select_regions`, whose results these are.
_SMALLEST_SIDE = 1e-3


def graph_regions(boxes, scores, num_regions, nms_threshold):
    """Returns the boxes of `tfrecords_tools.regions.select_regions`, float32 `[R, 4]`.

    Args:
        boxes: float32 `[K, 4]`, normalised.
        scores: float32 `[K]`.
        num_regions: at most this many, the whole frame included, which is the first.
        nms_threshold: a box is suppressed if its IoU with a better one is above this.
    """
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    usable = tf.reduce_min(boxes[:, 2:] - boxes[:, :2], axis=1) > _SMALLEST_SIDE
    boxes, scores = tf.boolean_mask(boxes, usable), tf.boolean_mask(scores, usable)
    chosen = tf.image.non_max_suppression(boxes, scores, num_regions - 1, nms_threshold)
    return tf.concat([WHOLE_FRAME, tf.gather(boxes, chosen)], axis=0)
