"""Encoded photographs to pixels in a graph, as `tfrecords_tools.image_decoding` reads them."""

import functools

import tensorflow as tf

from tfrecords_tools.image_decoding import JPEG_QUALITY
from tfrecords_tools.image_structure import DEFAULT_MAX_PIXELS
from vsa_tf.inference.graph_animations import first_gif_picture, first_webp_picture
from vsa_tf.inference.graph_bitmap import bitmap
from vsa_tf.inference.graph_image_structure import (
    FileBytes,
    check_bytes,
    check_size,
    jpeg_header,
    png_header,
    require,
)

# Name, and how its files begin; `?` is any byte.
GRAPH_FORMATS = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "GIF": b"GIF8",
    "BMP": b"BM",
    "WebP": b"RIFF????WEBP",
}
_OTHERS = {
    "HEIC, AVIF or a film": b"????ftyp",
    "TIFF": b"II*\0",
    "TIFF ": b"MM\0*",
    "JPEG XL": b"\xff\x0a",
    "JPEG 2000": b"\0\0\0\x0cjP",
}
_REDUCTIONS = (1, 2, 4, 8)
# Says that the inks of four channels are inverted, as all that write such files have them.
_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"


def graph_image(encoded, max_pixels=DEFAULT_MAX_PIXELS):
    """Decodes an image: upright, three channels, the first frame of an animation.

    Equal to `decode_image` to the last bit, and refused within the same bounds. A BMP file that is
    run-length coded, HEIC and AVIF are refused here.

    Args:
        encoded: string [].
        max_pixels: largest height x width. A baseline JPEG above it is decoded at 1/2, 1/4 or 1/8.

    Returns:
        uint8 `[h, w, 3]`.

    Raises:
        tf.errors.InvalidArgumentError: when run, for what is no image, or over a bound.
    """
    return _traced(max_pixels)(encoded)


@functools.cache
def _traced(max_pixels):
    """The largest part of an export, as a function: traced once, and kept once in a graph."""
    image = functools.partial(_image, max_pixels=max_pixels)
    return tf.function(image, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def _image(encoded, max_pixels):
    with check_bytes(encoded):
        encoded = tf.identity(encoded)
    upright = tf.constant(1, tf.int64)
    decoders = {
        "JPEG": lambda: _jpeg(encoded, max_pixels),
        "PNG": lambda: _png(encoded, max_pixels),
        "GIF": lambda: (first_gif_picture(encoded, max_pixels), upright),
        "BMP": lambda: (bitmap(encoded, max_pixels), upright),
        "WebP": lambda: first_webp_picture(encoded, max_pixels),
    }
    branches = [
        *(lambda decode=decode: _unshaped(*decode()) for decode in decoders.values()),
        lambda: _unshaped(_refused(encoded), upright),
    ]
    is_format = [_begins(encoded, GRAPH_FORMATS[name]) for name in decoders]
    number = tf.argmax(tf.stack([*is_format, True]), output_type=tf.int32)
    image, orientation = tf.switch_case(number, branches)
    has_opacity = tf.shape(image)[2] == 4
    image = tf.cond(has_opacity, lambda: _on_white(image), lambda: image)
    return tf.ensure_shape(_upright(image, orientation), (None, None, 3))


def _unshaped(image, orientation):
    """Three channels and four are results of one kind."""
    return tf.compat.v1.placeholder_with_default(image, (None, None, None)), orientation


def _begins(encoded, beginning):
    places = [place for place, byte in enumerate(beginning) if byte != ord("?")]
    data = tf.io.decode_raw(
        tf.strings.substr(tf.strings.join([encoded, b"\0" * 12]), 0, 12), tf.uint8
    )
    return tf.reduce_all(tf.gather(data, places) == [beginning[place] for place in places])


def _refused(encoded):
    kind = tf.constant("no image that is known")
    for name, beginning in _OTHERS.items():
        kind = tf.where(_begins(encoded, beginning), name, kind)
    with require(
        tf.constant(False),
        f"Expected a {', '.join(GRAPH_FORMATS)} image; save others as JPEG or PNG. Received:",
        kind,
    ):
        return tf.zeros((1, 1, 3), tf.uint8)


def graph_stored_image(encoded, image, max_pixels=DEFAULT_MAX_PIXELS):
    """Returns the image as records keep it, as `stored_image` does, string [].

    Args:
        encoded: string [].
        image: what `graph_image` returned for it.
        max_pixels: as of `graph_image`.
    """

    def is_plain():
        header = jpeg_header(encoded)
        is_whole = _reduction(header, max_pixels) == 0
        return (header.orientation == 1) & (header.num_channels < 4) & is_whole

    return tf.cond(
        tf.cond(_begins(encoded, GRAPH_FORMATS["JPEG"]), is_plain, lambda: tf.constant(False)),
        lambda: encoded,
        lambda: tf.io.encode_jpeg(image, quality=JPEG_QUALITY),
    )


def _jpeg(encoded, max_pixels):
    header = jpeg_header(encoded)
    # A progressive JPEG needs memory for all its coefficients at any reduction.
    reduction = tf.where(header.is_progressive, 0, _reduction(header, max_pixels))
    ratio = tf.gather(tf.constant(_REDUCTIONS, tf.int64), reduction)
    with check_size(-(-header.width // ratio), -(-header.height // ratio), max_pixels):
        first, others = tf.strings.substr(encoded, 0, 2), tf.strings.substr(encoded, 2, -1)
    lacks_adobe = (header.num_channels == 4) & ~header.has_adobe
    encoded = tf.strings.join([first, tf.where(lacks_adobe, _ADOBE, b""), others])
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
    return tf.switch_case(reduction, decoders), header.orientation


def _reduction(header, max_pixels):
    """The position in `_REDUCTIONS` of the first that fits, or of the last."""
    sizes = [-(-header.width // ratio) * -(-header.height // ratio) for ratio in _REDUCTIONS[:-1]]
    return sum(tf.cast(size > max_pixels, tf.int32) for size in sizes)


def _upright(image, orientation):
    """Undoes EXIF's orientation, 1 to 8."""

    def apply(orientations, function, image):
        return tf.cond(
            tf.reduce_any(orientation == orientations), lambda: function(image), lambda: image
        )

    image = apply((5, 6, 7, 8), tf.image.transpose, image)
    image = apply((2, 3, 6, 7), tf.image.flip_left_right, image)
    return apply((3, 4, 7, 8), tf.image.flip_up_down, image)


def _png(encoded, max_pixels):
    width, height = FileBytes(encoded).numbers(tf.constant(16, tf.int64), 4, 4)
    header = png_header(encoded)
    with check_size(width, height, max_pixels):
        image = tf.cond(
            header.has_alpha,
            lambda: tf.io.decode_png(encoded, channels=4),
            lambda: tf.io.decode_png(encoded, channels=3),
        )
    return image, header.orientation


def _on_white(image):
    """Lays uint8 `[h, w, 4]`, red, green, blue and opacity, on white: `[h, w, 3]`."""

    def laid():
        color = tf.cast(image[..., :3], tf.int32)
        alpha = tf.cast(image[..., 3:], tf.int32)
        # Pillow's alpha_composite on white: a division by 255 that rounds, of numbers times 128.
        sums = 128 * (color * alpha + 255 * (255 - alpha)) + 128 * 128
        return tf.cast(((sums // 256 + sums) // 256) // 128, tf.uint8)

    return tf.cond(tf.reduce_all(image[..., 3] == 255), lambda: image[..., :3], laid)
