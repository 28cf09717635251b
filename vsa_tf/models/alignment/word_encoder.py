"""Sentence side of the alignment model: a bidirectional recurrent network (D eq. 2 to 6)."""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.words import AdditiveRecurrentCell, WordTable

CELLS = ("relu", "gru", "lstm")


@keras.saving.register_keras_serializable("vsa_tf")
class WordEncoder(keras.layers.Layer):
    """Gives every word of a sentence a vector that has seen the words around it.

        x_t  = W_w 1_t                              (D eq. 2)
        e_t  = f(W_e x_t + b_e)                     (D eq. 3)
        hf_t = f(e_t + W_f hf_{t-1} + b_f)          (D eq. 4)
        hb_t = f(e_t + W_b hb_{t+1} + b_b)          (D eq. 5)
        s_t  = f(W_d (hf_t + hb_t) + b_d)           (D eq. 6)

    f = ReLU, and 1_t is 1 at the number of word t: W_w is the word table.

    Args:
        units: width H of e, hf, hb and s.
        vocabulary_size: number of token ids, PAD = 0 included.
        word_embedding_size: width of x.
        cell: `relu` as above; `gru` and `lstm` put that cell in place of hf and hb.
        word_activation: f of the last line; `relu` in the paper, `linear` as an option.
        dropout: rate of dropout on x and on hf + hb; none inside the recurrence.
        train_word_vectors: whether the word table W_w is trained.

    Call arguments: token_ids int `[B, W]`, PAD on the right.
    Output shape: `[B, W, units]`; positions of PAD hold values that mean nothing.
    """

    def __init__(
        self,
        units,
        vocabulary_size,
        word_embedding_size=300,
        cell="relu",
        word_activation="relu",
        dropout=0.0,
        train_word_vectors=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("cell", cell, CELLS)
        self.units = units
        self.vocabulary_size = vocabulary_size
        self.word_embedding_size = word_embedding_size
        self.cell = cell
        self.word_activation = word_activation
        self.dropout = dropout
        self.train_word_vectors = train_word_vectors

        self.word_table = WordTable(
            vocabulary_size, word_embedding_size, trainable=train_word_vectors, name="word_table"
        )
        self.input_dropout = keras.layers.Dropout(dropout)
        self.input_projection = keras.layers.Dense(units, activation="relu", name="W_e")
        self.recurrence = keras.layers.Bidirectional(
            self._recurrent_layer(), merge_mode="sum", name="recurrence"
        )
        self.output_dropout = keras.layers.Dropout(dropout)
        self.output_projection = keras.layers.Dense(units, activation=word_activation, name="W_d")

    def _recurrent_layer(self):
        if self.cell == "relu":
            return keras.layers.RNN(AdditiveRecurrentCell(self.units), return_sequences=True)
        layer = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[self.cell]
        # cuDNN's kernels cannot be compiled by XLA, and refuse masks on JAX.
        return layer(self.units, return_sequences=True, use_cudnn=False)

    def build(self, input_shape):
        self.word_table.build(input_shape)
        embedded = (*input_shape, self.word_embedding_size)
        hidden = (*input_shape, self.units)
        self.input_projection.build(embedded)
        self.recurrence.build(hidden)
        self.output_projection.build(hidden)

    def call(self, token_ids, training=False):
        mask = ops.not_equal(token_ids, 0)
        x = self.input_dropout(self.word_table(token_ids), training=training)
        e = self.input_projection(x)
        h = self.recurrence(e, mask=mask, training=training)
        return self.output_projection(self.output_dropout(h, training=training))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "vocabulary_size": self.vocabulary_size,
            "word_embedding_size": self.word_embedding_size,
            "cell": self.cell,
            "word_activation": self.word_activation,
            "dropout": self.dropout,
            "train_word_vectors": self.train_word_vectors,
        }
