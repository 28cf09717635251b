"""Encoded photographs to pixels in a graph, as `tfrecords_tools.image_decoding` reads them."""

import functools

import numpy as np
import tensorflow as tf

from tfrecords_tools.image_decoding import JPEG_QUALITY, MAX_JPEG_SIDE
from tfrecords_tools.image_structure import DEFAULT_MAX_PIXELS, MAX_BYTES, MAX_SCANNED_PIXELS
from vsa_tf.inference.graph_checks import check_size, require
from vsa_tf.inference.graph_image_structure import FileBytes, walk
from vsa_tf.inference.graph_pictures import bmp_picture, gif_picture, webp_picture
from vsa_tf.inference.image_parts import OPACITY, PIXELS, SIZE

# Name, and how its files begin; `?` is any byte. In the order of `image_parts.ROWS`.
GRAPH_FORMATS = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WebP": b"RIFF????WEBP",
    "GIF": b"GIF8?a",
    "BMP": b"BM",
}
_OTHERS = (
    ("HEIC, AVIF or a film", b"????ftyp"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("JPEG XL", b"\xff\x0a"),
    ("JPEG 2000", b"\0\0\0\x0cjP"),
    ("no image that is known", b""),
)
_BEGINNINGS = [*GRAPH_FORMATS.values(), *(beginning for _, beginning in _OTHERS)]
_REDUCTIONS = (1, 2, 4, 8)
# Says that the inks of four channels are inverted, as all that write such files have them.
_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
# EXIF's orientations whose axes change places, and then those that run the other way.
_TRANSPOSED, _LEFT_RIGHT, _UP_DOWN = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)


def graph_image(encoded, max_pixels=DEFAULT_MAX_PIXELS):
    """Decodes an image: upright, three channels, the first frame of an animation.

    Equal to `decode_image` to the last bit, and refused within the same bounds. A BMP file that is
    run-length coded, HEIC and AVIF are refused here.

    Args:
        encoded: string [].
        max_pixels: largest height x width. A baseline JPEG above it is decoded at 1/2, 1/4 or 1/8.

    Returns:
        `(image, is_plain)`: uint8 `[h, w, 3]`; bool [], whether records keep the file as it is.

    Raises:
        tf.errors.InvalidArgumentError: when run, for what is no image, or over a bound.
    """
    return _traced(max_pixels)(encoded)


def graph_stored_image(encoded, image, is_plain):
    """Returns an image as records keep it, as `stored_image` does, string [].

    Args:
        encoded: string [].
        image, is_plain: what `graph_image` returned for it.

    Raises:
        tf.errors.InvalidArgumentError: when run, for more pixels a side than a JPEG has.
    """

    def written():
        side = tf.reduce_max(tf.shape(image))
        message = f"Expected an image of at most {MAX_JPEG_SIDE} pixels a side. Received:"
        with require(side <= MAX_JPEG_SIDE, message, side):
            return tf.io.encode_jpeg(image, quality=JPEG_QUALITY)

    return tf.cond(is_plain, lambda: encoded, written)


