"""The snippets of every sentence of a split, aligned to the regions of its image."""

import keras
import numpy as np

from vsa_tf.decoding.segment_alignment import batch_segment_alignment

_BATCH_SIZE = 256


def aligned_snippets(embedded, image_of_sentence, smoothness):
    """Cuts every sentence of a split into snippets, each aligned to a region of its image.

    Args:
        embedded: the `EmbeddedSplit` of N images and M sentences.
        image_of_sentence: int `[M]`.
        smoothness: beta of the chain (`segment_alignment`), in shares of the mean over a sentence's
            words of their best score, so that it means the same whatever a model's scores are.

    Returns:
        int `[S, 4]`, a row for each snippet in the order of the sentences: sentence, region, first
        token, and the token after the last.
    """
    rows = []
    order = np.argsort(embedded.lengths, kind="stable")
    for first in range(0, len(order), _BATCH_SIZE):
        sentences = order[first : first + _BATCH_SIZE]
        images, lengths = image_of_sentence[sentences], embedded.lengths[sentences]
        words = np.zeros((len(sentences), lengths.max(), embedded.words.shape[1]), np.float32)
        for row, sentence in enumerate(sentences):
            words[row, : lengths[row]] = embedded.words_of(sentence)
        scores = np.matmul(words, embedded.regions[images].transpose(0, 2, 1))
        mask = embedded.region_mask[images]
        best = np.where(mask[:, None], scores, -np.inf).max(axis=2)
        scale = np.abs(best).sum(axis=1) / lengths
        scores /= np.maximum(scale, 1e-12)[:, None, None]
        regions = keras.ops.convert_to_numpy(
            batch_segment_alignment(scores, lengths, smoothness, mask)
        )
        for sentence, row, length in zip(sentences, regions, lengths):
            bounds = [0, *(np.flatnonzero(np.diff(row[:length])) + 1), length]
            rows += [(sentence, row[a], a, b) for a, b in zip(bounds, bounds[1:])]
    rows = np.array(rows, np.int64).reshape(-1, 4)
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]
