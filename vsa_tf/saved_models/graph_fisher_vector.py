"""`FisherVector` in a graph."""

import numpy as np
import tensorflow as tf

from vsa_tf.saved_models.graph_known_words import GraphKnownWords
from vsa_tf.sentence_features.fisher_vector import fisher_gradients


class GraphFisherVector(tf.Module):
    """`FisherVector.transform` of a batch.

    A word's gradient is zero in almost all of the K centres: kept are those that are not, one
    after another, word by word.

    Args:
        feature: the `FisherVector`.
    """

    def __init__(self, feature):
        super().__init__()
        points = feature.word_points
        groups = fisher_gradients(feature.mixture, points.vectors.astype(np.float64))
        words = np.concatenate([rows for rows, _ in groups])
        centers = np.repeat(np.arange(len(groups)), [len(rows) for rows, _ in groups])
        order = np.argsort(words, kind="stable")
        self._known = GraphKnownWords(points.words)
        self._num_centers = len(groups)
        self._centers = tf.constant(centers[order], tf.int64)
        ends = np.cumsum(np.bincount(words, minlength=len(points.words)))
        self._splits = tf.constant(np.concatenate([[0], ends]), tf.int64)
        # Variables: graphs hold no more than 2 GB of constants.
        self._gradients = tf.Variable(
            np.concatenate([gradients for _, gradients in groups])[order], trainable=False
        )
        self._components = None
        if feature.principal_components is not None:
            principal = feature.principal_components
            self._components = tf.Variable(principal.components, trainable=False)
            self._projected_mean = tf.constant(principal.mean @ principal.components)

    def __call__(self, tokens):
        """Returns float32 `[B, D]` of tokens, a string `RaggedTensor` `[B, tokens]`."""
        words, sentences, counts = self._known(tokens)
        rows, size = tf.size(counts, tf.int64), self._gradients.shape[1]
        entries = tf.ragged.range(
            tf.gather(self._splits, words), tf.gather(self._splits, words + 1)
        )
        sentences = tf.gather(sentences, entries.value_rowids())
        entries = entries.flat_values
        means = tf.math.unsorted_segment_sum(
            tf.gather(self._gradients, entries) / tf.gather(counts, sentences)[:, None],
            sentences * self._num_centers + tf.gather(self._centers, entries),
            rows * self._num_centers,
        )
        means = tf.reshape(means, (rows, self._num_centers * size))
        lengths = tf.sqrt(tf.reduce_sum(tf.abs(means), axis=1, keepdims=True))
        roots = tf.sign(means) * tf.sqrt(tf.abs(means)) / tf.where(lengths > 0, lengths, 1.0)
        if self._components is None:
            return roots
        projected = roots @ self._components - self._projected_mean
        return tf.where(counts[:, None] > 0, projected, 0.0)
