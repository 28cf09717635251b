"""Sentence side of deep fragment embeddings: typed dependency relations (F eq. 1)."""

import math

import keras
from keras import ops

from vsa_tf.models.layers.words import WordTable

_BLOCK = 32


@keras.saving.register_keras_serializable("vsa_tf")
class RelationEncoder(keras.layers.Layer):
    """`s = f(W_R [W_e w1 ; W_e w2] + b_R)`, one matrix per relation type R (F eq. 1).

    Args:
        units: width H of s.
        vocabulary_size: number of token ids, PAD = 0 included.
        num_relations: number of relation ids, PAD = 0 included; PAD has no matrix.
        word_embedding_size: width of a word's vector W_e w.
        word_activation: f; `relu` in the paper.
        dropout: rate of dropout on the two words' vectors.
        train_word_vectors: whether the word table W_e is trained.

    Call arguments:
        relations: int `[B, E]`, R, PAD on the right.
        heads: int `[B, E]`, token ids of w1, the words that govern.
        dependents: int `[B, E]`, token ids of w2.

    Output shape: `[B, E, units]`; positions of PAD hold values that mean nothing.
    """

    def __init__(
        self,
        units,
        vocabulary_size,
        num_relations,
        word_embedding_size=300,
        word_activation="relu",
        dropout=0.0,
        train_word_vectors=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_relations < 2:
            raise ValueError(
                "Expected num_relations of 2 or more: padding and a relation type. "
                f"Received: num_relations={num_relations}"
            )
        self.units = units
        self.vocabulary_size = vocabulary_size
        self.num_relations = num_relations
        self.word_embedding_size = word_embedding_size
        self.word_activation = word_activation
        self.dropout_rate = dropout
        self.train_word_vectors = train_word_vectors

        self.word_table = WordTable(
            vocabulary_size, word_embedding_size, trainable=train_word_vectors, name="word_table"
        )
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, relations_shape, heads_shape=None, dependents_shape=None):
        self.word_table.build(relations_shape)
        num_types, size = self.num_relations - 1, 2 * self.word_embedding_size
        # Glorot's limit of one matrix: Keras would take the types for a width of each.
        limit = math.sqrt(6.0 / (size + self.units))
        self.kernel = self.add_weight(
            name="W_R",
            shape=(num_types, size, self.units),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )
        self.bias = self.add_weight(name="b_R", shape=(num_types, self.units), initializer="zeros")

    def call(self, relations, heads, dependents, training=False):
        words = ops.concatenate([self.word_table(heads), self.word_table(dependents)], axis=-1)
        words = self.dropout(words, training=training)
        # PAD shares the first type's matrix: its results are masked, and so are its gradients.
        types = ops.reshape(ops.maximum(ops.cast(relations, "int32") - 1, 0), (-1,))
        rows = ops.reshape(words, (-1, 2 * self.word_embedding_size))
        # Times one, as in WordTable: the gradient is one number a weight.
        kernel = 1.0 * ops.convert_to_tensor(self.kernel)
        bias = 1.0 * ops.convert_to_tensor(self.bias)
        outputs = grouped_product(rows, types, kernel) + ops.take(bias, types, axis=0)
        outputs = keras.activations.get(self.word_activation)(outputs)
        return ops.reshape(outputs, (*ops.shape(relations), self.units))

    def compute_output_shape(self, relations_shape, heads_shape=None, dependents_shape=None):
        return (*relations_shape, self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "vocabulary_size": self.vocabulary_size,
            "num_relations": self.num_relations,
            "word_embedding_size": self.word_embedding_size,
            "word_activation": self.word_activation,
            "dropout": self.dropout_rate,
            "train_word_vectors": self.train_word_vectors,
        }


def grouped_product(rows, groups, matrices):
    """Computes `rows[n] @ matrices[groups[n]]` for every n.

    Rows of a group are put together in blocks of 32, each block is one matrix product. All sizes
    depend on N and G alone, never on how the rows are spread over groups: the function compiles,
    and costs at most N / 32 + G products of a block.

    Args:
        rows: float `[N, D]`.
        groups: int `[N]`, 0..G - 1.
        matrices: float `[G, D, H]`, of static shape.

    Returns:
        float `[N, H]`.

    Example:

    >>> import numpy as np
    >>> matrices = np.float32([[[1, 0]], [[0, 10]]])
    >>> np.array(grouped_product(np.float32([[3], [4]]), np.array([1, 0]), matrices)).tolist()
    [[0.0, 30.0], [4.0, 0.0]]
    """
    num_groups, size, units = matrices.shape
    num_rows = ops.shape(rows)[0]
    # Full blocks, and at most one that is not for each group.
    num_blocks = num_rows // _BLOCK + num_groups

    groups = ops.cast(groups, "int32")
    member = ops.equal(ops.expand_dims(groups, 1), ops.arange(num_groups, dtype="int32"))
    member = ops.cast(member, "int32")
    counts = ops.sum(member, axis=0)
    blocks = (counts + _BLOCK - 1) // _BLOCK
    end = ops.cumsum(blocks)
    position = ops.sum(ops.cumsum(member, axis=0) * member, axis=1) - 1
    slots = ops.take((end - blocks) * _BLOCK, groups, axis=0) + position

    filled = ops.scatter(ops.expand_dims(slots, 1), rows, (num_blocks * _BLOCK, size))
    filled = ops.reshape(filled, (num_blocks, _BLOCK, size))
    block = ops.expand_dims(ops.arange(num_blocks, dtype="int32"), 1)
    block_group = ops.sum(ops.cast(block >= ops.expand_dims(end, 0), "int32"), axis=1)
    # Blocks left over hold zeros: any matrix will do.
    block_group = ops.minimum(block_group, num_groups - 1)
    products = ops.matmul(filled, ops.take(matrices, block_group, axis=0))
    products = ops.reshape(products, (num_blocks * _BLOCK, units))
    return ops.take(products, slots, axis=0)
