"""Words and their vectors, from text files of others too, and sentences as counts of words."""

import collections
import itertools
import json
import logging
import pathlib

import numpy as np
import scipy.sparse

from vsa_tf.file_reading import read_lines
from vsa_tf.text.tokenizer import CONTINUATION
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary

# What tells how many numbers a file's vectors have.
_FIRST_LINES = 100
_LARGEST = float(np.finfo(np.float32).max)
_WORDLLAMA_SIZE = 256
_WORDLLAMA_LENGTH = 3.0


class WordVectorTable:
    """A table of V words and their vectors of D numbers.

    Args:
        words: sequence of V different str.
        vectors: float `[V, D]`, finite.

    Attributes:
        words: tuple of str.
        vectors: float32 `[V, D]`.
        size: D.

    Raises:
        ValueError: when a word is repeated, shapes do not fit or a number is NaN or infinite.
    """

    def __init__(self, words, vectors):
        self.words = tuple(words)
        self.vectors = np.asarray(vectors, np.float32)
        self._columns = {word: column for column, word in enumerate(self.words)}
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words) or not self.vectors.size:
            raise ValueError(
                "Expected one vector a word, at least one. Received: "
                f"{len(self.words)} words, vectors of shape {self.vectors.shape}"
            )
        if len(self._columns) != len(self.words):
            raise ValueError(
                f"Expected each word once. Received: {len(self.words)} words, "
                f"{len(self._columns)} of them different"
            )
        finite = np.isfinite(self.vectors).all(axis=1)
        if not finite.all():
            raise ValueError(
                "Expected finite word vectors. Received: NaN or infinity in the vector of "
                f"{self.words[int(np.argmin(finite))]!r}"
            )

    @classmethod
    def read(cls, path, words, size):
        """Reads the vectors of a set of words.

        Args:
            path: see `read_word_vectors`.
            words: iterable of str; those that a file does not have are left out. Words of
                training sentences must be among them, others may be.
            size: D, numbers in a vector.

        Returns:
            A `WordVectorTable`, its words in alphabetical order.

        Raises:
            ValueError: a line of another size or without numbers, with its number, or a file that
                has none of the words.
        """
        wanted = sorted(set(words).difference(SPECIAL_TOKENS))
        vocabulary = Vocabulary.from_sentences([wanted])
        vectors = read_word_vectors(path, vocabulary, size)
        ids = sorted(vectors)
        return cls(vocabulary.decode(ids), [vectors[index] for index in ids])

    @property
    def size(self):
        return self.vectors.shape[1]

    def counts(self, sentences):
        """Counts words; those without a vector are passed over.

        Args:
            sentences: sequence of M token lists.

        Returns:
            scipy CSR array, float32 `[M, V]`.
        """
        return word_counts(sentences, self._columns)

    def shares(self, sentences):
        """Returns the CSR array float32 `[M, V]` of `counts`, each row divided by its sum.

        Its product with what belongs to the words is the mean over each sentence's words; a
        sentence without any known word has a row of zeros.
        """
        counts = self.counts(sentences)
        totals = counts.sum(axis=1)
        return scipy.sparse.diags_array(1.0 / np.maximum(totals, 1.0)).astype(np.float32) @ counts

    def count_empty(self, sentences):
        """Returns how many sentences have no word of the table."""
        return int(np.count_nonzero(np.diff(self.counts(sentences).indptr) == 0))


def words_to_array(words):
    """Returns uint8 `[bytes]` of a sequence of str."""
    return np.frombuffer(json.dumps(list(words)).encode("ascii"), np.uint8)


def array_to_words(array):
    """Returns the tuple of str that `words_to_array` got."""
    return tuple(json.loads(array.tobytes().decode("ascii")))


def word_counts(sentences, columns):
    """Counts the words of sentences.

    Args:
        sentences: sequence of M token lists.
        columns: dict of word to column, of V words; other words are passed over.

    Returns:
        scipy CSR array, float32 `[M, V]`, columns ascending in each row.

    Raises:
        ValueError: when a sentence is a str in place of a list of tokens.

    Example:

    >>> word_counts([["a", "dog", "a"], []], {"a": 0, "cat": 1, "dog": 2}).toarray()
    array([[2., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    """
    indices, ends = [], [0]
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str):
            raise ValueError(
                "Expected each sentence to be a list of tokens. "
                f"Received: sentence {number} = {sentence[:60]!r}"
            )
        indices.extend(columns[word] for word in sentence if word in columns)
        ends.append(len(indices))
    counts = scipy.sparse.csr_array(
        (np.ones(len(indices), np.float32), np.array(indices, np.int64), np.array(ends)),
        shape=(len(ends) - 1, len(columns)),
    )
    counts.sum_duplicates()
    return counts


