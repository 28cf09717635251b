"""From captions to token ids, by the tokeniser that a model was trained with."""

import collections
import functools
import itertools
import re

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.text.tokenizer import (
    CONTINUATION,
    WordpieceTokenizer,
    WordTokenizer,
    make_tokenizer,
    wordpiece_alphabet,
)
from vsa_tf.text.vocabulary import END_ID, PAD_ID, SPECIAL_TOKENS, Vocabulary

# Words whose tokens are counted once.
_KEPT_WORDS = 1 << 16
# Sentences whose features are computed together.
_FEATURE_ROWS = 4096
# Letters of scripts without spaces between words, where a whole sentence would be a piece: Thai,
# Lao, Burmese, Khmer, kana and Chinese characters. Longer pieces are left to shorter ones.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
).search
_UNSPACED_LENGTH = 4 + len(CONTINUATION)


def _learn_pieces(sentences, num_pieces, known):
    """Returns the wordpieces of words; of `known` ones, these and the characters they lack."""
    counts = collections.Counter(word for sentence in sentences for word in sentence)
    if known:
        return list(dict.fromkeys([*known, *wordpiece_alphabet(counts)]))
    from vsa_tf.data.text_ops import learn_wordpieces  # imports tensorflow_text

    # Chinese and Japanese may have more characters than others have pieces.
    pieces = learn_wordpieces(counts, max(num_pieces, len(wordpiece_alphabet(counts))))
    return [piece for piece in pieces if len(piece) <= _UNSPACED_LENGTH or not _UNSPACED(piece)]


