"""SavedModels of a few operations, with inputs and outputs of several dtypes."""

import pathlib

import tensorflow as tf

LONG_STEPS = 10
# Not among those that load asks for: its answer is each time another.
BEGUN = "__begun"


class _Texts(tf.Module):
    """What it computes is easily said: lengths of texts, and multiples of numbers."""

    def __init__(self, factor):
        super().__init__()
        self.factor = tf.Variable(factor, dtype=tf.float32)
        self.num_begun = tf.Variable(0)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "sentences"),
            tf.TensorSpec([None, 3], tf.float32, "x"),
        ]
    )
    def texts(self, sentences, x):
        return {
            "length": tf.strings.length(sentences),
            "multiple": x * self.factor,
            "upper": tf.strings.upper(sentences),
            "raw_bytes": sentences,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def image(self, image_bytes):
        def mean(encoded):
            pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            return tf.reduce_mean(tf.cast(pixels, tf.float32))

        return {"mean": tf.map_fn(mean, image_bytes, fn_output_signature=tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "num_steps")])
    def busy(self, num_steps):
        """Takes a time that grows with `num_steps`."""
        is_long = tf.cast(num_steps >= LONG_STEPS, tf.int32)
        with tf.control_dependencies([self.num_begun.assign_add(is_long)]):
            _, matrix = tf.while_loop(
                lambda step, _: step < num_steps,
                lambda step, matrix: (step + 1, tf.matmul(matrix, matrix) / 64.0),
                [0, tf.ones([64, 64])],
            )
        return {"result": matrix[0, 0]}

    @tf.function(input_signature=[])
    def begun(self):
        """How many calls of `busy` with `LONG_STEPS` or more have begun."""
        return {"number": self.num_begun.read_value()}


def write_small_model(path, factor=2.0):
    """Writes a SavedModel with the signatures serving_default, image, busy and `BEGUN`.

    Args:
        path: directory.
        factor: the output `multiple` is the input `x` times this; versions differ in it.
    """
    model = _Texts(factor)
    tf.saved_model.save(
        model,
        str(path),
        signatures={
            "serving_default": model.texts,
            "image": model.image,
            "busy": model.busy,
            BEGUN: model.begun,
        },
    )
    return pathlib.Path(path)
