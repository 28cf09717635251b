"""An encoded image as the square of pixels that a model reads."""

import tensorflow as tf


def resized_image(encoded, image_size):
    """Decodes an image and resizes it, antialiased, to a square.

    The sides are scaled apart, so that normalised boxes stay true. Core TensorFlow operations only;
    an antialiased resize does not compile under XLA.

    Args:
        encoded: string [], a JPEG, PNG, GIF (its first frame) or BMP image.
        image_size: S, pixels.

    Returns:
        uint8 [S, S, 3].

    Raises:
        tf.errors.InvalidArgumentError: when run, the bytes are not such an image.
    """
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    image = tf.image.resize(image, [image_size, image_size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.uint8)
