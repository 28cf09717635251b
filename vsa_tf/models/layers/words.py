"""A table of word vectors."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("vsa_tf")
class WordTable(keras.layers.Embedding):
    """`keras.layers.Embedding` whose gradient is one number a weight.

    TensorFlow hands the gradient of a plain lookup to the optimiser word by word, and Keras 3.15
    does not add up those of a word that a batch has several times before it squares or clips
    them: Adam's second moment is then the sum of squares instead of the square of the sum, and an
    element of the gradient may exceed the limit that it was clipped to.

    Arguments, input and output as of `keras.layers.Embedding`.
    """

    def call(self, inputs):
        # Times one: what is looked up is a result, not the variable, and its gradient is summed.
        table = 1.0 * ops.convert_to_tensor(self.embeddings)
        vectors = ops.take(table, ops.cast(inputs, "int32"), axis=0)
        return ops.cast(vectors, self.compute_dtype)
