"""`MeanVector` in a graph."""

import tensorflow as tf

from vsa_tf.saved_models.graph_known_words import GraphKnownWords


class GraphMeanVector(tf.Module):
    """`MeanVector.transform` of a batch.

    Args:
        feature: the `MeanVector`.
    """

    def __init__(self, feature):
        super().__init__()
        self._known = GraphKnownWords(feature.word_vectors.words)
        # A variable: graphs hold no more than 2 GB of constants.
        self._vectors = tf.Variable(feature.word_vectors.vectors, trainable=False)

    def __call__(self, tokens):
        """Returns float32 `[B, D]` of tokens, a string `RaggedTensor` `[B, tokens]`."""
        words, sentences, counts = self._known(tokens)
        vectors = tf.gather(self._vectors, words)
        sums = tf.math.unsorted_segment_sum(vectors, sentences, tf.size(counts))
        return sums / tf.maximum(counts, 1.0)[:, None]
