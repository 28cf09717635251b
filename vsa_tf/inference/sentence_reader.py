"""Sentences to what a model of a model directory reads of them."""

import numpy as np

from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.text.vocabulary import UNK_TOKEN


class LiveSentences:
    """The text processing of a `TrainedModel`.

    Args:
        text: its `CaptionText`.
        max_words: longer sentences lose their end.
    """

    def __init__(self, text, max_words):
        self.text = text
        self._max_words = max_words

    def __call__(self, sentences):
        """Tokenises a list of B str; returns the dict of `GraphSentences`, numpy arrays."""
        tokens = [self.text.tokenize(text)[: self._max_words] or [UNK_TOKEN] for text in sentences]
        store = TokenStore.from_captions(sentences, self.text.encode, self._max_words)
        width = int(store.lengths.max())
        features = self.text.sentence_features(sentences)
        return {
            **({} if features is None else {"sentence_features": features}),
            "token_ids": store.padded(np.arange(len(store)), width),
            "tokens": padded_strings(tokens, width),
            "num_words": store.lengths,
        }


def padded_strings(rows, width):
    """Returns lists of str as an array `[B, width]` of str, empty on the right."""
    padded = np.full((len(rows), width), "", object)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded
