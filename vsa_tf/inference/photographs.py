"""Photographs as callers have them, paths, bytes, PIL images or arrays, as image files."""

import io
import os
import pathlib

import numpy as np
from PIL import Image

from tfrecords_tools.image_decoding import to_rgb
from vsa_tf.errors import InputError

# Photographs, or texts, at a time: few enough for memory, and for the limits of a server.
_BATCH_SIZE = 16
_BATCH_BYTES = 16 << 20


def batches(items, num_bytes=len):
    """Yields lists of what is asked about at a time.

    Args:
        items: iterable; it is read a batch ahead at most.
        num_bytes: given one of them, returns its size.
    """
    batch, size = [], 0
    for item in items:
        own = num_bytes(item)
        if batch and (len(batch) == _BATCH_SIZE or size + own > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += own
    if batch:
        yield batch


def encoded(photograph):
    """Returns the bytes of an image file.

    Args:
        photograph: a path, the bytes of an image file, a `PIL.Image.Image`, or uint8
            `[h, w, 3]` or `[h, w]`.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    if isinstance(photograph, (bytes, bytearray, memoryview)):
        return bytes(photograph)
    if isinstance(photograph, (str, os.PathLike)):
        try:
            return pathlib.Path(photograph).read_bytes()
        except OSError as error:
            raise InputError(f"{photograph}: {error.strerror or error}") from error
    if isinstance(photograph, np.ndarray):
        is_picture = photograph.ndim == 2 or photograph.ndim == 3 and photograph.shape[2] == 3
        if photograph.dtype != np.uint8 or not is_picture:
            raise InputError(
                "Expected a photograph of uint8 [h, w, 3]. Received: "
                f"{photograph.dtype} {list(photograph.shape)}"
            )
        photograph = Image.fromarray(photograph)
    if not isinstance(photograph, Image.Image):
        raise InputError(
            "Expected a photograph as a path, bytes, a PIL image or a uint8 array. Received: "
            f"{type(photograph).__name__}"
        )
    file = io.BytesIO()
    to_rgb(photograph).save(file, "PNG")
    return file.getvalue()
