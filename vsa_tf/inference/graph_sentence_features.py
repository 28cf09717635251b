"""Sentence features in a graph: mean vector, tf-idf, Fisher vector."""

import numpy as np
import tensorflow as tf

from vsa_tf.sentence_features.fisher_vector import fisher_gradients


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

    def contains(self, words):
        """Returns which words, string `[n]`, are known, bool `[n]`."""
        return self._table.lookup(words) >= 0

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


class GraphMeanVector(tf.Module):
    """`MeanVector.transform` of a batch.

    Args:
        feature: the `MeanVector`.

    Attributes:
        known_words: the `GraphKnownWords` of the feature's words.
    """

    def __init__(self, feature):
        super().__init__()
        self.known_words = GraphKnownWords(feature.word_vectors.words)
        # A variable: graphs hold no more than 2 GB of constants.
        self._vectors = tf.Variable(feature.word_vectors.vectors, trainable=False)

    def __call__(self, tokens):
        """Returns float32 `[B, D]` of tokens, a string `RaggedTensor` `[B, tokens]`."""
        words, sentences, counts = self.known_words(tokens)
        vectors = tf.gather(self._vectors, words)
        sums = tf.math.unsorted_segment_sum(vectors, sentences, tf.size(counts))
        return sums / tf.maximum(counts, 1.0)[:, None]


class GraphTfIdf(tf.Module):
    """`TfIdf.transform` of a batch.

    Args:
        feature: the `TfIdf`.

    Attributes:
        known_words: the `GraphKnownWords` of the feature's words.
    """

    def __init__(self, feature):
        super().__init__()
        self.known_words = GraphKnownWords(feature.words)
        self._idf = tf.constant(feature.idf)
        # A variable: graphs hold no more than 2 GB of constants.
        self._components = None
        if feature.components is not None:
            self._components = tf.Variable(feature.components, trainable=False)

    def __call__(self, tokens):
        """Returns float32 `[B, D]` of tokens, a string `RaggedTensor` `[B, tokens]`."""
        words, sentences, counts = self.known_words(tokens)
        size, rows = self._idf.shape[0], tf.size(counts, tf.int64)
        features = tf.math.unsorted_segment_sum(
            tf.ones_like(words, tf.float32), sentences * size + words, rows * size
        )
        features = tf.reshape(features, (rows, size)) * self._idf
        lengths = tf.norm(features, axis=1, keepdims=True)
        features /= tf.where(lengths > 0, lengths, 1.0)
        return features if self._components is None else features @ self._components


class GraphFisherVector(tf.Module):
    """`FisherVector.transform` of a batch.

    A word's gradient is zero in almost all of the K centres: kept are those that are not, one
    after another, word by word.

    Args:
        feature: the `FisherVector`.

    Attributes:
        known_words: the `GraphKnownWords` of the feature's words.
    """

    def __init__(self, feature):
        super().__init__()
        points = feature.word_points
        groups = fisher_gradients(feature.mixture, points.vectors.astype(np.float64))
        words = np.concatenate([rows for rows, _ in groups])
        centers = np.repeat(np.arange(len(groups)), [len(rows) for rows, _ in groups])
        order = np.argsort(words, kind="stable")
        self.known_words = GraphKnownWords(points.words)
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
        words, sentences, counts = self.known_words(tokens)
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
