"""The snippets of every sentence of a split, aligned to the regions of its image."""

import keras
import numpy as np

from vsa_tf.decoding.segment_alignment import smooth_alignment, snippet_numbers

_BATCH_SIZE = 256


def aligned_snippets(embedded, image_of_sentence, smoothness):
    """Cuts every sentence of a split into snippets, each aligned to a region of its image.

    Args:
        embedded: the `EmbeddedSplit` of N images and M sentences.
        image_of_sentence: int `[M]`.
        smoothness: beta of the chain, see `smooth_alignment`.

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
        regions = smooth_alignment(scores, lengths, smoothness, mask)
        numbers = keras.ops.convert_to_numpy(snippet_numbers(regions))
        regions = keras.ops.convert_to_numpy(regions)
        row, start = np.nonzero(np.diff(numbers, axis=1, prepend=-1) > 0)
        is_last = np.append(row[1:] != row[:-1], True)
        end = np.where(is_last, lengths[row], np.append(start[1:], 0))
        rows.append(np.stack([sentences[row], regions[row, start], start, end], axis=1))
    rows = np.concatenate([*rows, np.zeros((0, 4))]).astype(np.int64)
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]
