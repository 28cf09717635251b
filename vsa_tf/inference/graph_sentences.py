"""Sentences to what a model reads of them, in a graph."""

import tensorflow as tf

from vsa_tf.data.text_ops import TextToIds
from vsa_tf.saved_models.graph_fisher_vector import GraphFisherVector
from vsa_tf.saved_models.graph_mean_vector import GraphMeanVector
from vsa_tf.saved_models.graph_tf_idf import GraphTfIdf
from vsa_tf.text.tokenizer import CONTINUATION
from vsa_tf.text.vocabulary import END_TOKEN, PAD_ID, PAD_TOKEN

_FEATURES = {"tf_idf": GraphTfIdf, "mean_vector": GraphMeanVector, "hglmm": GraphFisherVector}


class GraphSentences(tf.Module):
    """The text processing of a `TrainedModel`.

    Args:
        text: its `CaptionText`.
        max_words: longer sentences lose their end.
    """

    def __init__(self, text, max_words):
        super().__init__()
        self._text_to_ids = TextToIds(text.vocabulary, text.tokenizer_name, max_words)
        written = [
            "" if token in (PAD_TOKEN, END_TOKEN) else token for token in text.vocabulary.tokens
        ]
        self._written = tf.constant(written)
        feature = text.sentence_feature
        self._feature = feature and _FEATURES[feature.kind](feature)

    def __call__(self, sentences):
        """Tokenises sentences.

        Args:
            sentences: string `[B]`.

        Returns:
            dict of token_ids int32 `[B, W]`, PAD on the right; tokens string `[B, W]`, empty on the
            right; num_words int32 `[B]`; and, of a model that reads them, sentence_features float16
            `[B, T]`.
        """
        tokens, _ = self._text_to_ids.read(sentences)
        features = {}
        if self._feature is not None:
            # Of whole sentences, as in training.
            feature = self._feature(self._text_to_ids.tokens(sentences))
            features["sentence_features"] = tf.cast(feature, tf.float16)
        return {
            **features,
            "token_ids": self._text_to_ids.lookup(tokens).to_tensor(PAD_ID),
            "tokens": tokens.to_tensor(""),
            "num_words": tf.cast(tokens.row_lengths(), tf.int32),
        }

    def written(self, token_ids):
        """Returns the tokens of ids as they are written: empty at END and PAD; string."""
        return tf.gather(self._written, token_ids)

    def join(self, tokens):
        """Returns the sentences of tokens `[..., W]`, empty where there is none; string `[...]`."""
        return tidy(tf.strings.reduce_join(tokens, axis=-1, separator=" "))


def tidy(joined):
    """Returns tokens joined by spaces as `CaptionText.join` writes them, string `[...]`."""
    return tf.strings.regex_replace(tf.strings.strip(joined), " " + CONTINUATION, "")
