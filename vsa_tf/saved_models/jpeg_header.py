"""What a JPEG file says before its pixels, read in a graph."""

from typing import NamedTuple

import tensorflow as tf

_START_OF_SCAN, _APPLICATION_1 = 0xDA, 0xE1
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_EXIF = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112


class JpegHeader(NamedTuple):
    """Attributes:
    orientation: int32 [], EXIF's, 1 (upright) to 8, or what else is there; 1 where there is none.
    is_progressive: bool [].
    """

    orientation: tf.Tensor
    is_progressive: tf.Tensor


def jpeg_header(encoded):
    """Walks over the segments of a JPEG file up to its first scan.

    Args:
        encoded: string [], a JPEG file; of anything else the header is that of an upright one.

    Returns:
        `JpegHeader`.

    Reference: ITU-T T.81, annex B; EXIF 2.3, section 4.6.
    """
    length = tf.strings.length(encoded)
    # What lies beyond the end of a damaged file is read as zero.
    data = tf.io.decode_raw(tf.strings.join([encoded, b"\0"]), tf.uint8)

    def goes_on(position, _, __):
        marker = _number(data, position, 2)
        return (position + 4 <= length) & (marker > 0xFF00) & (marker != 0xFF00 + _START_OF_SCAN)

    def next_segment(position, orientation, is_progressive):
        marker = _number(data, position + 1, 1)
        content = position + 4
        is_exif = (marker == _APPLICATION_1) & tf.reduce_all(
            _number(data, content + tf.range(len(_EXIF)), 1) == list(_EXIF)
        )
        orientation = tf.cond(
            is_exif, lambda: _orientation(data, content + len(_EXIF)), lambda: orientation
        )
        is_progressive |= tf.reduce_any(marker == _PROGRESSIVE)
        # 0xFF may be repeated before a marker.
        size = tf.where(marker == 0xFF, 1, 2 + _number(data, position + 2, 2))
        return position + size, orientation, is_progressive

    _, orientation, is_progressive = tf.while_loop(
        goes_on, next_segment, (tf.constant(2), tf.constant(1), tf.constant(False))
    )
    return JpegHeader(orientation, is_progressive)


def _orientation(data, start):
    """Reads the orientation of the TIFF structure that begins at `start`."""
    is_little = _number(data, start, 1) == ord("I")

    def number(position, size):
        return tf.where(is_little, _number(data, position, size, -1), _number(data, position, size))

    # Offsets and counts of a damaged file may be anything.
    directory = start + tf.clip_by_value(number(start + 4, 4), 0, tf.size(data))
    entries = directory + 2 + 12 * tf.range(number(directory, 2))
    found = tf.boolean_mask(number(entries + 8, 2), number(entries, 2) == _ORIENTATION_TAG)
    return tf.concat([found, [1]], axis=0)[0]


def _number(data, position, size, step=1):
    """Returns the integer of `size` bytes at each position, big-endian or (step -1) little."""
    value = tf.zeros_like(position)
    for offset in range(size)[::step]:
        place = tf.clip_by_value(position + offset, 0, tf.size(data) - 1)
        value = value * 256 + tf.cast(tf.gather(data, place), tf.int32)
    return value
