"""Features of a sentence by its words alone, in any order: tf-idf, and the mean word vector."""

import collections

import numpy as np
from sklearn.utils.extmath import randomized_svd

from vsa_tf.files import read_arrays, write_arrays
from vsa_tf.sentence_features.word_vector_table import (
    WordVectorTable,
    array_to_words,
    word_counts,
    words_to_array,
)

_ROWS = 4096


class TfIdf:
    """`tf(w) idf(w)` for each word w of the training sentences, divided by its Euclidean length.

    `tf(w)` is how often w occurs in the sentence, and `idf(w) = ln((1 + N) / (1 + df(w))) + 1`
    with N training sentences, of which df(w) have the word: scikit-learn's smooth form.

    Args:
        words: V different str.
        idf: float32 `[V]`.
        components: float32 `[V, D]`, orthonormal columns on which features are projected (latent
            semantic analysis), or None.

    Attributes:
        words: tuple of str.
        idf, components: the arguments.
        dimension: V, or D with components.

    Example:

    >>> feature = TfIdf(["a", "dog"], np.float32([1, 2]))
    >>> feature.transform([["a", "a", "a", "dog", "dog"], ["bird"]])
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """

    kind = "tf_idf"

    def __init__(self, words, idf, components=None):
        self.words = tuple(words)
        self.idf = np.asarray(idf, np.float32)
        self.components = components
        self._columns = {word: column for column, word in enumerate(self.words)}

    @classmethod
    def fit(cls, sentences, min_count=1, dimension=None, seed=0):
        """Counts the training sentences.

        Args:
            sentences: sequence of N token lists, of the training split only.
            min_count: words that occur less often are left out.
            dimension: D below V to project on, by a randomised singular value decomposition of
                the training sentences' features; None keeps a number for each word.
            seed: of the decomposition.

        Returns:
            A `TfIdf`, its words in alphabetical order.

        Raises:
            ValueError: when no word is left, or there are not that many dimensions.
        """
        counter = collections.Counter(word for sentence in sentences for word in sentence)
        words = sorted(word for word, count in counter.items() if count >= min_count)
        if not words:
            raise ValueError(
                f"Expected words that occur {min_count} times or more. Received: "
                f"{len(sentences)} sentences without any; set a smaller min_count"
            )
        largest = min(len(words), len(sentences))
        if dimension is not None and not 1 <= dimension <= largest:
            raise ValueError(
                f"Expected a dimension from 1 to {largest}, the smaller of the numbers of words "
                f"and sentences. Received: dimension={dimension}"
            )
        counts = word_counts(sentences, {word: column for column, word in enumerate(words)})
        document_counts = np.bincount(counts.indices, minlength=len(words))
        feature = cls(words, np.log((1 + len(sentences)) / (1 + document_counts)) + 1)
        if dimension is not None:
            _, _, rows = randomized_svd(
                feature._sparse(sentences), dimension, n_iter=4, random_state=seed
            )
            feature.components = np.ascontiguousarray(rows.T, np.float32)
        return feature

    @property
    def dimension(self):
        return len(self.words) if self.components is None else self.components.shape[1]

    def transform(self, sentences):
        """Computes features.

        Args:
            sentences: sequence of M token lists.

        Returns:
            float32 `[M, D]`: rows of length 1 without components, of 1 at most with them; zeros
            for a sentence without any known word.
        """
        features = np.empty([len(sentences), self.dimension], np.float32)
        for start in range(0, len(sentences), _ROWS):
            block = self._sparse(sentences[start : start + _ROWS])
            if self.components is None:
                features[start : start + _ROWS] = block.toarray()
            else:
                features[start : start + _ROWS] = block @ self.components
        return features

    def count_empty(self, sentences):
        """Returns how many sentences have no known word; their features are zeros."""
        return int(np.count_nonzero(np.diff(word_counts(sentences, self._columns).indptr) == 0))

    def save(self, path):
        """Writes one file, which `load` restores to the last bit."""
        arrays = {"words": words_to_array(self.words), "idf": self.idf}
        if self.components is not None:
            arrays["components"] = self.components
        write_arrays(path, self.kind, arrays)

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: there is none.
            ValueError: when it is another file.
        """
        arrays = read_arrays(path, cls.kind)
        return cls(array_to_words(arrays["words"]), arrays["idf"], arrays.get("components"))

    def _sparse(self, sentences):
        """The features before projection, CSR array float32 `[M, V]`."""
        features = word_counts(sentences, self._columns)
        features.data *= self.idf[features.indices]
        lengths = np.sqrt(features.power(2).sum(axis=1))
        features.data /= np.repeat(
            np.where(lengths > 0, lengths, 1.0), np.diff(features.indptr)
        ).astype(np.float32)
        return features


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
