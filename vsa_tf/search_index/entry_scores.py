"""How well entries of an index answer a query, by the score of the model that embedded them."""

import numpy as np

from vsa_tf.models.two_branch.two_branch_loss import SQUARE_OFFSET
from vsa_tf.scoring.blocked_scores import max_sum_scores

# `max_sum`, `max_mean`: of an alignment model, the sum or mean over words of the best region.
# `distance`: minus the Euclidean distance of vectors of length 1, the nearest region's for images
# with regions; the offset is that of `two_branch_loss.pairwise_distances`.
SCORES = ("max_sum", "max_mean", "distance")


def entry_scores(query, entries, score):
    """Scores entries for a query.

    An image is scored for a sentence, and a sentence for an image, as the model does. Two images,
    or two sentences, have no score in an alignment model: there it is the cosine of their
    `Embedded.summaries`.

    Args:
        query: `Embedded` of one image or sentence.
        entries: `Embedded` of N.
        score: one of `SCORES`.

    Returns:
        float32 `[N]`, larger is better.
    """
    if query.kind != entries.kind and (query.has_regions or entries.has_regions):
        scores = _best_region_scores(query, entries, score)
    else:
        mine, theirs = query.summaries()[0], entries.summaries()
        scores = theirs @ mine
        if score != "distance":
            scores /= np.maximum(np.linalg.norm(theirs, axis=1) * np.linalg.norm(mine), 1e-12)
    if score == "distance":
        scores = -np.sqrt(np.maximum(2.0 - 2.0 * scores, 0.0) + np.float32(SQUARE_OFFSET))
    return scores


def best_boxes(query, entries):
    """Returns the box of each image's region that best answers a sentence, float32 `[N, 4]`.

    All words go to one region, as in the signature `localize`.

    Args:
        query: `Embedded` of one sentence.
        entries: `Embedded` of N images with regions.
    """
    phrase = np.asarray(query.vectors, np.float32).sum(axis=0)
    scores = np.asarray(entries.vectors, np.float32) @ phrase
    regions = np.where(entries.region_mask, scores, -np.inf).argmax(axis=1)
    return entries.boxes[np.arange(len(entries)), regions]


def _best_region_scores(query, entries, score):
    images, sentences = (query, entries) if query.has_regions else (entries, query)
    lengths = np.ones(len(sentences), np.int64)
    if sentences.has_words:
        lengths = sentences.counts
    scores = max_sum_scores(
        images.vectors, images.region_mask, sentences.vectors, lengths, score == "max_mean"
    )
    return scores[0] if query.has_regions else scores[:, 0]
