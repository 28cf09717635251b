"""Word vectors and the recurrent cell that reads them."""

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


@keras.saving.register_keras_serializable("vsa_tf")
class AdditiveRecurrentCell(keras.layers.Layer):
    """`h_t = f(e_t + W h_{t-1} + b)` with f = ReLU: the input enters as it is.

    Args:
        units: width of `h` and of the input.
        dtype: as in every layer.

    Input shape: `[B, units]`. Output shape: `[B, units]`.

    It is the recurrence of D eq. 4, 5 and 14 and of M eq. 2, see the models that use it.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.output_size = units

    def build(self, input_shape):
        if input_shape[-1] != self.units:
            raise ValueError(
                f"Expected inputs as wide as the state, {self.units}, because they are added. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        # Scaled down from orthogonal: a ReLU recurrence of gain 1 explodes over long sentences.
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, self.units),
            initializer=keras.initializers.Orthogonal(gain=0.5),
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, inputs, states, training=False):
        del training  # no dropout in the recurrent layers (the paper)
        output = ops.relu(inputs + ops.matmul(states[0], self.recurrent_kernel) + self.bias)
        return output, [output]

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