@functools.cache
def _traced(max_pixels):
    """The largest part of an export, as a function: traced once, and kept once in a graph."""
    image = functools.partial(_image, max_pixels=max_pixels)
    return tf.function(image, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def _image(encoded, max_pixels):
    length = tf.strings.length(encoded)
    with require(length <= MAX_BYTES, f"Expected an image of at most {MAX_BYTES} bytes", length):
        encoded = tf.identity(encoded)
    file = FileBytes(encoded)
    number = _format_number(file)
    parts = walk(file, number)
    turned = parts.orientation
    branches = [
        lambda: (*_jpeg(encoded, file, parts, max_pixels), turned),
        lambda: (_png(encoded, file, parts, max_pixels), False, turned),
        lambda: (webp_picture(encoded, file, parts, max_pixels), False, turned),
        lambda: (gif_picture(encoded, file, parts, max_pixels), False, turned),
        lambda: bmp_picture(file, max_pixels),
        lambda: (_refused(number), False, turned),
    ]
    image, is_plain, turned = tf.switch_case(number, branches)
    image = tf.cond(
        tf.reduce_all(tf.equal(image[..., 3:], 255)),
        lambda: image[..., :3],
        lambda: _on_white(image),
    )
    image = tf.cond(turned > 1, lambda: _upright(image, turned), lambda: image)
    return tf.ensure_shape(image, (None, None, 3)), is_plain & tf.equal(turned, 1)


def _format_number(file):
    """The position in `_BEGINNINGS` of the first that fits."""
    codes = np.array([list(beginning.ljust(12, b"?")) for beginning in _BEGINNINGS])
    fits = (file.bytes(0, 12) == codes) | (codes == ord("?"))
    return tf.argmax(tf.reduce_all(fits, axis=1), output_type=tf.int32)


def _refused(number):
    names = [name for name, _ in _OTHERS]
    message = f"Expected a {', '.join(GRAPH_FORMATS)} image; save others as JPEG or PNG. Received:"
    with require(False, message, tf.gather(names, number - len(GRAPH_FORMATS))):
        return tf.zeros((1, 1, 4), tf.uint8)


def _jpeg(encoded, file, parts, max_pixels):
    frame, scans = parts.positions[SIZE], parts.counted
    is_whole = (frame > 0) & (parts.positions[PIXELS] > 0)
    with require(is_whole, "the image cannot be decoded: it is a JPEG without a picture"):
        _, marker, _, height, width, num_channels = file.numbers(frame, 1, 1, 3, 2, 2, 1)
    with require(
        (scans < 2) | (scans * height * width <= MAX_SCANNED_PIXELS),
        f"the image has too many scans (at most {MAX_SCANNED_PIXELS} pixels in all of them)",
    ):
        sizes = tf.reshape([width, height], (2, 1))
    # Rounded up.
    ratios = np.array(_REDUCTIONS)
    sizes = (sizes + (ratios - 1)) // ratios
    # The first that fits, or the last.
    is_large = tf.cast(tf.reduce_prod(sizes, axis=0) > max_pixels, tf.int32)
    reduction = tf.minimum(tf.reduce_sum(is_large), len(_REDUCTIONS) - 1)
    # A progressive one needs memory for all its coefficients at any reduction.
    is_progressive = (marker % 4 == 2) & (marker > 0xC0)
    reduction = tf.where(is_progressive, 0, reduction)
    with check_size(*tf.unstack(tf.gather(sizes, reduction, axis=1)), max_pixels):
        has_inks = num_channels == 4
    # Before all others: a marker of the file's own, which comes later, counts.
    start = tf.where(has_inks, b"\xff\xd8" + _ADOBE, b"")
    encoded = tf.strings.join([start, tf.strings.substr(encoded, tf.where(has_inks, 2, 0), -1)])
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
    return tf.switch_case(reduction, decoders), ~has_inks & tf.equal(reduction, 0)


def _png(encoded, file, parts, max_pixels):
    length = parts.lengths[OPACITY]
    width, height, _, color_type = file.numbers(16, 4, 4, 1, 1)
    # Of another length a transparent colour counts for nothing.
    has_color = (color_type == 0) & (length == 2) | (color_type == 2) & (length == 6)
    has_alpha = has_color | (color_type == 3) & (length > 0) | (color_type >= 4)
    with check_size(width, height, max_pixels):
        # Of grey below eight bits it would give another opacity than 255.
        return tf.cond(
            has_alpha,
            lambda: tf.io.decode_png(encoded, channels=4),
            lambda: tf.io.decode_png(encoded, channels=3),
        )


def _on_white(image):
    """Lays uint8 `[h, w, 4]`, red, green, blue and opacity, on white: `[h, w, 3]`."""
    color = tf.cast(image[..., :3], tf.int32)
    alpha = tf.cast(image[..., 3:], tf.int32)
    # Pillow's alpha_composite on white: a division by 255 that rounds, of numbers times 128.
    sums = 128 * (color * alpha + 255 * (255 - alpha)) + 128 * 128
    return tf.cast(((sums // 256 + sums) // 256) // 128, tf.uint8)


def _upright(image, turned):
    """Undoes EXIF's orientation, 2 to 8."""
    orders = [[1, 0, 2] if number in _TRANSPOSED else [0, 1, 2] for number in range(9)]
    reversed_axes = [[number in _UP_DOWN, number in _LEFT_RIGHT] for number in range(9)]
    image = tf.transpose(image, tf.gather(orders, turned))
    return tf.reverse(image, tf.squeeze(tf.where(tf.gather(reversed_axes, turned)), 1))
