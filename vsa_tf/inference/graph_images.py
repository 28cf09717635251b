"""Encoded photographs to pixels in a graph, as `tfrecords_tools.image_decoding` reads them."""

from typing import NamedTuple

import tensorflow as tf

from tfrecords_tools.image_decoding import DEFAULT_MAX_PIXELS, JPEG_QUALITY, MIN_SIDE

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 32
_REDUCTIONS = (1, 2, 4, 8)
_START_OF_SCAN, _APPLICATION_1 = 0xDA, 0xE1
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_EXIF = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112


def graph_image(encoded, max_pixels=DEFAULT_MAX_PIXELS):
    """Decodes an image: upright, three channels, the first frame of an animation.

    Equal to `decode_image` to the last bit, but for this: the orientation is read from a JPEG's
    EXIF segment only, and a transparent GIF, or grey PNG of less than 8 bits, is not laid on white.

    Args:
        encoded: string [].
        max_pixels: largest height x width. A baseline JPEG above it is decoded at 1/2, 1/4 or 1/8.

    Returns:
        uint8 `[h, w, 3]`.

    Raises:
        tf.errors.InvalidArgumentError: when run, for what is no image, too small or too large.
    """
    is_jpeg = tf.io.is_jpeg(encoded)
    is_png = tf.strings.substr(encoded, 0, len(_PNG)) == _PNG
    image = tf.case(
        [
            (is_jpeg, lambda: _jpeg(encoded, max_pixels)),
            (is_png, lambda: _png(encoded, max_pixels)),
        ],
        default=lambda: _other(encoded, max_pixels),
    )
    smallest = tf.reduce_min(tf.shape(image)[:2])
    check = tf.debugging.Assert(
        smallest >= MIN_SIDE, [f"Expected an image of at least {MIN_SIDE} pixels a side", smallest]
    )
    with tf.control_dependencies([check]):
        return tf.ensure_shape(image, (None, None, 3))


def graph_stored_image(encoded, max_pixels=DEFAULT_MAX_PIXELS):
    """Returns the image as records keep it, as `stored_image` does, string [].

    Args:
        encoded: string [].
        max_pixels: as of `graph_image`.
    """

    def encoded_again():
        return tf.io.encode_jpeg(graph_image(encoded, max_pixels), quality=JPEG_QUALITY)

    def kept():
        header, shape = jpeg_header(encoded), tf.io.extract_jpeg_shape(encoded)
        is_plain = (header.orientation == 1) & (shape[2] < 4) & (_reduction(shape, max_pixels) == 0)
        return tf.cond(is_plain, lambda: encoded, encoded_again)

    return tf.cond(tf.io.is_jpeg(encoded), kept, encoded_again)


