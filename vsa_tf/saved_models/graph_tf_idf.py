"""`TfIdf` in a graph."""

import tensorflow as tf

from vsa_tf.saved_models.graph_known_words import GraphKnownWords


class GraphTfIdf(tf.Module):
    """`TfIdf.transform` of a batch.

    Args:
        feature: the `TfIdf`.
    """

    def __init__(self, feature):
        super().__init__()
        self._known = GraphKnownWords(feature.words)
        self._idf = tf.constant(feature.idf)
        # A variable: graphs hold no more than 2 GB of constants.
        self._components = None
        if feature.components is not None:
            self._components = tf.Variable(feature.components, trainable=False)

    def __call__(self, tokens):
        """Returns float32 `[B, D]` of tokens, a string `RaggedTensor` `[B, tokens]`."""
        words, sentences, counts = self._known(tokens)
        size, rows = self._idf.shape[0], tf.size(counts, tf.int64)
        features = tf.math.unsorted_segment_sum(
            tf.ones_like(words, tf.float32), sentences * size + words, rows * size
        )
        features = tf.reshape(features, (rows, size)) * self._idf
        lengths = tf.norm(features, axis=1, keepdims=True)
        features /= tf.where(lengths > 0, lengths, 1.0)
        return features if self._components is None else features @ self._components
