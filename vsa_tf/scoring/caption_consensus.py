"""Consensus with captions of similar images: reranking, nearest-neighbour captions, copies."""

from typing import NamedTuple

import numpy as np

# m of Mao et al., cross-validated on MS COCO with k = 60 neighbours of five captions. Their code's
# BLEU is the F1 of n-grams.
DEFAULT_NUM_CAPTIONS = {"cider": 125, "bleu": 175, "f1": 175}
# Hypotheses are prepared so many images at a time.
_BLOCK_IMAGES = 256
_BLOCK_BYTES = 128 << 20
# The memory that `CaptionSimilarity.compare` takes at most, in arrays of its result's size.
_ARRAYS = 12


class Reranking(NamedTuple):
    """The hypotheses of B images, ranked anew.

    Attributes:
        order: list of B int64 `[n]`; the hypotheses of an image, best first.
        scores: list of B float64 `[n]`; in the order in which the hypotheses were given.
    """

    order: list
    scores: list


def consensus_scores(similarities, num_captions):
    """Mean of the largest similarities of each hypothesis.

    Args:
        similarities: float `[H, R]`; similarity of hypothesis and reference, R at least 1.
        num_captions: m; with fewer references, all count: m = min(m, R).

    Returns:
        float64 `[H]`. Hypotheses with the same similarities in any order have equal scores.

    Raises:
        ValueError: if there is no reference, or m is below 1.

    Example:

    >>> consensus_scores([[1.0, 0.0, 5.0]], num_captions=2)
    array([3.])

    Reference: Devlin et al., Exploring nearest neighbor approaches for image captioning, 2015.
    """
    similarities = np.asarray(similarities, np.float64)
    if similarities.ndim != 2 or not similarities.shape[1] or num_captions < 1:
        raise ValueError(
            "Expected similarities [H, R] to at least one reference, and num_captions of 1 or "
            f"more. Received: similarities of shape {similarities.shape}, "
            f"num_captions={num_captions}"
        )
    # Sorted, not partitioned: the order of summation, and so the rounding, is that of the values.
    return _mean_of_last(np.sort(similarities, axis=1), num_captions)


def _mean_of_last(ranked, num_captions):
    return ranked[:, : -num_captions - 1 : -1].mean(axis=1)


def consensus_reranking(hypotheses, neighbors, similarity, num_captions=None):
    """Ranks each image's hypotheses by consensus with the captions of its nearest training images.

    The consensus score of a hypothesis is the mean of its m largest similarities to the captions
    of the image's k neighbours.

    Args:
        hypotheses: list of B lists of token lists; any number (at least one) for an image.
        neighbors: int `[B, k]`, or a list of B int `[k_b]`; the nearest training images of each
            image, as `nearest_images` finds them.
        similarity: a `CaptionSimilarity` of the training captions.
        num_captions: m; None for 125 (CIDEr) or 175 (BLEU, F1). Where the neighbours have fewer
            captions, all count.

    Returns:
        `Reranking`. Of equal scores the earlier hypothesis stands first: the model's order.

    Raises:
        ValueError: if an image has no hypotheses or no neighbours, a neighbour is not a training
            image, or m is below 1.

    Reference: M section 8.2.
    """
    if num_captions is None:
        num_captions = DEFAULT_NUM_CAPTIONS[similarity.kind]
    return _reranking(_consensus_similarities(hypotheses, neighbors, similarity), num_captions)