class CaptionText:
    """A tokeniser and its vocabulary, and what else a model reads of sentences.

    Attributes:
        vocabulary: the `Vocabulary`.
        tokenizer_name: `word` or `wordpiece`.
        sentence_feature: a fitted feature (`vsa_tf.sentence_features`), or None.
        relation_types: the `RelationTypes` of models that read dependency relations, or None.
        fold_letters: whether letters are read without their marks.
    """

    def __init__(
        self,
        vocabulary,
        tokenizer_name,
        sentence_feature=None,
        relation_types=None,
        fold_letters=True,
    ):
        self.vocabulary = vocabulary
        self.tokenizer_name = tokenizer_name
        self.fold_letters = fold_letters
        self.sentence_feature = sentence_feature
        self.relation_types = relation_types
        self._tokenizer = make_tokenizer(tokenizer_name, vocabulary, fold_letters)

    @classmethod
    def learn(cls, captions, settings, start=None):
        """Learns the vocabulary from the captions of the training split.

        Args:
            captions: list of str.
            settings: `DataSettings`.
            start: the `CaptionText` that is gone on from: its tokens come first, with their ids;
                None: there is none.
        """
        known = start.vocabulary.tokens if start else ()
        words = list(map(WordTokenizer(settings.fold_letters).tokenize, captions))
        if settings.tokenizer == "word":
            vocabulary = Vocabulary.from_sentences(words, settings.min_count, keep=known)
        else:
            pieces = _learn_pieces(words, settings.num_wordpieces, known)
            tokenizer = WordpieceTokenizer(pieces, settings.fold_letters)
            sentences = [tokenizer.tokenize(caption) for caption in captions]
            vocabulary = Vocabulary.from_sentences(sentences, keep=pieces)
        if start:
            vocabulary = start.vocabulary.joined(vocabulary)
        return cls(vocabulary, settings.tokenizer, fold_letters=settings.fold_letters)

    def tokenize(self, caption):
        """Returns the tokens of a caption, list of str."""
        return self._tokenizer.tokenize(caption)

    def token_boundaries(self, caption):
        """Returns `boundaries`: word i of `caption.split()` has tokens boundaries[i] to [i + 1]."""
        return [0, *itertools.accumulate(map(self._num_tokens, caption.split()))]

    @functools.cached_property
    def _num_tokens(self):
        """How many tokens a word gives: captions are the tokens of their words, mostly the same."""
        return functools.lru_cache(_KEPT_WORDS)(lambda word: len(self.tokenize(word)))

    def encode(self, captions):
        """Returns a list of token ids for each caption, without START and END."""
        return [self.vocabulary.encode(self.tokenize(caption)) for caption in captions]

    def fingerprints(self):
        """Returns the checksums of what was learnt: `vocabulary`, and `relations` if there are."""
        fingerprints = {"vocabulary": self.vocabulary.fingerprint()}
        if self.relation_types is not None:
            fingerprints["relations"] = self.relation_types.fingerprint()
        return fingerprints

    def encode_dependencies(self, dependencies):
        """Returns `(relation, head, dependent)` ids of each caption's dependency relations.

        A word is looked up as the captions' words are; one that they would split is known by its
        first part (`dog's` by `dog`), and what they have no word for, such as a quotation mark,
        has no relation.

        Args:
            dependencies: for each caption its `(relation, head, dependent)`, str.

        Returns:
            A list of lists of triples of int.
        """

        @functools.cache
        def word_id(word):
            tokens = self.tokenize(word)
            return self.vocabulary.encode(tokens[:1])[0] if tokens else None

        encoded = []
        for relations in dependencies:
            types = self.relation_types.encode([relation for relation, _, _ in relations])
            fragments = (
                (type, word_id(head), word_id(dependent))
                for type, (_, head, dependent) in zip(types, relations)
            )
            encoded.append([fragment for fragment in fragments if None not in fragment])
        return encoded

    def decode_fragments(self, fragments):
        """Returns relations as text, `relation(head, dependent)`, list of str.

        Args:
            fragments: int `[E, 3]`, rows of `encode_dependencies`.
        """
        return [
            f"{self.relation_types.names[type]}({', '.join(self.vocabulary.decode(words))})"
            for type, *words in np.asarray(fragments).tolist()
        ]

    def known_words(self, caption):
        """Tells the words of a caption that the model knows from those that it does not.

        A word is known if it, or any of its pieces, is in the vocabulary or, of a model that reads
        a sentence feature, among the feature's words; one that reads texts as they are knows all.

        Returns:
            `(unknown, num_known)`: list of str, in their order, and how many the others are.
        """
        words = WordTokenizer(self.fold_letters).tokenize(caption)
        if self.reads_texts:
            return [], len(words)
        unknown = [
            word
            for word in words
            if self._known_tokens.isdisjoint(self._tokenizer.split_word(word))
        ]
        return unknown, len(words) - len(unknown)

    @property
    def reads_texts(self):
        """Whether its sentence feature is of texts as they are, not of their tokens."""
        return self.sentence_feature is not None and self.sentence_feature.words is None

    @functools.cached_property
    def _known_tokens(self):
        if self.sentence_feature is not None:
            return frozenset(self.sentence_feature.words)
        return frozenset(self.vocabulary.tokens) - set(SPECIAL_TOKENS)

    def sentence_features(self, captions):
        """Returns the sentence feature of each caption, float16 `[M, T]`; None if there is none.

        Raises:
            VsaTfError: a caption's is NaN or infinite, or too large for float16.
        """
        if self.sentence_feature is None:
            return None
        features = np.empty((len(captions), self.sentence_feature.dimension), np.float16)
        for start in range(0, len(captions), _FEATURE_ROWS):
            sentences = captions[start : start + _FEATURE_ROWS]
            if not self.reads_texts:
                sentences = [self.tokenize(text) for text in sentences]
            with np.errstate(over="ignore"):
                rows = self.sentence_feature.transform(sentences).astype(np.float16)
            finite = np.isfinite(rows).all(axis=1)
            if not finite.all():
                raise VsaTfError(
                    "Expected sentence features that are finite in float16. Received: NaN or "
                    f"infinity of the sentence {captions[start + int(np.argmin(finite))][:60]!r}; "
                    "see that its word vectors, or the model that embeds it, are finite and small"
                )
            features[start : start + len(sentences)] = rows
        return features

    def decode(self, token_ids):
        """Returns the tokens of one generated sentence, list of str, without END and PAD."""
        words = [token for token in token_ids if token not in (PAD_ID, END_ID)]
        return self.vocabulary.decode(words)

    def join(self, tokens):
        """Returns the sentence of a list of tokens, str."""
        return " ".join(tokens).replace(f" {CONTINUATION}", "")
