"""Sentences as counts of their words."""

import numpy as np
import scipy.sparse


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
