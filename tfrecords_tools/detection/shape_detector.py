"""A detector of the things in generated scenes."""

# The generated scenes' own side: larger photographs are looked at reduced to it.
_SIDE = 96
# Between the strongest and the weakest primary colour of a pixel: backgrounds have less.
_LEAST_COLOUR = 80
_FEWEST_PIXELS = 26
# Steps in which a number spreads over a shape, a pixel each.
_SPREADING = 60


class ShapeDetector:
    """Boxes round connected pixels that are more colourful than a background is.

    That finds the things of `ShapeScenes`, simulates a detector for them, and means little
    elsewhere.
    """

    def describe(self):
        return {"spec": "shapes", "side": _SIDE, "least_colour": _LEAST_COLOUR}

    def detect(self, images, examples):
        return [tuple(output.numpy() for output in self.find(image)) for image in images]

    def find(self, image):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of uint8 `[h, w, 3]`, tensors."""
        import tensorflow as tf

        image = tf.image.resize(image, (_SIDE, _SIDE), "area")
        colourful = tf.reduce_max(image, -1) - tf.reduce_min(image, -1) > _LEAST_COLOUR
        number = tf.reshape(tf.range(1.0, _SIDE**2 + 1), (_SIDE, _SIDE))

        def spread(number):
            # The largest number of a shape comes to be that of all its pixels.
            number = tf.where(colourful, number, 0.0)
            return tf.nn.max_pool2d(number[None, :, :, None], 3, 1, "SAME")[0, :, :, 0]

        (number,) = tf.while_loop(
            lambda _: True,
            lambda number: (spread(number),),
            (number,),
            maximum_iterations=_SPREADING,
        )
        pixels = tf.where(colourful)
        _, shape, size = tf.unique_with_counts(tf.boolean_mask(number, colourful))
        first = tf.math.unsorted_segment_min(pixels, shape, tf.size(size))
        last = tf.math.unsorted_segment_max(pixels, shape, tf.size(size))
        boxes = tf.cast(tf.concat([first, last + 1], axis=1), tf.float32) / _SIDE
        boxes = tf.boolean_mask(boxes, size >= _FEWEST_PIXELS)
        return boxes, tf.ones_like(boxes[:, 0])