def consensus_choices(hypotheses, neighbors, similarity, num_neighbors, num_captions):
    """The hypothesis that consensus chooses, for every k and m: what they are tuned on.

    Args:
        hypotheses, similarity: as of `consensus_reranking`.
        neighbors: int `[B, K]`, or a list of B int `[K_b]`, nearest first.
        num_neighbors: ints; each k. Where there are fewer neighbours, all count.
        num_captions: ints; each m.

    Returns:
        dict of `(k, m)` to int64 `[B]`, the hypothesis of each image that `consensus_reranking`
        with the nearest k and m ranks first.

    Raises:
        ValueError: as `consensus_reranking`.

    Reference: M section 8.2, "We cross-validate the hyperparameters k and m".
    """
    choices = {
        (k, m): np.zeros(len(hypotheses), np.int64) for k in num_neighbors for m in num_captions
    }
    most = max(num_neighbors)
    nearest = [images[:most] for images in neighbors]
    counts = [np.cumsum([len(similarity.captions_of([one])) for one in own]) for own in nearest]
    blocks = _consensus_similarities(hypotheses, nearest, similarity)
    for image, block in enumerate(blocks):
        for k in num_neighbors:
            of_nearest = block[:, : counts[image][min(k, len(counts[image])) - 1]]
            ranked = np.sort(of_nearest, axis=1)
            for m in num_captions:
                choices[k, m][image] = _mean_of_last(ranked, m).argmax()
    return choices


def oracle_reranking(hypotheses, references, similarity):
    """Ranks each image's hypotheses by their mean similarity to the image's own captions.

    The upper bound of what reranking can reach, not a method: it looks at the truth. Document
    frequencies stay those of the training captions. With CIDEr the score is CIDEr-D of the
    hypothesis with all references of the image; with BLEU and F1 it is the mean over them.

    Args:
        hypotheses: list of B lists of token lists; any number (at least one) for an image.
        references: list of B lists of token lists; the true captions, at least one for an image.
        similarity: a `CaptionSimilarity` of the training captions.

    Returns:
        `Reranking`.

    Raises:
        ValueError: if an image has no hypotheses or no references.

    Reference: M section 8.4.
    """
    _check_lengths(hypotheses, references, "true captions")

    def similarities(first, last):
        rows = _row_ranges(hypotheses[first:last] + references[first:last])
        vectors = similarity.vectors(_flat(hypotheses[first:last] + references[first:last]))
        for own, true in zip(rows[: last - first], rows[last - first :], strict=True):
            yield similarity.compare(vectors, vectors, own, true)

    most_references = max((len(captions) for captions in references), default=1)
    return _reranking(_in_blocks(len(hypotheses), similarities), most_references)


def _consensus_similarities(hypotheses, neighbors, similarity):
    """Yields of each image the similarities of its hypotheses with its neighbours' captions."""
    _check_lengths(hypotheses, neighbors, "neighbours")

    def similarities(first, last):
        rows = _row_ranges(hypotheses[first:last])
        vectors = similarity.vectors(_flat(hypotheses[first:last]))
        for own, images in zip(rows, neighbors[first:last], strict=True):
            yield similarity.compare(
                vectors, similarity.training, own, similarity.captions_of(images)
            )

    return _in_blocks(len(hypotheses), similarities)


def _in_blocks(num_images, similarities):
    for first in range(0, num_images, _BLOCK_IMAGES):
        yield from similarities(first, min(first + _BLOCK_IMAGES, num_images))


def _reranking(similarities, num_captions):
    scores = [consensus_scores(block, num_captions) for block in similarities]
    # A stable sort: of equal scores the earlier hypothesis stands first.
    return Reranking([np.argsort(-own, kind="stable") for own in scores], scores)


def _flat(captions_of_image):
    return [caption for captions in captions_of_image for caption in captions]


def _row_ranges(captions_of_image):
    ends = np.cumsum([len(captions) for captions in captions_of_image])
    return [
        np.arange(end - len(captions), end)
        for captions, end in zip(captions_of_image, ends, strict=True)
    ]


def _check_lengths(hypotheses, others, name):
    if len(hypotheses) != len(others):
        raise ValueError(
            f"Expected hypotheses and {name} of the same images. Received: hypotheses "
            f"of {len(hypotheses)} images, {name} of {len(others)}"
        )
    for image, (own, other) in enumerate(zip(hypotheses, others, strict=True)):
        if not len(own) or not len(other):
            raise ValueError(
                f"Expected at least one hypothesis, and {name}, for every image. "
                f"Received: {len(own)} hypotheses and {len(other)} {name} for image "
                f"{image}"
            )


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
        num_captions: m; None for 125 (CIDEr) or 175 (BLEU, F1). Where the neighbours have no more
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
