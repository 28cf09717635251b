"""Photographs as callers have them, paths, bytes, PIL images or arrays, as image files."""

import io
import os

import numpy as np
from PIL import Image

from tfrecords_tools.image_decoding import IMAGES_PER_BATCH, decode_image, to_rgb
from tfrecords_tools.image_structure import MAX_BYTES, ImageError
from vsa_tf.errors import InputError
from vsa_tf.file_reading import open_regular

_RUN_LENGTH_CODED = (1, 2)
_IS_ANIMATED = 0x02
# Of photographs, or texts, at a time: few enough for memory, and for the limits of a server.
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
        if batch and (len(batch) == IMAGES_PER_BATCH or size + own > _BATCH_BYTES):
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
        return portable(bytes(photograph))
    if isinstance(photograph, (str, os.PathLike)):
        try:
            return read_photograph(photograph)
        except OSError as error:
            raise InputError(f"{photograph}: {error.strerror or error}") from error
        except InputError as error:
            raise InputError(f"{photograph}: {error}") from error
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
    return _png(to_rgb(photograph))


def read_photograph(path):
    """Returns the bytes of an image file that every model reads, see `portable`.

    Raises:
        OSError: there is no such file.
        InputError: as of `portable`.
    """
    with open_regular(path) as file:
        # One byte too many says that there are more.
        return portable(file.read(MAX_BYTES + 1))


def portable(data):
    """Returns the bytes of an image file as a PNG file of its pixels where exports cannot read it.

    Models in TensorFlow's operations read no HEIC, AVIF and run-length coded BMP, and no animated
    WebP if they were exported before they knew them.

    Args:
        data: bytes, of any file.

    Raises:
        InputError: it is an image of these kinds that cannot be decoded.
    """
    is_heif = data[4:8] == b"ftyp"
    is_coded_bmp = data[:2] == b"BM" and int.from_bytes(data[30:34], "little") in _RUN_LENGTH_CODED
    is_extended_webp = data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and len(data) > 20
    if not (is_heif or is_coded_bmp or is_extended_webp and data[20] & _IS_ANIMATED):
        return data
    try:
        return _png(Image.fromarray(decode_image(data)))
    except ImageError as error:
        raise InputError(str(error)) from error


def _png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
