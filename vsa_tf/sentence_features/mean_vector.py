"""The mean of a sentence's word vectors."""

import numpy as np

from vsa_tf.files import read_arrays, write_arrays
from vsa_tf.sentence_features.word_vector_table import (
    WordVectorTable,
    array_to_words,
    words_to_array,
)

_ROWS = 4096


class MeanVector:
    """`(1 / n) sum_w vector(w)` over the n words of a sentence that have a vector.

    Args:
        word_vectors: a `WordVectorTable` of D numbers a word.

    Attributes:
        word_vectors: the argument.
        dimension: D.

    Example:

    >>> feature = MeanVector(WordVectorTable(["a", "dog"], [[0.0, 2.0], [4.0, 4.0]]))
    >>> feature.transform([["a", "dog", "barks"], ["bird"]])
    array([[2., 3.],
           [0., 0.]], dtype=float32)
    """

    kind = "mean_vector"

    def __init__(self, word_vectors):
        self.word_vectors = word_vectors

    @classmethod
    def fit(cls, sentences, word_vectors):
        """Checks that the vectors are of the sentences' words; there is nothing to estimate.

        Args:
            sentences: sequence of token lists, of the training split only.
            word_vectors: a `WordVectorTable`.

        Raises:
            ValueError: when no word of the sentences has a vector.
        """
        if not word_vectors.counts(sentences).nnz:
            raise ValueError(
                "Expected words of the training sentences among the word vectors. Received: none "
                f"of {len(word_vectors.words)} words occurs in {len(sentences)} sentences"
            )
        return cls(word_vectors)

    @property
    def words(self):
        """The words that have a vector, tuple of str."""
        return self.word_vectors.words

    @property
    def dimension(self):
        return self.word_vectors.size

    def transform(self, sentences):
        """Computes features.

        Args:
            sentences: sequence of M token lists.

        Returns:
            float32 `[M, D]`; zeros for a sentence without any word that has a vector.
        """
        features = np.empty([len(sentences), self.dimension], np.float32)
        for start in range(0, len(sentences), _ROWS):
            block = sentences[start : start + _ROWS]
            features[start : start + _ROWS] = (
                self.word_vectors.shares(block) @ self.word_vectors.vectors
            )
        return features

    def count_empty(self, sentences):
        """Returns how many sentences have no word with a vector; their features are zeros."""
        return self.word_vectors.count_empty(sentences)

    def save(self, path):
        """Writes one file, which `load` restores to the last bit."""
        write_arrays(
            path,
            self.kind,
            {
                "words": words_to_array(self.word_vectors.words),
                "vectors": self.word_vectors.vectors,
            },
        )

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: there is none.
            ValueError: when it is another file.
        """
        arrays = read_arrays(path, cls.kind)
        return cls(WordVectorTable(array_to_words(arrays["words"]), arrays["vectors"]))
