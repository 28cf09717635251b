"""The text processing of `vsa_tf.text` by TensorFlow: run in a graph, and wordpieces learnt.

Both executions read the same definitions: the table of `normalize_character` and `WORD_RULES`.
Words need core operations only, so a SavedModel of them loads wherever TensorFlow does. Wordpieces
need tensorflow-text, which is imported when they are asked for.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from vsa_tf.errors import check_choice
from vsa_tf.text.normalization import normalize_character
from vsa_tf.text.tokenizer import CONTINUATION, TOKENIZERS, WORD_RULES, wordpiece_alphabet
from vsa_tf.text.vocabulary import PAD_ID, UNK_ID, UNK_TOKEN

_BLOCK = 256
_NUM_CODE_POINTS = 0x110000
# The planes 4 to 13, 15 and 16 hold no characters: what one of their code points becomes, all do.
_EMPTY_PLANES = (*range(4, 14), 15, 16)


class _NormalizationTable(NamedTuple):
    """The replacement of every code point, in blocks of 256 of which equal ones are kept once.

    Attributes:
        page_of_block: int32 `[4352]`, the page of each block of code points.
        row_of_code_point: int32 `[pages, 256]`, 0 for a code point that stays itself, otherwise
            the row of its replacement.
        row_splits: int32 `[rows + 1]`, where in `values` each row starts; row 0 is one long.
        values: int32, the code points of all replacements.
    """

    page_of_block: np.ndarray
    row_of_code_point: np.ndarray
    row_splits: np.ndarray
    values: np.ndarray


@functools.cache
def _normalization_table(fold_letters):
    rows = {None: 0}
    pages = {}
    page_of_block = []
    for start in range(0, _NUM_CODE_POINTS, _BLOCK):
        if start >> 16 in _EMPTY_PLANES:
            replacements = [normalize_character(chr(start), fold_letters)] * _BLOCK
        else:
            replacements = [
                None
                if (text := normalize_character(character, fold_letters)) == character
                else text
                for character in map(chr, range(start, start + _BLOCK))
            ]
        page = tuple(rows.setdefault(text, len(rows)) for text in replacements)
        page_of_block.append(pages.setdefault(page, len(pages)))
    code_points = [[0] if text is None else [ord(c) for c in text] for text in rows]
    return _NormalizationTable(
        np.array(page_of_block, np.int32),
        np.array(list(pages), np.int32),
        np.cumsum([0] + [len(row) for row in code_points], dtype=np.int32),
        np.array([value for row in code_points for value in row], np.int32),
    )


def _normalize(texts, fold_letters):
    """Returns `normalize` of each string of `[B]`; bytes that are not UTF-8 become spaces."""
    table = _normalization_table(fold_letters)
    code_points = tf.strings.unicode_decode(
        texts, "UTF-8", errors="replace", replacement_char=0xFFFD
    )
    characters = code_points.flat_values
    pages = tf.gather(table.page_of_block, characters // _BLOCK)
    rows = tf.gather_nd(table.row_of_code_point, tf.stack([pages, characters % _BLOCK], axis=1))
    places = tf.ragged.range(
        tf.gather(table.row_splits, rows),
        tf.gather(table.row_splits, rows + 1),
        row_splits_dtype=tf.int64,
    )
    sources = places.value_rowids()
    replaced = tf.where(
        tf.gather(rows, sources) == 0,
        tf.gather(characters, sources),
        tf.gather(table.values, places.flat_values),
    )
    row_splits = tf.gather(places.row_splits, code_points.row_splits)
    return tf.strings.unicode_encode(
        tf.RaggedTensor.from_row_splits(replaced, row_splits, validate=False), "UTF-8"
    )


class GraphWordTokenizer(tf.Module):
    """`vsa_tf.text.tokenizer.WordTokenizer` for a batch of strings, in core operations.

    Args:
        fold_letters: as there.

    Example:

    >>> GraphWordTokenizer()(tf.constant(["Dogs aren't cats."])).to_list()
    [[b'dogs', b'are', b"n't", b'cats']]
    """

    def __init__(self, fold_letters=True):
        super().__init__()
        self._fold_letters = fold_letters

    def __call__(self, texts):
        """Splits strings into words.

        Args:
            texts: string `[B]`, UTF-8. What is not UTF-8 counts as white space, as it does after
                Python's `bytes.decode("utf-8", "replace")`. A Python string with lone surrogates
                comes in as `text.encode("utf-8", "surrogatepass")`.

        Returns:
            string `RaggedTensor` `[B, words]`.
        """
        texts = _normalize(texts, self._fold_letters)
        for pattern, rewrite in WORD_RULES:
            texts = tf.strings.regex_replace(texts, pattern, rewrite)
        return tf.strings.split(texts)


class TextToIds(tf.Module):
    """Strings to the ids of their tokens.

    Args:
        vocabulary: `vsa_tf.text.vocabulary.Vocabulary`.
        tokenizer: `word` or `wordpiece` (whose pieces are the tokens of the vocabulary; needs
            tensorflow-text here and wherever a SavedModel of it is loaded).
        max_words: how many tokens of a string are kept at most; `None` for all.
        fold_letters: whether letters lose their marks.

    Attributes:
        tokenizer, max_words: as above.

    Example:

    >>> from vsa_tf.text.vocabulary import Vocabulary
    >>> text_to_ids = TextToIds(Vocabulary.from_sentences([["a", "dog"]]), max_words=3)
    >>> ids, lengths, num_dropped = text_to_ids(tf.constant(["A dog!", "a big dog barks"]))
    >>> ids.numpy().tolist(), lengths.numpy().tolist(), num_dropped.numpy().tolist()
    ([[4, 5, 0], [4, 3, 5]], [2, 3], [0, 1])

    Raises:
        ValueError: for another `tokenizer`, or a `max_words` below 1.
        ImportError: for `wordpiece` where tensorflow-text is not installed.
    """

    def __init__(self, vocabulary, tokenizer="word", max_words=None, fold_letters=True):
        super().__init__()
        check_choice("tokenizer", tokenizer, TOKENIZERS)
        if max_words is not None and max_words < 1:
            raise ValueError(
                f"Expected max_words to be 1 or more, or None. Received: max_words={max_words}"
            )
        self.tokenizer = tokenizer
        self.max_words = max_words
        self._words = GraphWordTokenizer(fold_letters)
        # The table is an attribute so that a SavedModel of this module holds it.
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(vocabulary.tokens), tf.range(len(vocabulary), dtype=tf.int64)
            ),
            default_value=UNK_ID,
        )
        self._pieces = None
        if tokenizer == "wordpiece":
            self._pieces = _wordpiece_tokenizer(self._table, vocabulary.tokens)

    def tokens(self, texts):
        """Returns the tokens themselves, all of them: string `RaggedTensor` `[B, tokens]`.

        Args:
            texts: string `[B]`.
        """
        words = self._words(texts)
        if self._pieces is None:
            return words
        pieces = self._pieces.tokenize(words).merge_dims(1, 2)
        # The operation marks an unknown character inside of a word as a continuation.
        inner_unknown = tf.equal(pieces.flat_values, CONTINUATION + UNK_TOKEN)
        return pieces.with_flat_values(tf.where(inner_unknown, UNK_TOKEN, pieces.flat_values))

    def read(self, texts):
        """Returns the tokens that a model reads of strings, as `TokenStore` keeps them.

        Args:
            texts: string `[B]`.

        Returns:
            `(tokens, num_dropped)`: string `RaggedTensor` `[B, tokens]`, at most `max_words` in a
            row, `UNK_TOKEN` alone where a string has no token; int32 `[B]`, how many more it had.
        """
        tokens = self.tokens(texts)
        num_tokens = tokens.row_lengths()
        is_empty = tf.cast(num_tokens == 0, num_tokens.dtype)
        unknown = tf.fill([tf.reduce_sum(is_empty)], UNK_TOKEN)
        tokens = tf.concat([tokens, tf.RaggedTensor.from_row_lengths(unknown, is_empty)], axis=1)
        if self.max_words is not None:
            tokens = tokens[:, : self.max_words]
        return tokens, tf.cast(tf.maximum(num_tokens - tokens.row_lengths(), 0), tf.int32)

    def known_words(self, texts, is_known=None):
        """Tells the words of strings that the model knows from those that it does not.

        A word is known if it, or any of its pieces, is in the vocabulary.

        Args:
            texts: string `[B]`.
            is_known: takes words, string `[n]`, and says which are known, bool `[n]`, in the place
                of the vocabulary; None: by the vocabulary.

        Returns:
            dict of unknown_words: string `[B, U]`, in their order, empty on the right; and
            num_known_words: int32 `[B]`.
        """
        words = self._words(texts)
        return known_words(words, (is_known or self._is_known)(words.flat_values))

    def _is_known(self, words):
        if self._pieces is None:
            return self._table.lookup(words) != UNK_ID
        pieces = self._pieces.tokenize(words)
        is_piece = tf.logical_not(
            tf.logical_or(pieces == UNK_TOKEN, pieces == CONTINUATION + UNK_TOKEN)
        )
        return tf.reduce_any(is_piece, axis=1)

    def lookup(self, tokens):
        """Returns the ids of tokens, a string `RaggedTensor`: int32, of the same rows."""
        return tf.cast(tf.ragged.map_flat_values(self._table.lookup, tokens), tf.int32)

    def __call__(self, texts):
        """Looks up the tokens of strings.

        Args:
            texts: string `[B]`, read as by `GraphWordTokenizer`.

        Returns:
            `(ids, lengths, num_dropped)`: int32 `[B, W]`, the ids, filled up with `PAD_ID`, where W
            is the longest length; int32 `[B]`, the number of ids of each string, 1 (`UNK_ID`) for
            one without tokens; int32 `[B]`, how many more tokens it had than `max_words`.
        """
        tokens, num_dropped = self.read(texts)
        ids = self.lookup(tokens)
        return ids.to_tensor(PAD_ID), tf.cast(ids.row_lengths(), tf.int32), num_dropped


def known_words(words, is_known):
    """Returns what `TextToIds.known_words` does.

    Args:
        words: string `RaggedTensor` `[B, words]`.
        is_known: bool, of its flat values.
    """
    known = words.with_flat_values(is_known)
    unknown = tf.ragged.boolean_mask(words, tf.logical_not(known))
    return {
        "unknown_words": unknown.to_tensor(""),
        "num_known_words": tf.reduce_sum(tf.cast(known, tf.int32), axis=1),
    }


def _wordpiece_tokenizer(table, tokens):
    try:
        import tensorflow_text
    except ImportError as error:
        raise ImportError(
            "Expected tensorflow-text, which tokenizer='wordpiece' needs, to be installed: "
            f"pip install tensorflow-text, or take tokenizer='word'. Received: {error}"
        ) from error
    longest = max(len(token.removeprefix(CONTINUATION)) for token in tokens)
    return tensorflow_text.WordpieceTokenizer(
        table,
        suffix_indicator=CONTINUATION,
        # Without a bound, longer words would be <unk> as a whole.
        max_bytes_per_word=np.iinfo(np.int32).max,
        max_chars_per_token=longest,
        token_out_type=tf.string,
        unknown_token=UNK_TOKEN,
        split_unknown_characters=True,
    )


def learn_wordpieces(word_counts, vocabulary_size):
    """Chooses the pieces that a `WordpieceTokenizer` shall know.

    Every character of the words is a piece, both at the start and inside of words, so that no
    word made of these characters is ever unknown. The result depends on the counts alone.

    Args:
        word_counts: mapping from the words of the training captions to their counts.
        vocabulary_size: how many pieces at most; about as many come out where the words allow it.

    Returns:
        list of pieces: characters first, then by falling count.

    Raises:
        ValueError: when there is no word, or `vocabulary_size` has no room for the characters.
        ImportError: when tensorflow-text is not installed.

    Reference: Schuster and Nakajima (2012), Japanese and Korean voice search, in the top-down
    form of `tensorflow_text.tools.wordpiece_vocab`.
    """
    alphabet = wordpiece_alphabet(word_counts)
    if not alphabet:
        raise ValueError(f"Expected words to learn pieces from. Received: {word_counts!r}")
    num_distinct = len(alphabet) // 2
    if vocabulary_size < len(alphabet):
        raise ValueError(
            f"Expected vocabulary_size to be {len(alphabet)} or more: the words hold "
            f"{num_distinct} characters. Received: vocabulary_size={vocabulary_size}"
        )
    try:
        from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner
    except ImportError as error:
        raise ImportError(
            "Expected tensorflow-text, which learns wordpieces, to be installed: "
            f"pip install tensorflow-text, or take tokenizer='word'. Received: {error}"
        ) from error
    # The learner searches for the count below which pieces are left out. A character of the
    # captions counts for about one piece, so no higher count leaves enough of them.
    num_characters = sum(len(word) * count for word, count in word_counts.items())
    learnt = learner.learn(
        sorted(word_counts.items()),
        vocab_size=vocabulary_size,
        reserved_tokens=[],
        lower_thresh=None,
        upper_thresh=max(1, num_characters // vocabulary_size),
        max_unique_chars=num_distinct,
        joiner=CONTINUATION,
    )
    # The learner leaves out words of more than 50 characters, and may end above the size.
    pieces = list(dict.fromkeys(alphabet + learnt))
    return pieces[:vocabulary_size]
