"""A sentence as one vector: a recurrent network over its words."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.sets import POOLINGS, SetPooling
from vsa_tf.models.layers.words import WordTable

CELLS = ("lstm", "gru")
WORD_POOLINGS = ("last", *POOLINGS)


@keras.saving.register_keras_serializable("vsa_tf")
class SentenceRecurrence(keras.layers.Layer):
    """Word table -> LSTM -> one vector: the recurrent text side of T section 5.3.

    Args:
        vocabulary_size: number of token ids, PAD = 0 included.
        word_embedding_size: width of the word table. The paper's is 256.
        recurrent_size: width of the recurrent state. The paper's is 512.
        cell: `lstm` (the paper) or `gru`.
        bidirectional: the mean of the states of two recurrences, one from the sentence's end.
        word_pooling: of the states of the words: the `last` one, or see `SetPooling`.
        word_dropout: rate of dropout on word vectors; none inside the recurrence.
        train_word_vectors: whether the word table is trained.

    Call arguments: token_ids int `[B, W]`, PAD on the right; padding changes nothing.
    Output shape: `[B, recurrent_size]`; zeros for a sentence without words.
    """

    def __init__(
        self,
        vocabulary_size,
        word_embedding_size=256,
        recurrent_size=512,
        cell="lstm",
        bidirectional=False,
        word_pooling="last",
        word_dropout=0.0,
        train_word_vectors=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("cell", cell, CELLS)
        check_choice("word_pooling", word_pooling, WORD_POOLINGS)
        self.vocabulary_size = vocabulary_size
        self.word_embedding_size = word_embedding_size
        self.recurrent_size = recurrent_size
        self.cell = cell
        self.bidirectional = bidirectional
        self.word_pooling = word_pooling
        self.word_dropout_rate = word_dropout
        self.train_word_vectors = train_word_vectors

        self.word_table = WordTable(
            vocabulary_size, word_embedding_size, trainable=train_word_vectors, name="word_table"
        )
        self.word_dropout = keras.layers.Dropout(word_dropout)
        layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
        # cuDNN's kernels cannot be compiled by XLA, and refuse masks on JAX.
        self.recurrence = layer(
            recurrent_size,
            return_sequences=word_pooling != "last",
            use_cudnn=False,
            name="recurrence",
        )
        if bidirectional:
            self.recurrence = keras.layers.Bidirectional(
                self.recurrence, merge_mode="ave", name="recurrence"
            )
        if word_pooling != "last":
            self.pooling = SetPooling(word_pooling, name="pooling")

    def build(self, input_shape):
        self.word_table.build(input_shape)
        self.recurrence.build((*input_shape, self.word_embedding_size))
        if self.word_pooling != "last":
            self.pooling.build((*input_shape, self.recurrent_size), input_shape)

    def call(self, token_ids, training=False):
        mask = ops.not_equal(token_ids, 0)
        words = self.word_dropout(self.word_table(token_ids), training=training)
        states = self.recurrence(words, mask=mask, training=training)
        return states if self.word_pooling == "last" else self.pooling(states, mask)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.recurrent_size)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "word_embedding_size": self.word_embedding_size,
            "recurrent_size": self.recurrent_size,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "word_pooling": self.word_pooling,
            "word_dropout": self.word_dropout_rate,
            "train_word_vectors": self.train_word_vectors,
        }
