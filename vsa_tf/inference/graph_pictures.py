"""Pictures of BMP, GIF and WebP files in a graph, cut out before they are decoded.

TensorFlow takes the indices of a BMP's colours for grey, decodes all frames of a GIF, however many,
and ends the process on some animated WebP.
"""

import numpy as np
import tensorflow as tf

from vsa_tf.inference.graph_checks import check_size, require
from vsa_tf.inference.graph_image_structure import color_bytes
from vsa_tf.inference.image_parts import FRAME, OPACITY, PIXELS, SIZE

_NO_PICTURE = "the image cannot be decoded: it is a file without a picture"
_ENDS_EARLY = "the image cannot be decoded: it ends too early"
_OTHER_SIZES = "the image cannot be decoded: its pictures have other sizes than stated"
_GREY_LEVELS = bytes(level for level in range(256) for _ in range(3))
_LOSSY, _LOSSLESS = (int.from_bytes(name, "little") for name in (b"VP8 ", b"VP8L"))
_HAS_OPACITY = 0x10
_CORE_HEADER, _HEADER_WITH_OPACITY = 12, 56
_RAW, _BIT_FIELDS = 0, 3
_DEPTHS = (1, 4, 8, 16, 24, 32)
_RED_OF_565 = 0xF800
_MASKS = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)
# Of EXIF.
_UPRIGHT, _UPSIDE_DOWN = 1, 4


def gif_picture(encoded, file, parts, max_pixels):
    """Decodes the first picture of a GIF file on its canvas.

    Args:
        encoded: string [].
        file, parts: its `FileBytes` and `Parts`.
        max_pixels: largest height x width of the canvas.

    Returns:
        uint8 `[h, w, 4]`, red, green, blue and opacity.

    Raises:
        tf.errors.InvalidArgumentError: when run, for a file that is damaged or over a bound.

    Reference: CompuServe, Graphics Interchange Format, version 89a.
    """
    frame, control = parts.positions[FRAME], parts.positions[OPACITY]
    width, height, flags = file.numbers(6, 2, 2, 1, order="little")
    _, left, top, own_width, own_height, own_flags = file.numbers(
        frame, 1, 2, 2, 2, 2, 1, order="little"
    )
    _, control_flags, _, transparent = file.numbers(control, 3, 1, 2, 1, order="little")
    width, height = tf.maximum(width, left + own_width), tf.maximum(height, top + own_height)
    table_size, own_table_size = color_bytes(flags), color_bytes(own_flags)
    start = frame + 10 + own_table_size
    with require(frame > 0, _NO_PICTURE), check_size(width, height, max_pixels):
        is_whole = parts.end <= file.length
    with require(is_whole, _ENDS_EARLY):
        codes = tf.strings.substr(encoded, start, parts.end - start)
    # Levels of grey for colours, so that the indices come out; interlacing stays as it is.
    interlacing = tf.where(own_flags & 0x40 > 0, b"\x40", b"\0")
    size = _encoded_numbers(tf.stack([own_width, own_height]), 2)
    header = [b"GIF89a", size, b"\xf7\0\0" + _GREY_LEVELS + b",\0\0\0\0", size, interlacing]
    indices = tf.io.decode_gif(tf.strings.join([*header, codes, b";"]))[0, ..., 0]
    transparent = tf.where((control > 0) & (control_flags % 2 == 1), transparent, -1)
    outside = tf.cast(tf.maximum(transparent, 0), tf.uint8)
    indices = _on_canvas(indices, tf.stack([top, left]), tf.stack([height, width]), outside)
    table_start = tf.where(own_table_size > 0, frame + 10, 13)
    table_size = tf.where(own_table_size > 0, own_table_size, table_size)
    # Indices beyond the table are black, or those of the levels of grey that it begins.
    levels = tf.constant(list(_GREY_LEVELS), tf.int64)
    table = file.bytes(table_start, len(_GREY_LEVELS))
    is_own = np.arange(len(_GREY_LEVELS)) < table_size
    is_grey = tf.reduce_all(~is_own | (table == levels))
    colors = tf.reshape(tf.where(is_grey, levels, tf.where(is_own, table, 0)), (256, 3))
    opacity = tf.where(np.arange(256) == transparent, tf.constant(0, tf.int64), 255)
    colors = tf.concat([colors, tf.expand_dims(opacity, 1)], axis=1)
    return tf.gather(tf.cast(colors, tf.uint8), tf.cast(indices, tf.int32))


def _encoded_numbers(numbers, size):
    """Returns integers, int64 [n], as little-endian bytes of `size` each, string []."""
    characters = tf.constant([bytes([value]) for value in range(256)])
    digits = tf.expand_dims(numbers, 1) // [256**place for place in range(size)] % 256
    return tf.strings.reduce_join(tf.gather(characters, digits))


