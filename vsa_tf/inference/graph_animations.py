"""The first pictures of GIF and WebP files in a graph, cut out before they are decoded.

TensorFlow decodes all frames of a GIF, however many, and ends the process on some animated WebP.
"""

import tensorflow as tf

from vsa_tf.inference.graph_image_structure import (
    Counts,
    FileBytes,
    check_size,
    orientation,
    require,
)

_EXTENSION, _IMAGE, _GRAPHIC_CONTROL = 0x21, 0x2C, 0xF9
_NO_PICTURE = "the image cannot be decoded: it is a file without a picture"
_ENDS_EARLY = "the image cannot be decoded: it ends too early"
_GREY_LEVELS = bytes(level for level in range(256) for _ in range(3))
_CANVAS, _FRAME, _OPACITY, _LOSSY, _LOSSLESS, _EXIF = (
    int.from_bytes(name, "little")
    for name in (b"VP8X", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF")
)
_HAS_OPACITY = 0x10


def first_gif_picture(encoded, max_pixels):
    """Decodes the first picture of a GIF file on its canvas.

    Args:
        encoded: string [].
        max_pixels: largest height x width of the canvas.

    Returns:
        uint8 `[h, w, 4]`, red, green, blue and opacity.

    Raises:
        tf.errors.InvalidArgumentError: when run, for a file that is damaged or over a bound.

    Reference: CompuServe, Graphics Interchange Format, version 89a.
    """
    file = FileBytes(encoded)
    zero = tf.constant(0, tf.int64)

    def blocks_end(position, counts):
        """Returns where a chain of blocks ends, and the counts with it."""

        def goes_on(position, counts, length):
            return (length > 0) & counts.within()

        def next_blocks(position, counts, length):
            run = file.run(position, length + 1, 1)
            position += run * (length + 1)
            return position, counts.plus(length, run), file.number(position, 1)

        # Every chain is a part of its own.
        state = (position, counts.plus(-2 - position, zero + 1), file.number(position, 1))
        position, counts, _ = tf.while_loop(goes_on, next_blocks, state)
        return position + 1, counts

    def is_extension(position, counts, control):
        return (file.number(position, 1) == _EXTENSION) & counts.within()

    def next_extension(position, counts, control):
        is_control = file.number(position + 1, 1) == _GRAPHIC_CONTROL
        control = tf.where(is_control, position, control)
        return *blocks_end(position + 2, counts), control

    width, height, flags = file.numbers(zero + 6, 2, 2, 1, order="little")
    table_size = _color_table_bytes(flags)
    position, counts, control = tf.while_loop(
        is_extension, next_extension, (13 + table_size, Counts.none(), zero)
    )
    with counts.check("blocks"):
        is_picture = file.number(position, 1) == _IMAGE
    with require(is_picture, _NO_PICTURE):
        left, top, own_width, own_height, own_flags = file.numbers(
            position + 1, 2, 2, 2, 2, 1, order="little"
        )
    own_table_size = _color_table_bytes(own_flags)
    start = position + 10 + own_table_size
    end, counts = blocks_end(start + 1, counts)
    width, height = tf.maximum(width, left + own_width), tf.maximum(height, top + own_height)
    with counts.check("blocks"), check_size(width, height, max_pixels):
        is_whole = end <= file.length
    with require(is_whole, _ENDS_EARLY):
        size = _encoded_numbers([own_width, own_height], 2)
    # Levels of grey for colours, so that the indices come out; interlacing stays as it is.
    interlacing = tf.where(own_flags & 0x40 > 0, b"\x40", b"\0")
    header = [b"GIF89a", size, b"\xf7\0\0", _GREY_LEVELS, b",\0\0\0\0", size, interlacing]
    codes = tf.strings.substr(encoded, tf.cast(start, tf.int32), tf.cast(end - start, tf.int32))
    indices = tf.io.decode_gif(tf.strings.join([*header, codes, b";"]))[0, :, :, 0]
    control_flags, _, transparent = file.numbers(control + 3, 1, 2, 1)
    transparent = tf.where((control > 0) & (control_flags % 2 == 1), transparent, -1)
    indices = _on_canvas(
        tf.cast(indices, tf.int32)[..., None],
        (left, top, width, height),
        tf.cast(tf.maximum(transparent, 0), tf.int32),
    )[..., 0]
    table_start = tf.where(own_table_size > 0, position + 10, zero + 13)
    table_size = tf.where(own_table_size > 0, own_table_size, table_size)
    table = tf.reshape(file.data[table_start : table_start + table_size], (-1, 3))
    # Indices beyond the table are black, or those of the levels of grey that it begins.
    levels = tf.constant(list(_GREY_LEVELS), tf.uint8, (256, 3))
    is_grey = tf.reduce_all(table == levels[: tf.shape(table)[0]])
    others = tf.where(is_grey, levels, 0)[tf.shape(table)[0] :]
    opacity = tf.where(tf.range(256, dtype=tf.int64) == transparent, 0, 255)
    colors = tf.concat([tf.concat([table, others], 0), tf.cast(opacity, tf.uint8)[:, None]], axis=1)
    return tf.gather(colors, indices)


def _color_table_bytes(flags):
    return tf.where(flags & 0x80 > 0, 3 * 2 ** (1 + flags % 8), 0)


def _encoded_numbers(numbers, size):
    """Returns integers as little-endian bytes of `size` each, string []."""
    characters = tf.constant([bytes([value]) for value in range(256)])
    digits = [number // 256**place % 256 for number in numbers for place in range(size)]
    return tf.strings.reduce_join(tf.gather(characters, tf.stack(digits)))


def _on_canvas(picture, place, value):
    """Pads `[h, w, C]` to a canvas; `place` is left, top, width and height of the canvas."""
    left, top, width, height = place
    rows, columns = tf.unstack(tf.shape(picture, tf.int64)[:2])
    padding = tf.stack([[top, height - top - rows], [left, width - left - columns], [0, 0]])
    return tf.cond(
        tf.reduce_any(padding != 0),
        lambda: tf.pad(picture, padding, constant_values=value),
        lambda: picture,
    )


def first_webp_picture(encoded, max_pixels):
    """Decodes the first picture of a WebP file on its canvas.

    Args:
        encoded: string [].
        max_pixels: largest height x width of the canvas.

    Returns:
        `(pixels, orientation)`: uint8 `[h, w, 4]`, and EXIF's orientation, int64 [].

    Raises:
        tf.errors.InvalidArgumentError: when run, for a file that is damaged or over a bound.

    Reference: RFC 9649, section 2.
    """
    file = FileBytes(encoded)
    zero = tf.constant(0, tf.int64)

    def goes_on(position, counts, canvas, frame, opacity, picture, exif):
        return (position + 8 <= file.length) & counts.within()

    def next_chunk(position, counts, canvas, frame, opacity, picture, exif):
        name, length = file.numbers(position, 4, 4, order="little")
        stride = 8 + length + length % 2
        run = file.run(position, stride, 8)

        def first(names, known):
            return tf.where(tf.reduce_any(name == names) & (known == 0), position, known)

        # The picture of a frame is a chunk within it.
        enters = (name == _FRAME) & (picture == 0) & (frame == 0)
        frame = tf.where(enters, position, frame)
        opacity = tf.where(picture == 0, first([_OPACITY], opacity), opacity)
        picture, exif = first([_LOSSY, _LOSSLESS], picture), first([_EXIF], exif)
        canvas = first([_CANVAS], canvas)
        counts = counts.plus(length * 2**32 + name, tf.where(enters, zero + 1, run))
        position += tf.where(enters, zero + 24, run * stride)
        return position, counts, canvas, frame, opacity, picture, exif

    _, counts, canvas, frame, opacity, picture, exif = tf.while_loop(
        goes_on, next_chunk, (zero + 12, Counts.none(), *[zero] * 5)
    )
    with counts.check("chunks"):
        is_picture = picture > 0
    with require(is_picture, _NO_PICTURE):
        name, length = file.numbers(picture, 4, 4, order="little")
    is_lossless = name == _LOSSLESS
    bits = file.number(picture + 9, 4, order="little")
    lossy_width, lossy_height = file.numbers(picture + 14, 2, 2, order="little")
    own_width = tf.where(is_lossless, 1 + bits % 2**14, lossy_width % 2**14)
    own_height = tf.where(is_lossless, 1 + bits // 2**14 % 2**14, lossy_height % 2**14)
    flags, _, width, height = file.numbers(canvas + 8, 1, 3, 3, 3, order="little")
    width = tf.where(canvas > 0, width + 1, own_width)
    height = tf.where(canvas > 0, height + 1, own_height)
    left, top, frame_width, frame_height = file.numbers(frame + 8, 3, 3, 3, 3, order="little")
    left, top = tf.where(frame > 0, 2 * left, 0), tf.where(frame > 0, 2 * top, 0)
    fits = tf.where(
        frame > 0,
        (frame_width + 1 == own_width)
        & (frame_height + 1 == own_height)
        # A frame without a canvas is none.
        & (canvas > 0)
        & (left + own_width <= width)
        & (top + own_height <= height),
        (own_width == width) & (own_height == height),
    )
    with check_size(width, height, max_pixels):
        is_whole = picture + 8 + length <= file.length
    with require(fits, "the image cannot be decoded: its pictures have other sizes than stated"):
        is_whole = tf.identity(is_whole)
    with require(is_whole, _ENDS_EARLY):
        still = _still_webp(encoded, file, opacity, picture, own_width, own_height)
    pixels = tf.raw_ops.DecodeWebP(contents=still, channels=0)[0]
    pixels = tf.cond(
        tf.shape(pixels)[2] == 4,
        lambda: pixels,
        lambda: tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=255),
    )
    pixels = _on_canvas(tf.ensure_shape(pixels, (None, None, 4)), (left, top, width, height), 0)
    # Where the canvas has no opacity, none of its pixels has.
    ignores = (canvas > 0) & (flags & _HAS_OPACITY == 0)
    pixels = tf.maximum(pixels, tf.where(ignores, tf.constant([0, 0, 0, 255], tf.uint8), 0))
    end = exif + 8 + file.number(exif + 4, 4, order="little")
    start = exif + 8 + 6 * tf.cast(file.has(exif + 8, b"Exif\0\0"), tf.int64)
    content = file.data[start : tf.clip_by_value(end, start, file.length)]
    return pixels, tf.cond(exif > 0, lambda: orientation(content), lambda: zero + 1)


def _still_webp(encoded, file, opacity, picture, width, height):
    """Returns a WebP file of one picture alone, string []."""

    def chunk(position):
        length = file.number(position + 4, 4, order="little")
        size = 8 + length + length % 2
        return tf.strings.substr(encoded, tf.cast(position, tf.int32), tf.cast(size, tf.int32))

    canvas = [b"VP8X\x0a\0\0\0\x10\0\0\0", _encoded_numbers([width - 1, height - 1], 3)]
    has_opacity = (opacity > 0) & (file.number(picture, 4, order="little") == _LOSSY)
    before = tf.cond(
        has_opacity, lambda: tf.strings.join([*canvas, chunk(opacity)]), lambda: tf.constant(b"")
    )
    content = tf.strings.join([b"WEBP", before, chunk(picture)])
    length = tf.cast(tf.strings.length(content), tf.int64)
    return tf.strings.join([b"RIFF", _encoded_numbers([length], 4), content])
