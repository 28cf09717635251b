"""A detector of the things in generated scenes."""

import functools

# The generated scenes' own side: larger photographs are looked at reduced to it.
_SIDE = 96
# Between the strongest and the weakest primary colour of a pixel: backgrounds have less.
_LEAST_COLOUR = 80
_FEWEST_PIXELS = 26
# Steps, a pixel each, in which a number spreads over a shape: other things than shapes may wind.
_MOST_STEPS = 96


class ShapeDetector:
    """Boxes round connected pixels that are more colourful than a background is.

    That finds the things of `ShapeScenes`, simulates a detector for them, and means little
    elsewhere.
    """

    def describe(self):
        return {"spec": "shapes", "side": _SIDE, "least_colour": _LEAST_COLOUR}

    def detect(self, images, examples):
        return [tuple(output.numpy() for output in self._traced(image)) for image in images]

    def find(self, image):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of uint8 `[h, w, 3]`, tensors."""
        import tensorflow as tf

        image = tf.image.resize(image, (_SIDE, _SIDE), "area")
        colourful = tf.reduce_max(image, -1) - tf.reduce_min(image, -1) > _LEAST_COLOUR
        number = tf.reshape(tf.range(1.0, _SIDE**2 + 1), (_SIDE, _SIDE))

        def spread(number, _):
            # The largest number of a shape comes to be that of all its pixels.
            largest = tf.nn.max_pool2d(number[None, :, :, None], 3, 1, "SAME")[0, :, :, 0]
            largest = tf.where(colourful, largest, 0.0)
            return largest, tf.reduce_any(largest != number)

        number, _ = tf.while_loop(
            lambda _, changed: changed,
            spread,
            (tf.where(colourful, number, 0.0), True),
            maximum_iterations=_MOST_STEPS,
        )
        pixels = tf.where(colourful)
        _, shape, size = tf.unique_with_counts(tf.boolean_mask(number, colourful))
        first = tf.math.unsorted_segment_min(pixels, shape, tf.size(size))
        last = tf.math.unsorted_segment_max(pixels, shape, tf.size(size))
        boxes = tf.cast(tf.concat([first, last + 1], axis=1), tf.float32) / _SIDE
        boxes = tf.boolean_mask(boxes, size >= _FEWEST_PIXELS)
        return boxes, tf.ones_like(boxes[:, 0])

    @functools.cached_property
    def _traced(self):
        """`find` in a third of the time."""
        import tensorflow as tf

        specification = tf.TensorSpec([None, None, 3], tf.uint8)
        return tf.function(self.find, input_signature=[specification], autograph=False)