def train_word_vectors(sentences, size=300, min_count=5, num_epochs=15, seed=0):
    """Trains skip-gram vectors with negative sampling on sentences, by gensim.

    One thread trains, and vectors start from `seed` alone: a run gives the same vectors again,
    whatever PYTHONHASHSEED is.

    Args:
        sentences: sequence of token lists, of the training split only.
        size: numbers in a vector.
        min_count: words that occur less often get no vector: theirs would be noise.
        num_epochs: passes over the sentences.
        seed: of the first vectors and of the samples.

    Returns:
        A `WordVectorTable`, words by descending count.

    Raises:
        ModuleNotFoundError: gensim is not installed.
        ValueError: no word occurs `min_count` times.

    Reference: Mikolov, Sutskever, Chen, Corrado, Dean, Distributed representations of words and
    phrases and their compositionality, 2013.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Word vectors are trained by gensim, which is not installed: "
            'pip install "vsa_tf[gensim]", or name a file of word vectors'
        ) from error

    sentences = [list(sentence) for sentence in sentences]
    model = Word2Vec(
        vector_size=size,
        min_count=min_count,
        epochs=num_epochs,
        seed=seed,
        workers=1,
        sg=1,
        window=5,
        negative=5,
        sample=1e-3,
    )
    model.build_vocab(sentences)
    if not len(model.wv):
        raise ValueError(
            f"Expected words that occur {min_count} times or more. Received: "
            f"{len(sentences)} sentences without any; set a smaller min_count"
        )
    model.train(sentences, total_examples=model.corpus_count, epochs=num_epochs)
    return WordVectorTable(model.wv.index_to_key, model.wv.vectors)


def read_word_vectors(path, vocabulary, size):
    """Reads the vectors of a vocabulary's words.

    A file has a word and `size` numbers a line, separated by spaces; word2vec and fastText have
    a first line of two counts, which is passed over, as empty lines are, and lines whose word is
    white space or no UTF-8. The first of several lines of a word counts.

    Args:
        path: a text file, see `read_lines`, which may be much larger than memory; or `wordllama`,
            the package, which has a vector for every word.
        vocabulary: a `Vocabulary`.
        size: numbers in a vector.

    Returns:
        A dict of token id to sequence of float.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: vectors of another size, a line without as many numbers, with its number, or a
            file that has none of the words.
    """
    if path == "wordllama":
        return _wordllama_vectors(vocabulary, size)
    vectors = {}
    _check_size(itertools.islice(read_lines(path, strict=False), _FIRST_LINES), path, size)
    for number, line in enumerate(read_lines(path, strict=False), start=1):
        fields = line.rstrip().split(" ")
        if fields == [""] or (number == 1 and len(fields) == 2):
            continue
        # GloVe has words with spaces in them: the numbers are the last fields.
        word = " ".join(fields[:-size]).strip()
        if word not in vocabulary:
            if len(fields) > size and not _has_too_many(fields[:-size], vocabulary):
                continue
            raise ValueError(
                f"Expected a word and {size} numbers in each line of {path}. Received: "
                f"{len(fields)} fields in line {number}, {line[:40].rstrip()!r}"
            )
        try:
            vector = [float(field) for field in fields[-size:]]
            if not all(abs(each) <= _LARGEST for each in vector):  # nor is NaN
                raise ValueError("not finite in float32")
        except ValueError:
            raise ValueError(
                f"Expected {size} numbers after {word!r} in line {number} of {path}. "
                f"Received: {' '.join(fields[-size:])[:60]!r}"
            ) from None
        vectors.setdefault(vocabulary.encode([word])[0], vector)
    if not vectors:
        raise ValueError(f"{path} has none of the vocabulary's {len(vocabulary)} words")
    return vectors


def _wordllama_vectors(vocabulary, size):
    """Returns of every word the mean of its tokens' vectors, less the mean of all words.

    A vector has the length 3, where those of a table that starts at random end near 1: what it says
    is not undone by the first steps.
    """
    if size != _WORDLLAMA_SIZE:
        raise ValueError(f"wordllama has vectors of {_WORDLLAMA_SIZE} numbers. Received: {size}")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        import wordllama
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'wordllama is not installed: pip install "vsa_tf[wordllama]"'
        ) from error
    finally:
        # It sets up logging for the whole program.
        root.handlers[:] = handlers
        root.setLevel(level)

    # Its folder has weights and tokeniser; without its name it would download the latter.
    folder = pathlib.Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(dim=size, cache_dir=folder, disable_download=True)
    words = [word for word in vocabulary.names if word not in SPECIAL_TOKENS]
    vectors = model.embed([word.removeprefix(CONTINUATION) for word in words])
    vectors = vectors - vectors.mean(axis=0)
    vectors *= _WORDLLAMA_LENGTH / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return dict(zip(vocabulary.encode(words), vectors, strict=True))


def _check_size(lines, path, size):
    """Refuses a file whose first lines have vectors of other sizes alone."""
    rows = [list(filter(None, line.rstrip().split(" "))) for line in lines]
    if rows and len(rows[0]) == 2:
        del rows[0]
    sizes = collections.Counter(len(row) - 1 for row in rows if row and _is_number(row[-1]))
    if sizes and size not in sizes:
        ((found, _),) = sizes.most_common(1)
        raise ValueError(
            f"Expected vectors of {size} numbers. Received: {path}, whose vectors have {found}; "
            f"set --word_embedding_size={found}"
        )


def _has_too_many(fields, vocabulary):
    """Whether what stands before the numbers is a known word and more numbers."""
    words = list(filter(None, fields))
    return bool(words) and words[0] in vocabulary and all(map(_is_number, words[1:]))


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
