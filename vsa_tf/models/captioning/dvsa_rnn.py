"""The caption generator of Karpathy & Fei-Fei (DVSA; D eq. 13 to 15)."""

import keras

from vsa_tf.errors import check_choice
from vsa_tf.models.captioning.captioner import Captioner

CELLS = ("rnn", "gru", "lstm")
IMAGE_STEPS = ("first", "every")


@keras.saving.register_keras_serializable("vsa_tf")
class DvsaRnn(Captioner):
    """A recurrent network that is shown the image once.

        b_v = W_hi CNN(I)                                           (D eq. 13)
        h_t = f(W_hx x_t + W_hh h_{t-1} + b_h + [t = 1] b_v)        (D eq. 14)
        y_t = softmax(W_oh h_t + b_o)                               (D eq. 15)

    f = ReLU. Its cost is `word_cost`. With attention, `y_t = softmax(W_oh (h_t + c_t) + b_o)`.

    With an image's feature it captions the image; with a region's feature, trained on the snippets
    that the alignment model infers, it is the region captioner (docs/equations.md 2.2).

    Args:
        hidden_size: width of h.
        word_embedding_size: width of x.
        cell: `rnn` as above; `gru` or `lstm` put that cell in place of h, with the same input.
        image_at: `first` as above; `every` adds b_v at each step.
        **kwargs: of `Captioner`.

    Reference: docs/equations.md 2.1.
    """

    def __init__(
        self,
        vocabulary_size,
        hidden_size=512,
        word_embedding_size=512,
        cell="lstm",
        image_at="first",
        **kwargs,
    ):
        super().__init__(vocabulary_size, **kwargs)
        check_choice("cell", cell, CELLS)
        check_choice("image_at", image_at, IMAGE_STEPS)
        self.hidden_size = hidden_size
        self.word_embedding_size = word_embedding_size
        self.cell = cell
        self.image_at = image_at
        self.word_table = self.make_word_table(word_embedding_size)
        self.word_projection = keras.layers.Dense(hidden_size, use_bias=False, name="W_hx")
        self.image_projection = keras.layers.Dense(hidden_size, use_bias=False, name="W_hi")
        self.recurrence = self.make_recurrence(cell, hidden_size)
        self.make_attention(hidden_size, hidden_size)
        self.softmax = keras.layers.Dense(vocabulary_size, name="W_oh")

    def image_terms(self, feature):
        return {"recurrent": self.image_projection(feature)}

    def embed(self, token_ids, image, training=False):
        x = self.word_dropout(self.word_table(token_ids), training=training)
        return self.word_projection(x)

    def recurrent_input(self, words, image, first):
        b_v = image["recurrent"]
        return words + (first * b_v if self.image_at == "first" else b_v)

    def logits(self, words, hidden, image, training=False):
        if self.image_context == "attention":
            hidden = hidden + self.attended(self.region_query(hidden), image)
        return self.softmax(self.output_dropout(hidden, training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "word_embedding_size": self.word_embedding_size,
            "cell": self.cell,
            "image_at": self.image_at,
        }
