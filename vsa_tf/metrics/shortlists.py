"""Ranks of an image's sentences among those of a few images alone."""

from typing import NamedTuple

import numpy as np


class ShortlistRanks(NamedTuple):
    """Ranks of the images that have a sentence, in the order of the images.

    Attributes:
        ranks: int64 `[Q]`, 1-based.
        num_candidates: int64 `[Q]`; the sentences that each image's were ranked among, its own
            included.
    """

    ranks: np.ndarray
    num_candidates: np.ndarray


def shortlist_ranks(scores, image_of_sentence, shortlists):
    """Ranks the best true sentence of every image among the sentences of its shortlist.

    Ties count against us, as in `retrieval_ranks`, which this is where every image is on every
    shortlist.

    Args:
        scores: float `[N, M]`; similarity of image and sentence, larger is more similar. Those of
            sentences that are on no shortlist are not looked at.
        image_of_sentence: int `[M]`; the row of each sentence's image.
        shortlists: int `[N, k]`; the images whose sentences are an image's candidates. Itself
            always is one.

    Returns:
        `ShortlistRanks`; an image without sentences asks nothing.

    Raises:
        ValueError: on a NaN score that is looked at, or if shapes do not fit.

    Example:

    >>> scores = np.array([[1., 2., 9.], [0., 1., 3.], [0., 0., 0.]])
    >>> shortlist_ranks(scores, [0, 1, 2], [[1], [2], [2]])
    ShortlistRanks(ranks=array([2, 2, 1]), num_candidates=array([2, 2, 1]))

    Reference: Mao et al., Deep Captioning with m-RNN, 2015, section 10.2.
    """
    scores, shortlists = np.asarray(scores), np.asarray(shortlists)
    image_of_sentence = np.asarray(image_of_sentence)
    num_images = len(scores)
    if (
        scores.shape != (num_images, len(image_of_sentence))
        or shortlists.ndim != 2
        or (len(shortlists) != num_images)
    ):
        raise ValueError(
            "Expected scores [images, sentences], one image index a sentence and a shortlist an "
            f"image. Received: scores of shape {scores.shape}, image_of_sentence of shape "
            f"{image_of_sentence.shape}, shortlists of shape {shortlists.shape}"
        )
    ranks, num_candidates = [], []
    for image, shortlist in enumerate(shortlists):
        is_listed = np.zeros(num_images, bool)
        is_listed[shortlist] = is_listed[image] = True
        candidates = np.flatnonzero(is_listed[image_of_sentence])
        is_right = image_of_sentence[candidates] == image
        if not is_right.any():
            continue
        row = scores[image, candidates]
        if np.isnan(row).any():
            raise ValueError(
                "Expected scores without NaN: the model has diverged or a feature is not finite. "
                f"Received: scores[{image}, {candidates[np.isnan(row)][0]}]=nan"
            )
        best = row[is_right].max()
        ranks.append(1 + np.count_nonzero(row[~is_right] >= best))
        num_candidates.append(len(candidates))
    return ShortlistRanks(np.array(ranks, np.int64), np.array(num_candidates, np.int64))
