"""A softmax layer whose matrix is a word table, transposed."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("vsa_tf")
class TransposedEmbedding(keras.layers.Layer):
    """`y = E x + b`: one score a word, from the table that also gives the words' vectors.

    Args:
        embedding: the `keras.layers.Embedding` `[V, D]`, which stays its owner.

    Input shape: `[..., D]`. Output shape: `[..., V]`.

    Reference: Mao et al., Learning like a child, 2015: transposed weight sharing; M section 8.
    """

    def __init__(self, embedding, **kwargs):
        super().__init__(**kwargs)
        self.embedding = embedding

    def build(self, input_shape):
        if input_shape[-1] != self.embedding.output_dim:
            raise ValueError(
                f"Expected inputs as wide as the word vectors, {self.embedding.output_dim}. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        if not self.embedding.built:
            self.embedding.build()
        self.bias = self.add_weight(
            name="bias", shape=(self.embedding.input_dim,), initializer="zeros"
        )

    def call(self, inputs):
        table = ops.cast(self.embedding.embeddings, self.compute_dtype)
        return ops.matmul(inputs, ops.transpose(table)) + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.embedding.input_dim)

    def get_config(self):
        embedding = keras.saving.serialize_keras_object(self.embedding)
        return {**super().get_config(), "embedding": embedding}

    @classmethod
    def from_config(cls, config):
        embedding = keras.saving.deserialize_keras_object(config["embedding"])
        return cls(**{**config, "embedding": embedding})
