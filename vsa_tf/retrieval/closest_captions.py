"""The training caption closest to a generated one: what the model may have learnt by heart."""

from typing import NamedTuple

import numpy as np

_BLOCK_BYTES = 128 << 20
# The memory that `CaptionSimilarity.compare` takes at most, in arrays of its result's size.
_ARRAYS = 12


class ClosestCaptions(NamedTuple):
    """The closest training caption of each of H captions.

    Attributes:
        captions: int64 `[H]`; rows of the training captions.
        similarities: float64 `[H]`.
    """

    captions: np.ndarray
    similarities: np.ndarray


def closest_captions(captions, similarity, block_bytes=_BLOCK_BYTES):
    """Finds the training caption most similar to each caption, among all of them.

    Args:
        captions: list of H token lists, compared as hypotheses.
        similarity: a `CaptionSimilarity` of the training captions.
        block_bytes: about the memory taken besides arguments and result. One caption against all
            training captions is the smallest block there is.

    Returns:
        `ClosestCaptions`; of equal similarities the smaller row. Where the similarity is 0 no
        training caption has a word of weight in common, and the row says nothing.

    Raises:
        ValueError: if a caption is not a list of tokens, or `block_bytes` is below 1.

    Example:

    >>> from vsa_tf.metrics.caption_similarity import CaptionSimilarity
    >>> similarity = CaptionSimilarity([["two", "cats"], ["a", "dog", "runs"]], [0, 1], "bleu")
    >>> closest_captions([["the", "dog", "runs"]], similarity).captions
    array([1])
    """
    if block_bytes < 1:
        raise ValueError(f"Expected block_bytes of 1 or more. Received: block_bytes={block_bytes}")
    vectors = similarity.vectors(captions)
    closest = np.zeros(len(captions), np.int64)
    similarities = np.zeros(len(captions))
    bytes_of_row = _ARRAYS * np.dtype(np.float64).itemsize * similarity.num_captions
    block = max(1, block_bytes // bytes_of_row)
    for start in range(0, len(captions), block):
        rows = np.arange(start, min(start + block, len(captions)))
        found = similarity.compare(vectors, similarity.training, rows)
        closest[rows] = found.argmax(axis=1)
        similarities[rows] = found[np.arange(len(rows)), closest[rows]]
    return ClosestCaptions(closest, similarities)
