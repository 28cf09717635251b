"""BMP files to pixels in a graph."""

import tensorflow as tf

from vsa_tf.inference.graph_image_structure import FileBytes, check_size, require

_CORE_HEADER, _HEADER_WITH_OPACITY = 12, 56
_RAW, _BIT_FIELDS = 0, 3
_DEPTHS = (1, 4, 8, 16, 24, 32)
_RED_OF_565 = 0xF800
_MASKS = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)


def bitmap(encoded, max_pixels):
    """Decodes a BMP file of 1, 4, 8, 16, 24 or 32 bits a pixel, which is not run-length coded.

    Args:
        encoded: string [].
        max_pixels: largest height x width.

    Returns:
        uint8 `[h, w, 4]`, red, green, blue and opacity.

    Raises:
        tf.errors.InvalidArgumentError: when run, for another file, or one that ends too early.

    Reference: Microsoft, BITMAPINFOHEADER and BITMAPV4HEADER.
    """
    file = FileBytes(encoded)
    zero = tf.constant(0, tf.int64)

    def numbers(position, *sizes):
        return file.numbers(zero + position, *sizes, order="little")

    offset, header_size, width, height, _, depth, compression = numbers(10, 4, 4, 4, 4, 2, 2, 4)
    core_width, core_height, _, core_depth = numbers(18, 2, 2, 2, 2)
    is_core = header_size == _CORE_HEADER
    # Negative where rows go from top to bottom.
    is_from_top = ~is_core & (height >= 2**32 - 2**24)
    height = tf.where(is_from_top, 2**32 - height, height)
    width, height = tf.where(is_core, core_width, width), tf.where(is_core, core_height, height)
    depth, compression = tf.where(is_core, core_depth, depth), tf.where(is_core, zero, compression)
    has_masks = compression == _BIT_FIELDS
    is_known = (compression == _RAW) | has_masks & (depth >= 16)
    with require(
        is_known & tf.reduce_any(depth == _DEPTHS),
        "Expected a BMP image of 1, 4, 8, 16, 24 or 32 bits a pixel, not run-length coded: save it "
        "as PNG. Received a depth and a compression of",
        depth,
        compression,
    ):
        width = tf.identity(width)
    (num_colors,) = numbers(46, 4)
    num_colors = tf.where(is_core | (num_colors == 0), 2**depth, num_colors)
    color_bytes = tf.where(is_core, zero + 3, 4)
    header_end = 14 + header_size
    after_colors = header_end + color_bytes * tf.where(depth <= 8, num_colors, 0)
    after_masks = tf.where(has_masks & (header_size == 40), zero + 54 + 12, after_colors)
    is_unsaid = (offset == 0) | (offset == header_end) & (depth <= 8)
    offset = tf.where(is_unsaid, after_masks, offset)
    stride = (width * depth + 31) // 32 * 4
    with check_size(width, height, max_pixels):
        # The last row may end without its padding.
        end = offset + stride * (height - 1) + (width * depth + 7) // 8
    with require(end <= file.length, "the image cannot be decoded: it ends too early"):
        rows = tf.reshape(file.data[offset : offset + stride * height], tf.stack([height, stride]))
    masks = numbers(54, 4, 4, 4, 4)
    masks[3] = tf.where(header_size >= _HEADER_WITH_OPACITY, masks[3], 0)
    masks = tf.where(has_masks, tf.stack(masks), 0)

    def of_colors(bits):
        shifts = tf.range(8 - bits, -1, -bits)
        indices = tf.cast(rows, tf.int32)[..., None] // 2**shifts % 2**bits
        count = tf.minimum(num_colors, 256)
        table = file.data[header_end : header_end + color_bytes * count]
        table = tf.reshape(table, tf.stack([count, color_bytes]))[:, 2::-1]
        table = tf.concat([table, tf.zeros(tf.stack([256 - count, 3]), tf.uint8)], axis=0)
        indices = tf.reshape(indices, tf.stack([height, stride * (8 // bits)]))[:, :width]
        return _opaque(tf.gather(table, indices))

    def of_words():
        words = tf.cast(rows, tf.int32)
        words = (words[:, ::2] + 256 * words[:, 1::2])[:, :width, None]
        is_565 = masks[0] == _RED_OF_565
        greens = tf.where(
            is_565, words // 2**5 % 2**6 * 255 // 63, words // 2**5 % 2**5 * 255 // 31
        )
        reds = tf.where(is_565, words // 2**11, words // 2**10) % 2**5 * 255 // 31
        blues = words % 2**5 * 255 // 31
        return _opaque(tf.cast(tf.concat([reds, greens, blues], axis=2), tf.uint8))

    def of_bytes():
        pixels = tf.reshape(rows[:, : width * 3], tf.stack([height, width, 3]))
        return _opaque(pixels[..., ::-1])

    def of_fields():
        pixels = tf.reshape(rows, tf.stack([height, width, 4]))
        # Masks of zero mean the usual order, with opacity.
        fields = tf.where(
            tf.reduce_any(masks > 0), masks, [_MASKS[place] for place in (2, 1, 0, 3)]
        )
        places = tf.argmax(fields[:, None] == _MASKS, axis=1)
        is_opaque = ~has_masks | (fields[3] == 0)
        opacity = tf.where(is_opaque, tf.constant([0, 0, 0, 255], tf.uint8), 0)
        return tf.maximum(tf.gather(pixels, places, axis=2), opacity)

    branch = tf.argmax(depth == tf.constant(_DEPTHS, tf.int64), output_type=tf.int32)
    branches = [lambda bits=bits: of_colors(bits) for bits in (1, 4, 8)]
    pixels = tf.switch_case(branch, [*branches, of_words, of_bytes, of_fields])
    return tf.cond(is_from_top, lambda: pixels, lambda: pixels[::-1])


def _opaque(pixels):
    """Adds to uint8 `[h, w, 3]` the opacity, `[h, w, 4]`."""
    return tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=255)
