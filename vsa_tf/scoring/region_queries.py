"""The regions of a split that answer a snippet of text, or speak loudest."""

from typing import NamedTuple

import numpy as np
from keras import ops

from vsa_tf.errors import VsaTfError

# Images are scored a block at a time, so that float16 or memory-mapped regions stay small.
_BLOCK_FLOATS = 1 << 24


class RegionHit(NamedTuple):
    """A region of a split (row of its image, number within it) and its score."""

    image: int
    region: int
    score: float


def snippet_regions(model, snippets, embedded, data, top_k=10):
    """Finds the best regions of a split for each of some snippets.

    Args:
        model: an `AlignmentModel`, or an `EmbeddingNetwork` of regions and phrases, in whose space
            of rows of length 1 the nearest is that of the largest inner product.
        snippets: list of str.
        embedded: the `EmbeddedSplit` of the model, or its `EmbeddedPairs`.
        data: its `SplitData`.
        top_k: number of regions.

    Returns:
        For each a list of `RegionHit`, best first.

    Raises:
        VsaTfError: a snippet has no words.
    """
    if not snippets:
        return []
    ids = data.text.encode(snippets)
    token_ids = np.zeros((len(ids), max(map(len, ids))), np.int32)
    for snippet, row, own in zip(snippets, token_ids, ids):
        if not own:
            raise VsaTfError(f"--query={snippet!r} has no words")
        row[: len(own)] = own
    batch = {"token_ids": token_ids}
    features = data.text.sentence_features(snippets)
    if features is not None:
        batch["sentence_features"] = features
    # Vectors of each snippet's words [Q, W, H], or of each as a whole [Q, H].
    vectors = ops.convert_to_numpy(model.embed_sentences(batch))
    if vectors.ndim == 2:
        vectors = vectors[:, None]
    return [
        best_regions(words[: len(own)], embedded.regions, embedded.region_mask, top_k)
        for words, own in zip(vectors, ids)
    ]


def best_regions(snippet_words, regions, region_mask=None, top_k=10):
    """The regions of a split with the largest score for a snippet of words.

    The score of a region is the sum over the snippet's words of v_i . s_t, all words going to that
    one region; hits are therefore found with a single product per region.

    Args:
        snippet_words: float `[W, H]`; s_t of the snippet's words, computed within the snippet or
            within the sentence it stands in.
        regions: float `[N, R, H]`; v_i.
        region_mask: bool `[N, R]`, True where a region is real; None if all are.
        top_k: number of hits; fewer if there are fewer regions.

    Returns:
        A list of `RegionHit`, best first; of equal scores the smaller (image, region) first.

    Raises:
        ValueError: if the snippet is empty, shapes do not fit, or a score is NaN.

    Reference: D supplement, section 2.
    """
    snippet_words = np.asarray(snippet_words, np.float32)
    if snippet_words.ndim != 2 or not len(snippet_words):
        raise ValueError(
            "Expected a snippet of at least one word vector [W, H]. "
            f"Received: snippet_words of shape {snippet_words.shape}"
        )
    query = snippet_words.sum(axis=0)
    return _top_regions(lambda block: block @ query, regions, region_mask, top_k, query.size)


def regions_by_magnitude(regions, region_mask=None, top_k=10, largest=True):
    """The regions whose vectors v_i are longest (or shortest): those that matter to the score.

    Args:
        regions: float `[N, R, H]`; v_i.
        region_mask: bool `[N, R]`, True where a region is real; None if all are.
        top_k: number of hits; fewer if there are fewer regions.
        largest: False for the shortest vectors.

    Returns:
        A list of `RegionHit` whose score is |v_i|; of equal ones the smaller (image, region) first.

    Raises:
        ValueError: if shapes do not fit, or a magnitude is NaN.

    Reference: D supplement, section 1.
    """
    sign = 1.0 if largest else -1.0
    hits = _top_regions(
        lambda block: sign * np.sqrt(np.einsum("nrh,nrh->nr", block, block)),
        regions,
        region_mask,
        top_k,
    )
    return [hit._replace(score=sign * hit.score) for hit in hits]


def _top_regions(score_block, regions, region_mask, top_k, width=None):
    if np.ndim(regions) != 3 or width not in (None, np.shape(regions)[2]):
        raise ValueError(
            "Expected regions [N, R, H] as wide as the snippet's words. Received: "
            f"regions of shape {np.shape(regions)}, words of width {width}"
        )
    if region_mask is not None and np.shape(region_mask) != np.shape(regions)[:2]:
        raise ValueError(
            f"Expected a region mask of shape {np.shape(regions)[:2]}. "
            f"Received: region_mask of shape {np.shape(region_mask)}"
        )
    if top_k < 1:
        raise ValueError(f"Expected top_k of 1 or more. Received: top_k={top_k}")
    num_images, num_regions, width = np.shape(regions)
    scores = np.empty((num_images, num_regions), np.float32)
    rows = max(1, _BLOCK_FLOATS // max(1, num_regions * width))
    for start in range(0, num_images, rows):
        scores[start : start + rows] = score_block(
            np.asarray(regions[start : start + rows], np.float32)
        )
    scores = scores.reshape(-1)
    real = (
        np.arange(scores.size)
        if region_mask is None
        else np.flatnonzero(np.asarray(region_mask, bool))
    )
    if np.isnan(scores[real]).any():
        flat = real[np.isnan(scores[real])][0]
        raise ValueError(
            "Expected finite regions and words: the model has diverged. Received: a "
            f"NaN score for image {flat // num_regions}, region {flat % num_regions}"
        )
    order = real[np.argsort(-scores[real], kind="stable")][:top_k]
    return [
        RegionHit(int(flat // num_regions), int(flat % num_regions), float(scores[flat]))
        for flat in order
    ]
