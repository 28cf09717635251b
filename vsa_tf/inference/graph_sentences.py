"""Sentences, or parses, to what a model reads of them, in a graph."""

import numpy as np
import tensorflow as tf

from vsa_tf.data.text_ops import TextToIds, known_words
from vsa_tf.inference.graph_checks import require_all
from vsa_tf.sentence_features.fisher_vector import fisher_gradients
from vsa_tf.text.vocabulary import OTHER_RELATION, PAD_ID, PAD_RELATION, UNK_ID


class GraphSentences(tf.Module):
    """The text processing of a `TrainedModel`.

    Args:
        text: its `CaptionText`.
        max_words: longer sentences lose their end.
    """

    def __init__(self, text, max_words):
        super().__init__()
        self._text_to_ids = TextToIds(
            text.vocabulary, text.tokenizer_name, max_words, text.fold_letters
        )
        feature = text.sentence_feature
        self._reads_texts = text.reads_texts
        self._feature = feature and _GRAPH_FEATURES[feature.kind](feature)

    def __call__(self, sentences):
        """Tokenises sentences.

        Args:
            sentences: string `[B]`.

        Returns:
            dict of token_ids int32 `[B, W]`, PAD on the right; tokens string `[B, W]`, empty on the
            right; num_words int32 `[B]`; unknown_words string `[B, U]`, those that the model does
            not know, empty on the right; num_known_words int32 `[B]`, how many it does; and, of a
            model that reads them, sentence_features float16 `[B, T]`.
        """
        tokens, _ = self._text_to_ids.read(sentences)
        features, is_known = {}, None
        if self._feature is not None:
            is_known = self._feature.known_words.contains
            # Of whole sentences, as in training.
            feature = self._feature(
                sentences if self._reads_texts else self._text_to_ids.tokens(sentences)
            )
            features["sentence_features"] = tf.cast(feature, tf.float16)
        return {
            **features,
            "token_ids": self._text_to_ids.lookup(tokens).to_tensor(PAD_ID),
            "tokens": tokens.to_tensor(""),
            "num_words": tf.cast(tokens.row_lengths(), tf.int32),
            **self._text_to_ids.known_words(sentences, is_known),
        }

    def prefixes(self, texts):
        """Reads beginnings of captions.

        Args:
            texts: string `[B]`; an empty one is none.

        Returns:
            dict of prefix_ids int32 `[B, P]`, PAD on the right; prefix_tokens string `[B, P]`,
            empty on the right; P is at least 1; and unknown_words, as of sentences.
        """
        tokens = self._text_to_ids.tokens(texts)
        width = tf.maximum(tf.cast(tokens.bounding_shape()[1], tf.int32), 1)
        shape = tf.stack([tf.shape(texts)[0], width])
        return {
            "prefix_ids": self._text_to_ids.lookup(tokens).to_tensor(PAD_ID, shape=shape),
            "prefix_tokens": tokens.to_tensor("", shape=shape),
            "unknown_words": self._text_to_ids.known_words(texts)["unknown_words"],
        }


class GraphRelations(tf.Module):
    """The reading of dependency relations of a `TrainedModel`.

    A sentence is a string of its relations, one a line: `relation<TAB>head<TAB>dependent`. There is
    no parser in a graph.

    Args:
        text: its `CaptionText`.
        max_relations: sentences of more lose their last.
    """

    def __init__(self, text, max_relations):
        super().__init__()
        self._max_relations = max_relations
        self._text_to_ids = TextToIds(
            text.vocabulary, text.tokenizer_name, fold_letters=text.fold_letters
        )
        names = text.relation_types.names
        self._types = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(names), tf.range(len(names), dtype=tf.int64)
            ),
            default_value=OTHER_RELATION,
        )

    def __call__(self, sentences):
        """Reads sentences.

        Args:
            sentences: string `[B]`.

        Returns:
            dict of relations, heads and dependents int32 `[B, E]`, padded with 0 on the right;
            num_fragments int32 `[B]`; E is at least 1; and unknown_words and num_known_words of
            heads and dependents, as of `GraphSentences`.

        Raises:
            tf.errors.InvalidArgumentError: when run, for a line that is no relation.
        """
        lines = tf.strings.split(sentences, "\n")
        lines = tf.ragged.boolean_mask(lines, tf.strings.strip(lines) != "")
        columns = _columns(lines.flat_values)
        tokens = [self._text_to_ids.tokens(column) for column in columns[1:]]
        # What captions have no word for has no relation.
        is_kept = tf.logical_and(*(words.row_lengths() > 0 for words in tokens))
        firsts = [
            self._text_to_ids.lookup(tf.ragged.boolean_mask(words, is_kept)[:, :1]).flat_values
            for words in tokens
        ]
        types = tf.cast(self._types.lookup(tf.boolean_mask(columns[0], is_kept)), tf.int32)
        kept = tf.ragged.boolean_mask(lines, lines.with_flat_values(is_kept))
        # Each line has two.
        words = tf.stack([tf.boolean_mask(column, is_kept) for column in columns[1:]], axis=1)
        is_known = tf.stack([first != UNK_ID for first in firsts], axis=1)
        words = tf.RaggedTensor.from_row_splits(tf.reshape(words, [-1]), 2 * kept.row_splits)
        rows = [
            kept.with_flat_values(values)[:, : self._max_relations] for values in (types, *firsts)
        ]
        return {
            **dict(zip(("relations", "heads", "dependents"), map(_padded, rows))),
            "num_fragments": tf.cast(rows[0].row_lengths(), tf.int32),
            **known_words(words, tf.reshape(is_known, [-1])),
        }


def _padded(rows):
    """Returns a ragged `[B, relations]` with padding on the right, one column at the least."""
    dense = rows.to_tensor(PAD_RELATION)
    more = tf.maximum(1 - tf.shape(dense)[1], 0)
    return tf.pad(dense, [[0, 0], [0, more]], constant_values=PAD_RELATION)


def _columns(lines):
    """Splits lines, string `[n]`, into relation, head and dependent, string `[n]` each."""
    columns = tf.strings.split(lines, "\t")
    columns = columns.with_flat_values(tf.strings.strip(columns.flat_values))
    is_full = tf.cast(columns.flat_values != "", tf.int32)
    num_full = tf.reduce_sum(columns.with_flat_values(is_full), axis=1)
    is_relation = tf.logical_and(columns.row_lengths() == 3, num_full == 3)
    message = (
        "Expected dependency relations, one a line: relation<TAB>head<TAB>dependent. Received:"
    )
    with require_all(is_relation, message, lines):
        dense = columns.to_tensor("", shape=[None, 3])
    return dense[:, 0], dense[:, 1], dense[:, 2]


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


class GraphTextTower(tf.Module):
    """`TextTower.transform` of a batch.

    Args:
        feature: the `TextTower`.

    Attributes:
        known_words: what says that it knows every word.
    """

    def __init__(self, feature):
        super().__init__()
        self._module = feature.module
        self.known_words = self

    def contains(self, words):
        """Returns which words, string `[n]`, are known, bool `[n]`: all."""
        return tf.fill(tf.shape(words), True)

    def __call__(self, texts):
        """Returns float32 `[B, D]` of string `[B]`."""
        return self._module.embed(texts)


_GRAPH_FEATURES = {
    "tf_idf": GraphTfIdf,
    "mean_vector": GraphMeanVector,
    "hglmm": GraphFisherVector,
    "keras_hub": GraphTextTower,
}