def _jpeg(encoded, max_pixels):
    header, shape = jpeg_header(encoded), tf.io.extract_jpeg_shape(encoded)
    # A progressive JPEG needs memory for all its coefficients at any reduction.
    reduction = tf.where(header.is_progressive, 0, _reduction(shape, max_pixels))
    size = tf.cast(-(-shape[:2] // tf.gather(_REDUCTIONS, reduction)), tf.int64)
    with _checked_size(size, max_pixels):
        decoders = [
            lambda ratio=ratio: tf.io.decode_jpeg(
                # Pillow's transform, and to the last bit its results.
                encoded,
                channels=3,
                ratio=ratio,
                dct_method="INTEGER_ACCURATE",
            )
            for ratio in _REDUCTIONS
        ]
        return _upright(tf.switch_case(reduction, decoders), header.orientation)


def _reduction(shape, max_pixels):
    """The position in `_REDUCTIONS` of the first that fits, or of the last."""
    sizes = [tf.cast(-(-shape[:2] // ratio), tf.int64) for ratio in _REDUCTIONS[:-1]]
    return sum(tf.cast(size[0] * size[1] > max_pixels, tf.int32) for size in sizes)


def _upright(image, orientation):
    """Undoes EXIF's orientation, 1 to 8; other numbers mean nothing."""

    def apply(orientations, function, image):
        return tf.cond(
            tf.reduce_any(orientation == orientations), lambda: function(image), lambda: image
        )

    image = apply((5, 6, 7, 8), tf.image.transpose, image)
    image = apply((2, 3, 6, 7), tf.image.flip_left_right, image)
    return apply((3, 4, 7, 8), tf.image.flip_up_down, image)


def _png(encoded, max_pixels):
    bit_depth = _numbers(encoded, 24, 1, 1)[0]
    with _checked_size(_numbers(encoded, 16, 4, 2), max_pixels):
        image = tf.cond(
            # Asked for four channels, TensorFlow does not scale what has less than 8 bits; asked
            # for those there are, it leaves out a transparent colour.
            bit_depth < 8,
            lambda: tf.io.decode_png(encoded, channels=0),
            lambda: tf.io.decode_png(encoded, channels=4),
        )
    has_alpha = tf.shape(image)[2] % 2 == 0
    return tf.cond(has_alpha, lambda: _on_white(image), lambda: _three_channels(image))


def _three_channels(image):
    """The colour of uint8 `[h, w, C]`: three channels of more, or the first for all."""
    return image[..., :3] + tf.zeros((1, 1, 3), tf.uint8)


def _on_white(image):
    """Lays uint8 `[h, w, C]`, whose last channel is its opacity, on white."""
    color = tf.cast(_three_channels(image[..., :-1]), tf.int32)
    alpha = tf.cast(image[..., -1:], tf.int32)
    # Pillow's alpha_composite on white: a division by 255 that rounds, of numbers times 128.
    sums = 128 * (color * alpha + 255 * (255 - alpha)) + 128 * 128
    return tf.cast(((sums // 256 + sums) // 256) // 128, tf.uint8)


def _other(encoded, max_pixels):
    # The largest that a header of GIF, BMP or WebP says: what is none of them fails below.
    is_gif = tf.strings.substr(encoded, 0, 3) == b"GIF"
    is_bmp = tf.strings.substr(encoded, 0, 2) == b"BM"
    size = tf.case(
        [(is_gif, lambda: _numbers(encoded, 6, 2, 2, -1)), (is_bmp, lambda: _bmp_size(encoded))],
        default=lambda: _webp_size(encoded),
    )
    with _checked_size(size, max_pixels):
        image = tf.io.decode_image(encoded, expand_animations=False)
    return tf.cond(
        (tf.strings.substr(encoded, 0, 4) == b"RIFF") & (tf.shape(image)[2] == 4),
        lambda: _on_white(image),
        # The fourth channel of a BMP means nothing.
        lambda: _three_channels(image),
    )


def _bmp_size(encoded):
    # Negative where rows go from top to bottom.
    size = _numbers(encoded, 18, 4, 2, -1)
    return tf.minimum(size, 2**32 - size)


def _webp_size(encoded):
    kind = tf.strings.substr(_padded(encoded), 12, 4)
    packed = _numbers(encoded, 21, 4, 1, -1) // [1, 2**14] % 2**14 + 1
    return tf.case(
        [
            (kind == b"VP8X", lambda: _numbers(encoded, 24, 3, 2, -1) + 1),
            (kind == b"VP8L", lambda: packed),
        ],
        default=lambda: _numbers(encoded, 26, 2, 2, -1) % 2**14,
    )


def _checked_size(size, max_pixels):
    check = tf.debugging.Assert(
        size[0] * size[1] <= max_pixels,
        [f"Expected an image of at most {max_pixels} pixels. Received:", size],
    )
    return tf.control_dependencies([check])


def _padded(encoded):
    return tf.strings.substr(tf.strings.join([encoded, b"\0" * _HEADER_BYTES]), 0, _HEADER_BYTES)


def _numbers(encoded, first, size, count, step=1):
    """Integers of `size` bytes of the header, big-endian or (step -1) little; int64 `[count]`."""
    data = tf.cast(tf.io.decode_raw(_padded(encoded), tf.uint8), tf.int64)
    digits = tf.reshape(data[first : first + size * count], (count, size))[:, ::step]
    return tf.reduce_sum(digits * [256**place for place in reversed(range(size))], axis=1)


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
