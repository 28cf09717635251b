"""Sentences, or parses, to what a model of a model directory reads of them."""

import numpy as np

from vsa_tf.data.caption_rows import FragmentStore, TokenStore
from vsa_tf.errors import InputError
from vsa_tf.text.vocabulary import PAD_ID, UNK_ID, UNK_TOKEN

# White space to TensorFlow's operations.
_SPACES = " \t\n\v\f\r"


class SentenceReader:
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
            **known_words(map(self.text.known_words, sentences)),
        }

    def prefixes(self, texts):
        """Reads beginnings of captions; returns the dict of `GraphSentences.prefixes`."""
        tokens = [self.text.tokenize(text) for text in texts]
        width = max(1, *map(len, tokens))
        ids = np.full((len(texts), width), PAD_ID, np.int32)
        for row, words in enumerate(tokens):
            ids[row, : len(words)] = self.text.vocabulary.encode(words)
        return {
            "prefix_ids": ids,
            "prefix_tokens": padded_strings(tokens, width),
            "unknown_words": known_words(map(self.text.known_words, texts))["unknown_words"],
        }


def padded_strings(rows, width):
    """Returns lists of str as an array `[B, width]` of str, empty on the right."""
    padded = np.full((len(rows), width), "", object)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def known_words(rows):
    """Returns the dict of `TextToIds.known_words` of rows of `CaptionText.known_words`."""
    unknown, num_known = zip(*rows)
    return {
        "unknown_words": padded_strings(unknown, max(map(len, unknown))),
        "num_known_words": np.array(num_known, np.int32),
    }


class RelationReader:
    """The reading of dependency relations of a `TrainedModel`.

    A sentence is a string of its relations, one a line: `relation<TAB>head<TAB>dependent`.

    Args:
        text: its `CaptionText`.
        max_relations: sentences of more lose their last.
    """

    def __init__(self, text, max_relations):
        self._text = text
        self._max_relations = max_relations

    def __call__(self, sentences):
        """Reads a list of B str; returns the dict of `GraphRelations`, numpy arrays."""
        parses = [_relations(each) for each in sentences]
        fragments = self._text.encode_dependencies(parses)
        store = FragmentStore(fragments, self._max_relations)
        width = max(int(store.lengths.max(initial=0)), 1)
        return {
            **store.entries(np.arange(len(store)), width),
            "num_fragments": store.lengths,
            **known_words(map(self._known_words, parses)),
        }

    def _known_words(self, relations):
        """As of `CaptionText`; a head or dependent is known by its first part."""
        unknown, num_known = [], 0
        for words in (words for _, *words in relations):
            ids = [self._text.encode([word])[0][:1] for word in words]
            # What captions have no word for has no relation.
            for word, (first,) in zip(words, ids) if all(ids) else ():
                if first == UNK_ID:
                    unknown.append(word)
                else:
                    num_known += 1
        return unknown, num_known


def _relations(sentence):
    relations = []
    for line in sentence.split("\n"):
        if not line.strip(_SPACES):
            continue
        columns = tuple(column.strip(_SPACES) for column in line.split("\t"))
        if len(columns) != 3 or not all(columns):
            raise InputError(
                "Expected dependency relations, one a line: relation<TAB>head<TAB>dependent. "
                f"Received: {line}"
            )
        relations.append(columns)
    return tuple(relations)
