"""Word vectors from the text files of word2vec, GloVe and fastText."""

import collections
import itertools
import math

from vsa_tf.file_reading import read_lines

# What tells how many numbers a file's vectors have.
_FIRST_LINES = 100


def read_word_vectors(path, vocabulary, size):
    """Reads the vectors of a vocabulary's words.

    The file has a word and `size` numbers a line, separated by spaces; word2vec and fastText have
    a first line of two counts, which is passed over, as empty lines are, and lines whose word is
    white space or no UTF-8. The first of several lines of a word counts.

    Args:
        path: a text file, see `read_lines`; may be much larger than memory.
        vocabulary: a `Vocabulary`.
        size: numbers in a vector.

    Returns:
        A dict of token id to list of float.

    Raises:
        ValueError: a file of vectors of another size, a line without as many numbers, with its
            number, or a file that has none of the words.
    """
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
            if not all(map(math.isfinite, vector)):
                raise ValueError("not finite")
        except ValueError:
            raise ValueError(
                f"Expected {size} numbers after {word!r} in line {number} of {path}. "
                f"Received: {' '.join(fields[-size:])[:60]!r}"
            ) from None
        vectors.setdefault(vocabulary.encode([word])[0], vector)
    if not vectors:
        raise ValueError(f"{path} has none of the vocabulary's {len(vocabulary)} words")
    return vectors


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
