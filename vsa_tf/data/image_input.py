"""All images of a split, decoded once."""

import concurrent.futures
import os

import numpy as np
import tensorflow as tf

from vsa_tf.data.resized_image import resized_image

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
