"""The words of sentences that a sentence feature knows, in a graph."""

import tensorflow as tf


class GraphKnownWords(tf.Module):
    """Looks up words.

    Args:
        words: V different str.
    """

    def __init__(self, words):
        super().__init__()
        # An attribute, so that a SavedModel of this module holds it.
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(words), tf.range(len(words), dtype=tf.int64)
            ),
            default_value=-1,
        )

    def __call__(self, tokens):
        """Finds the known words of sentences; others are passed over.

        Args:
            tokens: string `RaggedTensor` `[B, tokens]`.

        Returns:
            `(words, sentences, counts)`: int64 `[n]`, the number of each word; int64 `[n]`,
            ascending, that of its sentence; float32 `[B]`, how many words each sentence has.
        """
        words = self._table.lookup(tokens.flat_values)
        is_known = words >= 0
        sentences = tf.boolean_mask(tokens.value_rowids(), is_known)
        counts = tf.math.unsorted_segment_sum(
            tf.ones_like(sentences, tf.float32), sentences, tokens.nrows()
        )
        return tf.boolean_mask(words, is_known), sentences, counts
