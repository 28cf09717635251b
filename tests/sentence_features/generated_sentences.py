"""Sentences and word vectors with some structure, for tests."""

import numpy as np

from vsa_tf.sentence_features.word_vector_table import WordVectorTable


def generated_sentences(num_sentences=300, num_words=80, seed=0):
    """Returns token lists of 1 to 9 of the words `w0`, `w1` ...; the first words are frequent."""
    rng = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, num_words + 1)
    return [
        [f"w{word}" for word in rng.choice(num_words, rng.integers(1, 10), p=shares / shares.sum())]
        for _ in range(num_sentences)
    ]


def generated_vectors(num_words=80, size=6, seed=0):
    """Returns a `WordVectorTable` of the words of `generated_sentences`, in a few clusters."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(4, size)) * 2
    vectors = centers[rng.integers(0, 4, num_words)] + rng.laplace(size=(num_words, size))
    return WordVectorTable([f"w{word}" for word in range(num_words)], vectors)
