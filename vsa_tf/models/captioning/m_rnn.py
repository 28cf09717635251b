"""The multimodal recurrent network of Mao et al. (m-RNN), with the variants of its paper."""

from typing import NamedTuple

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.captioning.captioner import Captioner
from vsa_tf.models.captioning.sentence_cost import with_start

CELLS = ("relu", "gru", "lstm")


class Wiring(NamedTuple):
    """Which layers are connected: what M Figure 5 draws of a variant.

    Attributes:
        word_layers: two word layers, E1 and W_2, or E1 alone, as wide as the second.
        word_to_multimodal: the word layer that the multimodal layer sees: 1, 2 or None.
        image_to_recurrent: the image enters the second word layer, and the recurrence with it.
        image_to_multimodal: the image enters the multimodal layer.
        one_image_matrix: both of these are one matrix.
        softmax_from_words: the softmax matrix is E1, transposed.
    """

    word_layers: int = 2
    word_to_multimodal: int | None = 2
    image_to_recurrent: bool = False
    image_to_multimodal: bool = True
    one_image_matrix: bool = False
    softmax_from_words: bool = False


# M Table 9, then sections 7 (no image) and 8 (transposed weight sharing).
VARIANTS = {
    "m-rnn": Wiring(),
    "no_emb_input": Wiring(word_to_multimodal=None),
    "one_layer_emb": Wiring(word_layers=1),
    "emb_one_input": Wiring(word_to_multimodal=1),
    "vis_in_rnn": Wiring(image_to_recurrent=True, image_to_multimodal=False),
    "vis_in_rnn_both": Wiring(image_to_recurrent=True),
    "vis_in_rnn_both_shared": Wiring(image_to_recurrent=True, one_image_matrix=True),
    "rnn_base": Wiring(image_to_multimodal=False),
    "shared": Wiring(softmax_from_words=True),
}


