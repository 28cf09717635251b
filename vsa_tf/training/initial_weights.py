"""Weights that a model starts from, where they are not random."""

import numpy as np

from vsa_tf.program import ProgramError
from vsa_tf.text.vocabulary import PAD_ID, START_ID
from vsa_tf.text.word_vectors import read_word_vectors


def set_initial_weights(model, vocabulary, settings):
    """Sets word vectors from a file and the softmax bias, as the settings say.

    Args:
        model: a built model.
        vocabulary: its `Vocabulary`.
        settings: its `NetworkSettings`.

    Raises:
        ProgramError: the file of word vectors does not fit.
    """
    if settings.word_vectors and not settings.reads_sentence_features:
        _assign_word_vectors(model.word_table.embeddings, vocabulary, settings.word_vectors)
    if getattr(settings, "initialize_bias", False):
        model.softmax.bias.assign(log_frequencies(vocabulary))


def log_frequencies(vocabulary):
    """Returns the logarithm of each token's share of the training captions (D section 5).

    Tokens that never follow another, PAD and START, get that of a token seen half a time.

    Args:
        vocabulary: a `Vocabulary`.

    Returns:
        float32 `[V]`.
    """
    counts = np.array(vocabulary.counts, np.float64)
    counts[[PAD_ID, START_ID]] = 0.0
    return np.log(np.maximum(counts, 0.5) / counts.sum()).astype(np.float32)


def _assign_word_vectors(table, vocabulary, path):
    values = np.array(table.value)
    try:
        found = read_word_vectors(path, vocabulary, values.shape[1])
    except ValueError as error:
        raise ProgramError(f"--word_vectors: {error}") from error
    for index, vector in found.items():
        values[index] = vector
    table.assign(values)
    print(f"{len(found)} of {len(vocabulary)} words have a vector in {path}", flush=True)
