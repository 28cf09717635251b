"""Refusals within a graph: a SavedModel makes them wherever it is served."""

import tensorflow as tf

from tfrecords_tools.image_structure import MIN_SIDE


def require(condition, *message):
    """Returns a context whose operations run only where a condition holds.

    Args:
        condition: bool [].
        *message: strings or tensors [].

    Raises:
        tf.errors.InvalidArgumentError: when run, and it does not; its words are the message's.

    Example:

    >>> with require(tf.constant(7) < 8, "Expected less than 8. Received:", 7):
    ...     print(tf.constant(7).numpy())
    7
    """
    # `tf.debugging.Assert` would be a branch, worth it where a message is dear.
    message = [tf.convert_to_tensor(part) for part in message]
    return tf.control_dependencies([tf.raw_ops.Assert(condition=condition, data=message)])


def require_all(are_right, message, values):
    """Returns the context of `require` for rows, of which the first wrong one is named.

    Args:
        are_right: bool [n].
        message: what is expected of each, up to "Received:".
        values: [n], what is named.

    Raises:
        tf.errors.InvalidArgumentError: when run, and one is wrong.
    """
    wrong = tf.boolean_mask(values, tf.logical_not(are_right))
    return require(tf.reduce_all(are_right), message, wrong[:1])


def check_size(width, height, max_pixels):
    """Returns the context of `require` for pictures of at least 8 x 8, at most `max_pixels`."""
    least = f"Expected an image of at least {MIN_SIDE} pixels a side. Received:"
    most = f"Expected an image of at most {max_pixels} pixels. Received:"
    with require(tf.minimum(width, height) >= MIN_SIDE, least, width, height):
        return require(width * height <= max_pixels, most, width, height)