@keras.saving.register_keras_serializable("vsa_tf")
class MRnn(Captioner):
    """Word, recurrent state and image meet in a multimodal layer.

        w1_t = E1[word_t]                                           (M section 3.2)
        w_t  = f(W_2 w1_t)
        r_t  = f(U_r r_{t-1} + w_t)                                 (M eq. 2)
        m_t  = g2(V_w w_t + V_r r_t + V_I I)                        (M eq. 3)
        y_t  = softmax(W_o m_t + b_o)

    f = ReLU, and g2 is `scaled_tanh`; the cost is `word_cost`. All layers but V_w and V_I also have
    a bias, which the paper does not write. The variants (`VARIANTS`) leave out or add connections.
    Where the image enters the recurrence, `w_t = f(W_2 w1_t + V_I' I)`; the softmax that shares E1
    is `y_t = softmax(E1 g2(U_M m_t) + b_o)`. With attention, V_I I becomes `V_I I + c_t`.

    Args:
        variant: a name in `VARIANTS`.
        word_embedding_size: width of w1.
        recurrent_size: width of w and r.
        multimodal_size: width of m; `vis_in_rnn_both_shared` needs it to equal recurrent_size,
            because one matrix feeds both layers.
        cell: `relu` as above; `gru` or `lstm` put that cell in place of r.
        **kwargs: of `Captioner`.

    Reference: docs/equations.md 2.3.
    """

    def __init__(
        self,
        vocabulary_size,
        variant="m-rnn",
        word_embedding_size=128,
        recurrent_size=256,
        multimodal_size=512,
        cell="relu",
        weight_penalty=1e-5,
        **kwargs,
    ):
        super().__init__(vocabulary_size, weight_penalty=weight_penalty, **kwargs)
        check_choice("variant", variant, VARIANTS)
        check_choice("cell", cell, CELLS)
        self.variant = variant
        self.word_embedding_size = word_embedding_size
        self.recurrent_size = recurrent_size
        self.multimodal_size = multimodal_size
        self.cell = cell
        self.wiring = wiring = VARIANTS[variant]
        if wiring.one_image_matrix and recurrent_size != multimodal_size:
            raise ValueError(
                f"Expected variant={variant!r} to have layers of one size, which one matrix can "
                f"feed. Received: recurrent_size={recurrent_size}, "
                f"multimodal_size={multimodal_size}"
            )
        if self.image_context != "frame" and not wiring.image_to_multimodal:
            raise ValueError(
                f"Expected a variant whose multimodal layer sees the image, for its regions. "
                f"Received: variant={variant!r}, image_context={self.image_context!r}"
            )
        first_size = word_embedding_size if wiring.word_layers == 2 else recurrent_size
        self.word_table = self.make_word_table(first_size)
        if wiring.word_layers == 2:
            self.W_2 = keras.layers.Dense(recurrent_size, name="W_2")
        if wiring.word_to_multimodal:
            self.V_w = keras.layers.Dense(multimodal_size, use_bias=False, name="V_w")
        if wiring.image_to_multimodal:
            self.V_I = keras.layers.Dense(multimodal_size, use_bias=False, name="V_I")
        if wiring.image_to_recurrent and not wiring.one_image_matrix:
            self.V_I1 = keras.layers.Dense(recurrent_size, use_bias=False, name="V_I1")
        self.recurrence = self.make_recurrence(cell, recurrent_size)
        self.make_attention(recurrent_size, multimodal_size)
        self.V_r = keras.layers.Dense(multimodal_size, name="V_r")
        if wiring.softmax_from_words:
            self.U_M = keras.layers.Dense(word_embedding_size, name="U_M")
            self.softmax = TransposedEmbedding(self.word_table, name="W_o")
        else:
            self.softmax = keras.layers.Dense(vocabulary_size, name="W_o")

    @property
    def image_in_recurrence(self):
        return self.wiring.image_to_recurrent

    def image_terms(self, feature):
        image = {}
        if self.wiring.image_to_multimodal:
            image["multimodal"] = self.V_I(feature)
        if self.wiring.image_to_recurrent:
            shared = self.wiring.one_image_matrix
            image["recurrent"] = image["multimodal"] if shared else self.V_I1(feature)
        return image

    def embed(self, token_ids, image, training=False):
        w1 = self.word_dropout(self.word_table(token_ids), training=training)
        if self.wiring.word_layers == 1:
            return w1, w1
        w = self.W_2(w1)
        if self.wiring.image_to_recurrent:
            w = w + image["recurrent"]
        return w1, ops.relu(w)

    def recurrent_input(self, words, image, first):
        _, w = words
        return w

    def logits(self, words, hidden, image, training=False):
        return self.logits_of_terms(self.language_terms(words, hidden), image, training)

    def language_terms(self, words, r):
        """Returns `V_w w_t + V_r r_t`, what the multimodal layer knows before the image.

        With attention `Q r_t` follows, end to end.
        """
        w1, w = words
        terms = self.V_r(r)
        if self.wiring.word_to_multimodal:
            terms = terms + self.V_w(w1 if self.wiring.word_to_multimodal == 1 else w)
        if self.image_context == "attention":
            terms = ops.concatenate([terms, self.region_query(r)], axis=-1)
        return terms

    def logits_of_terms(self, terms, image, training=False):
        """Returns `W_o m_t + b_o` of language terms `[B, T, .]` and images."""
        if self.image_context == "attention":
            terms, query = ops.split(terms, [self.multimodal_size], axis=-1)
            terms = terms + self.attended(query, image)
        if self.wiring.image_to_multimodal:
            terms = terms + image["multimodal"]
        m = self.output_dropout(scaled_tanh(terms), training=training)
        if self.wiring.softmax_from_words:
            m = scaled_tanh(self.U_M(m))
        return self.softmax(m)

    def sentence_terms(self, token_ids):
        """Returns the language terms of sentences `[B, W]` at every position, `[B, W + 1, .]`.

        For models whose recurrence does not see the image: they serve every image.
        """
        words = self.embed(with_start(token_ids), image=None)
        return self.language_terms(words, self.recurrence(self.recurrent_input(words, None, None)))

    def get_config(self):
        return {
            **super().get_config(),
            "variant": self.variant,
            "word_embedding_size": self.word_embedding_size,
            "recurrent_size": self.recurrent_size,
            "multimodal_size": self.multimodal_size,
            "cell": self.cell,
        }


def scaled_tanh(x):
    """`g2(x) = 1.7159 tanh(2 x / 3)` (M eq. 4), about 1 at 1.

    Args:
        x: float tensor.

    Returns:
        float tensor of the same shape, within -1.7159 and 1.7159.

    Reference: LeCun, Bottou, Orr and Mueller, Efficient BackProp, section 4.4.

    Example:

    >>> round(float(scaled_tanh(1.0)), 6)
    0.999997
    """
    return 1.7159 * ops.tanh(x * (2.0 / 3.0))


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
