"""The nearest-neighbour captioner: the caption on which similar images agree."""

from typing import NamedTuple

import numpy as np

from vsa_tf.retrieval.consensus_reranking import DEFAULT_NUM_CAPTIONS, consensus_scores


class NearestNeighborCaptions(NamedTuple):
    """A training caption for each of B images.

    Attributes:
        captions: int64 `[B]`; rows of the training captions.
        scores: float64 `[B]`; their consensus scores.
    """

    captions: np.ndarray
    scores: np.ndarray


def nearest_neighbor_captions(neighbors, similarity, num_captions=None):
    """Answers each image with a caption of its nearest training images: nothing is generated.

    Every caption of the k neighbours is a hypothesis, and its consensus score the mean of its m
    largest similarities to the other captions of the neighbours; the best is the answer. A caption
    is not compared with itself. Another caption in the same words is another caption: that two
    people wrote it is consensus.

    Args:
        neighbors: int `[B, k]`, or a list of B int `[k_b]`; the nearest training images of each
            image, as `nearest_images` finds them.
        similarity: a `CaptionSimilarity` of the training captions.
        num_captions: m; None for 125 (CIDEr) or 175 (BLEU). Where the neighbours have no more
            captions, all others count; a single caption is the answer, with score 0.

    Returns:
        `NearestNeighborCaptions`; of equal scores the caption of the nearer image.

    Raises:
        ValueError: if an image has no neighbours, a neighbour is not a training image, or m is
            below 1.

    Reference: Devlin et al., Exploring nearest neighbor approaches for image captioning, 2015.
    """
    if num_captions is None:
        num_captions = DEFAULT_NUM_CAPTIONS[similarity.kind]
    captions = np.zeros(len(neighbors), np.int64)
    scores = np.zeros(len(neighbors))
    for image, images in enumerate(neighbors):
        rows = similarity.captions_of(images)
        similarities = similarity.compare(similarity.training, similarity.training, rows, rows)
        others = similarities[~np.eye(len(rows), dtype=bool)].reshape(len(rows), len(rows) - 1)
        own = consensus_scores(others, num_captions) if len(rows) > 1 else np.zeros(1)
        best = int(np.argmax(own))
        captions[image], scores[image] = rows[best], own[best]
    return NearestNeighborCaptions(captions, scores)
