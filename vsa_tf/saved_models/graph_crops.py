"""Region crops in a graph, equal to Pillow's to the last bit."""

import tensorflow as tf

# Pillow's 8-bit resampling multiplies pixels by weights of this many binary places.
_WEIGHT_BITS = 22


def graph_crops(image, boxes, size):
    """Resamples regions of an image as `tfrecords_tools.encoders.crop_regions` does.

    That is Pillow's bilinear resize with a box: a triangle filter, as wide as a pixel of the result
    and no narrower than one of the image, over columns, rounded to 8 bits, then over rows. Its
    weights are rounded to fixed point, so the sums are whole numbers, which float64 products hold
    exactly in whatever order they are added. Rows come first where the image's height shrinks by
    more than twice as many pixels as its width, which Pillow does since version 13.

    Args:
        image: uint8 `[h, w, 3]`.
        boxes: float32 `[R, 4]`, normalised; each within the frame and not empty.
        size: S, pixels of a crop's sides.

    Returns:
        uint8 `[R, S, S, 3]`.

    Reference: Pillow's src/libImaging/Resample.c.
    """
    height, width = tf.unstack(tf.shape(image)[:2])
    boxes = tf.cast(boxes, tf.float64)
    rows = _pixel_spans(boxes[:, 0], boxes[:, 2], height)
    columns = _pixel_spans(boxes[:, 1], boxes[:, 3], width)
    rows_first = (height > size) & (height - size > 2 * (width - size))
    # The second axis is resampled first.
    image, spans, lengths = tf.cond(
        rows_first,
        lambda: (tf.transpose(image, (1, 0, 2)), (columns, rows), (width, height)),
        lambda: (image, (rows, columns), (height, width)),
    )

    def crop(spans):
        later_weights, later_first, later_last = _weights(spans[0], lengths[0], size)
        weights, first, last = _weights(spans[1], lengths[1], size)
        region = image[later_first:later_last, first:last]
        return _resample(_resample(region, weights), later_weights)

    crops = tf.map_fn(crop, spans, fn_output_signature=tf.TensorSpec((size, size, 3), tf.uint8))
    return tf.cond(rows_first, lambda: tf.transpose(crops, (0, 2, 1, 3)), lambda: crops)


def _pixel_spans(start, end, length):
    """Normalised sides to pixels, in the precision that Pillow takes them in; `[R, 2]`."""
    length = tf.cast(length, tf.float64)
    pixels = tf.stack([start * length, tf.minimum(end * length, length)], axis=1)
    return tf.cast(pixels, tf.float32)


def _weights(span, length, size):
    """Returns fixed-point weights float64 `[size, last - first]`, first and last."""
    scale = tf.cast(span[1] - span[0], tf.float64) / size
    support = tf.maximum(scale, 1.0)
    centers = tf.cast(span[0], tf.float64) + (tf.range(size, dtype=tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centers[0] - support + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centers[-1] + support + 0.5, tf.int32), length)
    pixels = tf.cast(tf.range(first, last), tf.float64)
    weights = 1.0 - tf.abs((pixels - centers[:, None] + 0.5) * (1.0 / support))
    weights = tf.maximum(weights, 0.0)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.floor(0.5 + weights * 2.0**_WEIGHT_BITS), first, last


def _resample(pixels, weights):
    """uint8 `[a, b, 3]` and weights `[S, b]` to uint8 `[S, a, 3]`: the axes change places."""
    others = tf.shape(pixels)[0]
    lines = tf.transpose(tf.cast(pixels, tf.float64), (1, 0, 2))
    sums = tf.matmul(weights, tf.reshape(lines, (-1, others * 3)))
    rounded = tf.floor((sums + 2.0 ** (_WEIGHT_BITS - 1)) / 2.0**_WEIGHT_BITS)
    clipped = tf.cast(tf.minimum(rounded, 255.0), tf.uint8)
    return tf.reshape(clipped, (tf.shape(weights)[0], others, 3))
