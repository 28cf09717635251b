"""Numbers for the n-grams of captions, so that captions can be rows of sparse matrices."""

from typing import NamedTuple

import numpy as np

MAX_ORDER = 4

# Two numbers in one sortable key: the first above these bits, the second within them.
_LOW_BITS = 32
_NO_KEY = np.iinfo(np.int64).max


class NgramOccurrences(NamedTuple):
    """All 1- to 4-grams of n captions, O in all, by caption and within it by length.

    Attributes:
        lengths: int64 `[n]`; words of each caption.
        starts: int64 `[4 n + 1]`; the n-grams of length j + 1 of caption i are occurrences
            `starts[4 i + j]` to `starts[4 i + j + 1] - 1`.
        ngrams: int64 `[O]`; number of the n-gram.
        counts: int64 `[O]`; how often this n-gram stands in this caption.
        columns: int64 `[O]`; number of the pair (n-gram, i) where this is the i-th time that the
            n-gram stands in this caption. min(a, b) times an n-gram is in both of two captions with
            a and b of it, and as many columns they share.
    """

    lengths: np.ndarray
    starts: np.ndarray
    ngrams: np.ndarray
    counts: np.ndarray
    columns: np.ndarray


class NgramNumbering:
    """Numbers the 1- to 4-grams of training captions; other captions are numbered alike.

    An n-gram of the training captions has the same number in every call of `occurrences`. One that
    they do not hold is numbered after theirs, and means the same only within one call.

    Nothing is looped over in Python but words; n-grams are sorted and searched in numpy.

    Args:
        captions: list of token lists (lists or tuples of str), the training captions.

    Attributes:
        training: the `NgramOccurrences` of the training captions.

    Raises:
        ValueError: if a caption is not a list of tokens.

    Example:

    >>> numbering = NgramNumbering([["a", "dog", "a", "cat"]])
    >>> numbering.training.counts[:4].tolist()      # a, a, dog, cat: in the order of their numbers
    [2, 2, 1, 1]
    >>> two = numbering.occurrences([["a", "bird"], ["bird"]])
    >>> bool(two.columns[1] == two.columns[3]), two.starts.tolist()
    (True, [0, 2, 3, 3, 3, 4, 4, 4, 4])
    """

    def __init__(self, captions):
        self._words = {}
        for caption in captions:
            for word in _checked(caption):
                self._words.setdefault(word, len(self._words))
        self._known = []

        def learn(level, keys):
            self._known.append(np.append(np.unique(keys), _NO_KEY))
            return _numbers(self._known[level], keys)

        self.training = self._occurrences(captions, learn)

    def occurrences(self, captions):
        """Numbers the n-grams of captions.

        Args:
            captions: list of n token lists. A caption may be empty.

        Returns:
            `NgramOccurrences`.

        Raises:
            ValueError: if a caption is not a list of tokens.
        """
        return self._occurrences(captions, lambda level, keys: _numbers(self._known[level], keys))

    def _occurrences(self, captions, numbered):
        words, lengths = self._word_numbers(captions)
        caption_of_word = np.repeat(np.arange(len(lengths)), lengths)
        words_left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
        grams, row_keys, gram_keys = words, [], []
        for order in range(1, MAX_ORDER + 1):
            first_words = np.flatnonzero(words_left >= order)
            if order > 1:
                # An n-gram is the (n - 1)-gram that begins it, and its last word.
                keys = grams[first_words] << _LOW_BITS | words[first_words + order - 1]
                grams = np.zeros_like(words)
                grams[first_words] = numbered(order - 2, keys)
            row_keys.append(MAX_ORDER * caption_of_word[first_words] + order - 1)
            gram_keys.append(MAX_ORDER * grams[first_words] + order - 1)
        rows, ngrams = np.concatenate(row_keys), np.concatenate(gram_keys)

        together = np.sort(rows << _LOW_BITS | ngrams)
        rows, ngrams = together >> _LOW_BITS, together & (1 << _LOW_BITS) - 1
        group_starts = np.flatnonzero(np.diff(together, prepend=-1))
        counts = np.diff(group_starts, append=len(together))
        times_before = np.arange(len(together)) - np.repeat(group_starts, counts)
        columns = numbered(MAX_ORDER - 1, ngrams << _LOW_BITS | times_before)
        starts = np.searchsorted(rows, np.arange(MAX_ORDER * len(lengths) + 1))
        return NgramOccurrences(lengths, starts, ngrams, np.repeat(counts, counts), columns)

    def _word_numbers(self, captions):
        lengths = np.array([len(_checked(caption)) for caption in captions], np.int64)
        unknown = {}

        def number(word):
            known = self._words.get(word)
            return (
                len(self._words) + unknown.setdefault(word, len(unknown))
                if known is None
                else known
            )

        words = [number(word) for caption in captions for word in caption]
        return np.array(words, np.int64), lengths


def _checked(caption):
    if not isinstance(caption, (list, tuple)):
        raise ValueError(
            "Expected captions as lists of tokens: tokenise them first. "
            f"Received: caption={caption!r} of type {type(caption).__name__}"
        )
    return caption


def _numbers(known, keys):
    """Positions of keys in `known`, sorted and ended by a key larger than all; others after it."""
    numbers = np.searchsorted(known, keys)
    missing = known[numbers] != keys
    numbers[missing] = len(known) + np.unique(keys[missing], return_inverse=True)[1]
    return numbers
