"""The words to which an alignment model listens most and least: average magnitudes of their s_t."""

from typing import NamedTuple

import numpy as np

# The DVSA paper's table shows the 40 smallest and largest; rare words' averages are noise.
_TABLE_SIZE = 40
_LEAST_OCCURRENCES = 5


class WordMagnitude(NamedTuple):
    """A word's id, the mean length of its vectors, and how often it occurred."""

    word_id: int
    magnitude: float
    count: int


class WordMagnitudes:
    """Accumulates the lengths |s_t| of word vectors by vocabulary word.

    Scores are inner products, so a long vector speaks loudly in the score and a short one hardly:
    after training, stop words should come out small.

    Args:
        vocabulary_size: number of word ids.

    Example:

    >>> magnitudes = WordMagnitudes(3)
    >>> magnitudes.add(np.array([[3., 4.], [0., 1.], [0., 3.]]), [0, 2, 2])
    >>> magnitudes.largest(1)
    [WordMagnitude(word_id=0, magnitude=5.0, count=1)]

    Reference: D supplement, section 1.
    """

    def __init__(self, vocabulary_size):
        if vocabulary_size < 1:
            raise ValueError(
                "Expected a vocabulary of at least one word. "
                f"Received: vocabulary_size={vocabulary_size}"
            )
        self.vocabulary_size = vocabulary_size
        self.counts = np.zeros(vocabulary_size, np.int64)
        self._sums = np.zeros(vocabulary_size, np.float64)

    def add(self, vectors, word_ids):
        """Adds a batch of packed words.

        Args:
            vectors: float `[P, H]`; s_t of the real words, no padding.
            word_ids: int `[P]`; their vocabulary ids.

        Raises:
            ValueError: on a mismatch, an id outside the vocabulary, or a value that is not finite.
        """
        vectors, word_ids = np.asarray(vectors), np.asarray(word_ids, np.int64)
        if vectors.ndim != 2 or word_ids.shape != vectors.shape[:1]:
            raise ValueError(
                "Expected packed vectors [words, width] and one id per word. Received: vectors of "
                f"shape {vectors.shape}, word_ids of shape {word_ids.shape}"
            )
        if word_ids.size and not 0 <= word_ids.min() <= word_ids.max() < self.vocabulary_size:
            raise ValueError(
                f"Expected word ids from 0 to {self.vocabulary_size - 1}. "
                f"Received: {word_ids.min()} to {word_ids.max()}"
            )
        lengths = np.sqrt(np.einsum("ph,ph->p", vectors, vectors, dtype=np.float64))
        if not np.isfinite(lengths).all():
            raise ValueError(
                "Expected finite word vectors: the model has diverged. Received: one "
                f"of word id {word_ids[~np.isfinite(lengths)][0]} that is not"
            )
        self.counts += np.bincount(word_ids, minlength=self.vocabulary_size)
        self._sums += np.bincount(word_ids, weights=lengths, minlength=self.vocabulary_size)

    def averages(self):
        """float64 `[vocabulary_size]`: each word's mean length, NaN where it never occurred."""
        return np.divide(
            self._sums,
            self.counts,
            out=np.full(self.vocabulary_size, np.nan),
            where=self.counts > 0,
        )

    def smallest(self, k=_TABLE_SIZE, min_count=1):
        """The `k` words of smallest mean length among those seen at least `min_count` times."""
        return self._ranked(k, min_count, 1.0)

    def largest(self, k=_TABLE_SIZE, min_count=1):
        """The `k` words of largest mean length among those seen at least `min_count` times."""
        return self._ranked(k, min_count, -1.0)

    def _ranked(self, k, min_count, sign):
        averages = self.averages()
        word_ids = np.flatnonzero(self.counts >= max(1, min_count))
        # A stable sort: of equal words the smaller id stands first.
        order = word_ids[np.argsort(sign * averages[word_ids], kind="stable")][:k]
        return [WordMagnitude(int(i), float(averages[i]), int(self.counts[i])) for i in order]


def word_magnitude_table(vectors, word_ids, names):
    """Returns the words of smallest and largest average |s_t| (D supplement, section 1).

    Words that occur fewer than five times are left out.

    Args:
        vectors: float `[P, H]`; s_t of the words of a split, packed.
        word_ids: int `[P]`; their vocabulary ids.
        names: sequence of str, the word of every id.

    Returns:
        A dict of `smallest` and `largest`: lists of at most 40 dicts of `word`, `magnitude` and
        `count`, the most extreme first.

    Example:

    >>> table = word_magnitude_table(np.full((5, 1), 2.0), [1] * 5, ["a", "dog"])
    >>> table["largest"]
    [{'word': 'dog', 'magnitude': 2.0, 'count': 5}]
    """
    magnitudes = WordMagnitudes(len(names))
    magnitudes.add(vectors, word_ids)
    tables = {
        "smallest": magnitudes.smallest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
        "largest": magnitudes.largest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
    }
    return {
        name: [
            {"word": names[row.word_id], "magnitude": row.magnitude, "count": row.count}
            for row in rows
        ]
        for name, rows in tables.items()
    }
