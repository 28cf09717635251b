"""A sentence as one vector: a recurrent network over its words."""

import keras
from keras import ops

from vsa_tf.models.layers.words import WordTable

CELLS = ("lstm", "gru")
POOLINGS = ("last", "mean", "max")


@keras.saving.register_keras_serializable("vsa_tf")
class SentenceRecurrence(keras.layers.Layer):
    """Word table -> LSTM -> one vector: the recurrent text side of T section 5.3.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        embedding_size: width of the word table. The paper's is 256.
        units: width of the recurrent state. The paper's is 512.
        cell: `lstm` (the paper) or `gru`.
        pooling: of the states of the words: the `last` one, their `mean` or `max`.
        dropout: rate of dropout on word vectors; none inside the recurrence.
        train_embedding: whether the word table is trained.

    Call arguments: token_ids int `[B, W]`, PAD on the right; padding changes nothing.
    Output shape: `[B, units]`; zeros for a sentence without words.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_size=256,
        units=512,
        cell="lstm",
        pooling="last",
        dropout=0.0,
        train_embedding=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"Expected cell to be one of {CELLS}. Received: cell={cell!r}")
        if pooling not in POOLINGS:
            raise ValueError(
                f"Expected pooling to be one of {POOLINGS}. Received: pooling={pooling!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.units = units
        self.cell = cell
        self.pooling = pooling
        self.dropout = dropout
        self.train_embedding = train_embedding

        self.word_table = WordTable(
            vocabulary_size, embedding_size, trainable=train_embedding, name="word_table"
        )
        self.word_dropout = keras.layers.Dropout(dropout)
        layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
        # cuDNN's kernels cannot be compiled by XLA, and refuse masks on JAX.
        self.recurrence = layer(
            units, return_sequences=pooling != "last", use_cudnn=False, name="recurrence"
        )

    def build(self, input_shape):
        self.word_table.build(input_shape)
        self.recurrence.build((*input_shape, self.embedding_size))

    def call(self, token_ids, training=False):
        mask = ops.not_equal(token_ids, 0)
        words = self.word_dropout(self.word_table(token_ids), training=training)
        states = self.recurrence(words, mask=mask, training=training)
        if self.pooling == "last":
            return states
        mask = ops.expand_dims(mask, -1)
        if self.pooling == "mean":
            mask = ops.cast(mask, states.dtype)
            return ops.sum(states * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        # States lie between -1 and 1: padding, at -2, is never the maximum of a sentence.
        largest = ops.max(ops.where(mask, states, -2.0), axis=1)
        return ops.where(ops.any(mask, axis=1), largest, 0.0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_size": self.embedding_size,
            "units": self.units,
            "cell": self.cell,
            "pooling": self.pooling,
            "dropout": self.dropout,
            "train_embedding": self.train_embedding,
        }
