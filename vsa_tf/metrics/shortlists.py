"""Ranks among a shortlist, and recall against the share that is retrieved."""

from typing import NamedTuple

import numpy as np

# Percent; the far left says most, hence equal steps of the logarithm.
RETRIEVED = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class MatchRanks(NamedTuple):
    """Ranks of all true sentences of the images, in the order of the images.

    Attributes:
        ranks: int64 `[T]`, 1-based, ascending for each image.
        num_candidates: int64 `[T]`; the sentences that each was ranked among, all true ones
            included.
        images: int64 `[T]`; the image of each.
    """

    ranks: np.ndarray
    num_candidates: np.ndarray
    images: np.ndarray

    def best(self):
        """Returns those of the best match of each image that has one, `MatchRanks` `[Q]`."""
        first = np.flatnonzero(np.diff(self.images, prepend=-1))
        return MatchRanks(self.ranks[first], self.num_candidates[first], self.images[first])


def match_ranks(scores, image_of_sentence, shortlists=None):
    """Ranks the true sentences of every image among the sentences of its shortlist.

    Ties with wrong sentences count against us, as in `retrieval_ranks`, which the best ranks are
    where every image is on every shortlist.

    Args:
        scores: float `[N, M]`; similarity of image and sentence, larger is more similar. Those of
            sentences that are on no shortlist are not looked at.
        image_of_sentence: int `[M]`; the row of each sentence's image.
        shortlists: int `[N, k]`; the images whose sentences are an image's candidates. Itself
            always is one. None: all images.

    Returns:
        `MatchRanks`; an image without sentences asks nothing.

    Raises:
        ValueError: on a NaN score that is looked at, or if shapes do not fit.

    Example:

    >>> scores = np.array([[1., 2., 9.], [0., 1., 3.], [0., 0., 0.]])
    >>> match_ranks(scores, [0, 1, 1], [[1], [2], [2]])
    MatchRanks(ranks=array([3, 1, 2]), num_candidates=array([3, 2, 2]), images=array([0, 1, 1]))

    Reference: M section 10.2.
    """
    scores, image_of_sentence = np.asarray(scores), np.asarray(image_of_sentence)
    num_images = len(scores)
    if shortlists is None:
        shortlists = np.broadcast_to(np.arange(num_images), (num_images, num_images))
    shortlists = np.asarray(shortlists)
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
    found = [np.zeros((3, 0), np.int64)]
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
        right = -np.sort(-row[is_right])
        # Each stands behind the wrong ones that score no less, and the true ones before it.
        num_before = np.count_nonzero(row[~is_right] >= right[:, None], axis=1)
        ranks = 1 + num_before + np.arange(len(right))
        found.append(np.stack([ranks, *(np.full_like(ranks, n) for n in (len(row), image))]))
    return MatchRanks(*np.concatenate(found, axis=1))


def recall_curve(ranks, num_candidates):
    """Percent of the queries that are answered within each of the `RETRIEVED` shares.

    A query of rank r among n candidates is answered by the best p percent of them where
    `100 r / n <= p`.

    Args:
        ranks: int `[Q]`; 1-based ranks, of `RetrievalRanks` or of the best of `MatchRanks`.
        num_candidates: int, or int `[Q]`; the items that were ranked for each query.

    Returns:
        A dict of a share as text, percent, to the recall, percent: never decreasing, at last 100.

    Raises:
        ValueError: if there is no query, or a rank is not one among the candidates.

    Example:

    >>> curve = recall_curve([1, 30, 200, 700], 1000)
    >>> curve["0.05"], curve["5"], curve["20"]
    (0.0, 50.0, 75.0)

    Reference: M section 10.2.
    """
    ranks, num_candidates = np.asarray(ranks), np.asarray(num_candidates)
    if num_candidates.shape not in ((), ranks.shape) or ranks.ndim != 1 or not ranks.size:
        raise ValueError(
            "Expected a non-empty vector of ranks, and one number of candidates for all or each. "
            f"Received: ranks of shape {ranks.shape}, num_candidates of shape "
            f"{num_candidates.shape}"
        )
    if ranks.min() < 1 or (ranks > num_candidates).any():
        raise ValueError(
            "Expected ranks from 1 to the number of candidates. Received: ranks from "
            f"{ranks.min()} to {ranks.max()}, num_candidates={num_candidates}"
        )
    # The product is exact and the quotient rounded once, so that 3 of 1000 are within 0.3 percent.
    percent = 100 * ranks / num_candidates
    return {f"{share:g}": 100.0 * float(np.mean(percent <= share)) for share in RETRIEVED}


def match_curve(matches):
    """Mean number of its true sentences that an image finds within each of the `RETRIEVED` shares.

    Args:
        matches: `MatchRanks`, of at least one image.

    Returns:
        A dict of a share as text, percent, to the number: never decreasing, at last that of all
        true sentences of an image.

    Example: of two images' one and two sentences one is the first of three, and one of two.

    >>> scores = np.array([[1., 2., 9.], [0., 1., 3.], [0., 0., 0.]])
    >>> match_curve(match_ranks(scores, [0, 1, 1], [[1], [2], [2]]))["50"]
    0.5

    Reference: M section 10.2.
    """
    percent = 100 * matches.ranks / matches.num_candidates
    num_images = len(np.unique(matches.images))
    return {f"{share:g}": float(np.sum(percent <= share) / num_images) for share in RETRIEVED}
