"""How a batch comes to its images: the pixels of photographs, decoded once."""

import concurrent.futures
import os

import numpy as np
import tensorflow as tf

_PROGRESS_EVERY = 256


def decoded_images(record_split, image_size, progress=None):
    """Decodes and resizes every stored image of a split, on all cores.

    Args:
        record_split: a `RecordSplit` with N images.
        image_size: S, pixels.
        progress: `progress(done, total)` is called every few hundred images.

    Returns:
        uint8 [N, S, S, 3].

    Raises:
        ValueError: a record holds no image, or one that does not decode.
    """
    num_images = record_split.num_images
    images = np.zeros([num_images, image_size, image_size, 3], np.uint8)
    decode = tf.function(
        lambda encoded: resized_image(encoded, image_size),
        input_signature=[tf.TensorSpec([], tf.string)],
    )

    def decode_into_row(image):
        encoded = record_split.read_encoded_images([image])[0]
        try:
            images[image] = decode(encoded).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise record_split.undecodable_image(image) from error

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = [pool.submit(decode_into_row, image) for image in range(num_images)]
        try:
            for done, row in enumerate(rows):
                if progress and done % _PROGRESS_EVERY == 0:
                    progress(done, num_images)
                row.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if progress:
        progress(num_images, num_images)
    return images


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