def _on_canvas(picture, corner, size, value):
    """Pads `[h, w]` or `[h, w, C]` to a canvas of a size, with its top left at `corner`.

    Both are int64 [2], rows first.
    """
    after = size - corner - tf.shape(picture, tf.int64)[:2]
    padding = tf.stack([corner, after], axis=1)
    if picture.shape.rank == 3:
        padding = tf.pad(padding, [[0, 1], [0, 0]])
    return tf.pad(picture, padding, constant_values=value)


def webp_picture(encoded, file, parts, max_pixels):
    """Decodes the first picture of a WebP file on its canvas.

    Args, result and errors as of `gif_picture`.

    Reference: RFC 9649, section 2.
    """
    picture, canvas = parts.positions[PIXELS], parts.positions[SIZE]
    name, length, _, bits, _, lossy_width, lossy_height = file.numbers(
        picture, 4, 4, 1, 4, 1, 2, 2, order="little"
    )
    is_lossless, is_frame = name == _LOSSLESS, parts.positions[FRAME] > 0
    own_size = tf.where(is_lossless, [bits // 2**14, bits], [lossy_height, lossy_width]) % 2**14
    own_size += tf.cast(is_lossless, tf.int64)
    _, flags, _, width, height = file.numbers(canvas, 8, 1, 3, 3, 3, order="little")
    size = tf.where(canvas > 0, tf.stack([height, width]) + 1, own_size)
    _, left, top, width, height = file.numbers(
        parts.positions[FRAME], 8, 3, 3, 3, 3, order="little"
    )
    corner = tf.where(is_frame, 2 * tf.stack([top, left]), 0)
    said_size = tf.where(is_frame, tf.stack([height, width]) + 1, size)
    fits = tf.reduce_all((own_size == said_size) & (corner + own_size <= size))
    # A frame without a canvas is none.
    fits &= ~is_frame | (canvas > 0)
    height, width = tf.unstack(size)
    with require(picture > 0, _NO_PICTURE), check_size(width, height, max_pixels):
        is_whole = picture + 8 + length <= file.length
    with require(fits, _OTHER_SIZES), require(is_whole, _ENDS_EARLY):
        encoded = tf.identity(encoded)
    pixels = tf.raw_ops.DecodeWebP(
        contents=_still_webp(encoded, parts, own_size, name == _LOSSY), channels=0
    )[0]
    channels = [[0, 0], [0, 0], [0, 4 - tf.shape(pixels)[2]]]
    pixels = tf.ensure_shape(tf.pad(pixels, channels, constant_values=255), (None, None, 4))
    # Where the canvas has no opacity, none of its pixels has.
    ignores = (canvas > 0) & (flags & _HAS_OPACITY == 0)
    least = tf.where(ignores, tf.constant([0, 0, 0, 255], tf.uint8), 0)
    return tf.maximum(_on_canvas(pixels, corner, size, 0), least)


def _still_webp(encoded, parts, size, is_lossy):
    """Returns a WebP file of one picture alone, string []."""
    opacity = parts.positions[OPACITY]
    has_opacity = is_lossy & (opacity > 0)
    canvas = [b"VP8X\x0a\0\0\0\x10\0\0\0", _encoded_numbers(tf.reverse(size, [0]) - 1, 3)]
    positions = [opacity, parts.positions[PIXELS]]
    lengths = [parts.lengths[OPACITY], parts.lengths[PIXELS]]
    sizes = tf.stack(lengths) + 8 + tf.stack(lengths) % 2
    sizes *= tf.stack([tf.cast(has_opacity, tf.int64), 1])
    chunks = tf.strings.substr([encoded, encoded], positions, sizes)
    content = tf.strings.join(
        [
            b"WEBP",
            tf.where(has_opacity, tf.strings.join(canvas), b""),
            tf.strings.reduce_join(chunks),
        ]
    )
    length = tf.cast(tf.strings.length(content), tf.int64)
    return tf.strings.join([b"RIFF", _encoded_numbers(tf.expand_dims(length, 0), 4), content])


def bmp_picture(file, max_pixels):
    """Decodes a BMP file of 1, 4, 8, 16, 24 or 32 bits a pixel, which is not run-length coded.

    Args and errors as of `gif_picture`.

    Returns:
        `(pixels, False, orientation)`: uint8 `[h, w, 4]`; int64 [], EXIF's, as rows may begin at
        the bottom.

    Reference: Microsoft, BITMAPINFOHEADER and BITMAPV4HEADER.
    """
    # Then the size of the picture and of its sides in metres, and behind the colours the masks of
    # red, green, blue and opacity.
    sizes = (4, 4, 4, 4, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)
    offset, header_size, width, height, _, depth, compression, _, _, _, num_colors, _, *masks = (
        file.numbers(10, *sizes, order="little")
    )
    is_core = header_size == _CORE_HEADER
    core_width, core_height, _, core_depth = file.numbers(18, 2, 2, 2, 2, order="little")
    # Negative where rows go from top to bottom.
    is_from_top = ~is_core & (height >= 2**32 - 2**24)
    height = tf.where(is_from_top, 2**32 - height, height)
    width, height, depth, compression, num_colors, color_size = tf.unstack(
        tf.where(
            is_core,
            [core_width, core_height, core_depth, _RAW, 0, 3],
            [width, height, depth, compression, num_colors, 4],
        )
    )
    has_masks = compression == _BIT_FIELDS
    is_known = (compression == _RAW) | has_masks & (depth >= 16)
    num_colors = tf.where(num_colors == 0, 2**depth, num_colors)
    header_end = 14 + header_size
    after_colors = header_end + color_size * tf.where(depth <= 8, num_colors, 0)
    after_masks = tf.where(~has_masks | (header_size != 40), after_colors, 54 + 12)
    is_unsaid = (offset == 0) | (offset == header_end) & (depth <= 8)
    offset = tf.where(is_unsaid, after_masks, offset)
    stride = (width * depth + 31) // 32 * 4
    # The last row may end without its padding.
    end = offset + stride * (height - 1) + (width * depth + 7) // 8
    with require(
        is_known & tf.reduce_any(depth == _DEPTHS),
        "Expected a BMP image of 1, 4, 8, 16, 24 or 32 bits a pixel, not run-length coded: save it "
        "as PNG. Received a depth and a compression of",
        depth,
        compression,
    ):
        width = tf.identity(width)
    with check_size(width, height, max_pixels):
        end = tf.identity(end)
    with require(tf.maximum(end, after_colors) <= file.length, _ENDS_EARLY):
        rows = tf.reshape(file.data[offset : offset + stride * height], (height, stride))
    masks[3] = tf.where(header_size >= _HEADER_WITH_OPACITY, masks[3], 0)

    def of_colors():
        bits = tf.cast(depth, tf.int32)
        indices = tf.expand_dims(tf.cast(rows, tf.int32), 2)
        indices = indices // 2 ** tf.range(8 - bits, -1, -bits) % 2**bits
        indices = tf.reshape(indices, (height, -1))[:, :width]
        table = file.data[header_end : header_end + color_size * tf.minimum(num_colors, 256)]
        table = tf.reshape(table, (-1, color_size))[:, 2::-1]
        table = tf.pad(table, [[0, 256 - tf.shape(table)[0]], [0, 0]])
        return _opaque(tf.gather(table, indices))

    def of_words():
        words = tf.cast(rows, tf.int32)
        words = tf.expand_dims((words[:, ::2] + 256 * words[:, 1::2])[:, :width], 2)
        is_565 = has_masks & (masks[0] == _RED_OF_565)
        places = tf.where(is_565, [2**11, 2**5, 1], [2**10, 2**5, 1])
        levels = tf.where(is_565, [32, 64, 32], 32)
        return _opaque(tf.cast(words // places % levels * 255 // (levels - 1), tf.uint8))

    def of_bytes():
        size = depth // 8
        pixels = tf.reshape(rows[:, : width * size], (height, width, size))
        pixels = tf.pad(pixels, [[0, 0], [0, 0], [0, 4 - size]])
        is_said = has_masks & (depth == 32)
        # Masks of zero mean the usual order, with opacity.
        is_usual = ~is_said | tf.reduce_all(tf.equal(masks, 0))
        fields = tf.where(is_usual, [_MASKS[place] for place in (2, 1, 0, 3)], masks)
        places = tf.argmax(tf.expand_dims(fields, 1) == _MASKS, axis=1)
        is_opaque = ~is_said | (fields[3] == 0)
        opacity = tf.where(is_opaque, tf.constant([0, 0, 0, 255], tf.uint8), 0)
        return tf.maximum(tf.gather(pixels, places, axis=2), opacity)

    branch = tf.cast(depth > 8, tf.int32) + tf.cast(depth > 16, tf.int32)
    pixels = tf.switch_case(branch, [of_colors, of_words, of_bytes])
    return pixels, False, tf.where(is_from_top, tf.constant(_UPRIGHT, tf.int64), _UPSIDE_DOWN)


def _opaque(pixels):
    """Adds to uint8 `[h, w, 3]` the opacity, `[h, w, 4]`."""
    return tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=255)
