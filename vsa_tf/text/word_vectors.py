"""Word vectors from the text files of word2vec, GloVe and fastText."""

import math


def read_word_vectors(path, vocabulary, size):
    """Reads the vectors of a vocabulary's words.

    The file has a word and `size` numbers a line, separated by spaces; word2vec and fastText have
    a first line of two counts, which is passed over. The first of several lines of a word counts.

    Args:
        path: a UTF-8 text file; may be much larger than memory.
        vocabulary: a `Vocabulary`.
        size: numbers in a vector.

    Returns:
        A dict of token id to list of float.

    Raises:
        ValueError: a line of another size or without numbers, with its number, or a file that has
            none of the words.
    """
    vectors = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip().split(" ")
            if number == 1 and len(fields) == 2:
                continue
            # GloVe has words with spaces in them: the numbers are the last fields.
            word = " ".join(fields[:-size])
            if not word:
                raise ValueError(
                    f"Expected a word and {size} numbers in each line of {path}. Received: "
                    f"{len(fields)} fields in line {number}; set --word_embedding_size to the "
                    "file's size"
                )
            if word not in vocabulary:
                continue
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
