"""Captions of others, by photograph, ranked anew: by consensus, or by the truth (M section 8)."""

from typing import NamedTuple

import numpy as np

from vsa_tf.errors import VsaTfError, counted, listed
from vsa_tf.metrics.caption_scores import CaptionScorer, bleu
from vsa_tf.metrics.caption_similarity import CaptionSimilarity
from vsa_tf.program import silent
from vsa_tf.scoring.caption_consensus import (
    DEFAULT_NUM_CAPTIONS,
    consensus_choices,
    consensus_reranking,
    oracle_reranking,
)
from vsa_tf.scoring.nearest_images import DEFAULT_NUM_NEIGHBORS, nearest_images
from vsa_tf.text.ptb_tokenizer import ptb_tokenize

TUNED = "tuned"
_SEVERAL_FEATURES = (
    "Vectors are of training photographs and of the others: --features repeated gives several files"
)
# What is tried where k and m are tuned.
_NUM_NEIGHBORS = (5, 10, 20, 40, 60, 80, 100)
_NUM_CANDIDATES = (1, 5, 10, 25, 50, 75, 100, 125, 150, 175, 200, 250)


class Reranked(NamedTuple):
    """Captions in their new order.

    Attributes:
        captions: dict of photograph to its captions, list of str, the best first.
        scores: dict of photograph to their scores, list of float.
        num_neighbors, num_candidates: k and m, or the most neighbours and captions of these that a
            photograph has, if fewer; None for an oracle.
        tuned_to: CIDEr or BLEU-4 of the first captions where k or m was tuned; else None.
    """

    captions: dict
    scores: dict
    num_neighbors: int | None = None
    num_candidates: int | None = None
    tuned_to: float | None = None


class TrainingCaptions:
    """Training captions, prepared, and how photographs find their neighbours among them.

    Args:
        captions: dict of training photograph to its captions, list of str.
        kind: of `CaptionSimilarity`.
        features: dict of photograph, training and other, to its vector; or None.
        neighbors: dict of photograph to its training photographs, nearest first; or None.
        distance: of the features, as of `nearest_images`.
        say: called with a line of what is left out.

    Raises:
        VsaTfError: neither or both are given, or no training photograph has features.
    """

    def __init__(
        self, captions, kind, features=None, neighbors=None, distance="cosine", say=silent
    ):
        if (features is None) == (neighbors is None):
            raise VsaTfError("Expected one of --features and --neighbors")
        check_finite(features or {}, "--features")
        held = captions if features is None else [name for name in captions if name in features]
        left_out = [] if features is None else [name for name in captions if name not in features]
        if not held:
            has, wants = (", ".join(map(str, list(ids)[:3])) for ids in (features or (), captions))
            raise VsaTfError(
                f"Expected --features of training photographs. Received: of {has or 'none'}, and "
                f"captions of {wants or 'none'}. {_SEVERAL_FEATURES}"
            )
        if left_out:
            count = counted(left_out, "training photograph")
            say(f"left out {count} without features: {listed(left_out)}")
        self._rows = {name: row for row, name in enumerate(held)}
        self._features, self._neighbors, self._distance = features, neighbors, distance
        self.similarity = similarity_of({name: captions[name] for name in held}, kind)

    def nearest(self, images, num_neighbors):
        """Returns the rows of the nearest training photographs, a list of int `[k]`.

        Args:
            images: list of photographs.
            num_neighbors: k at most.

        Raises:
            VsaTfError: a photograph has no features or neighbours, or an unknown neighbour.
        """
        given = self._neighbors if self._features is None else self._features
        name = "neighbors" if self._features is None else "features"
        then = "" if self._features is None else f". {_SEVERAL_FEATURES}"
        _check_all(images, given, f"--{name}", then)
        if self._features is None:
            return [self._known(image)[:num_neighbors] for image in images]
        queries, training = (
            _stacked([self._features[image] for image in of]) for of in (images, self._rows)
        )
        try:
            return list(nearest_images(queries, training, num_neighbors, self._distance).images)
        except ValueError as error:
            raise VsaTfError.of(error) from error

    def _known(self, image):
        unknown = [name for name in self._neighbors[image] if name not in self._rows]
        if unknown or not self._neighbors[image]:
            raise VsaTfError(
                f"Expected neighbours of {image} among the training photographs, one or more. "
                f"Received: {', '.join(map(str, unknown[:5])) or 'none'}"
            )
        return np.array([self._rows[name] for name in self._neighbors[image]])


def check_finite(features, name):
    """Refuses a dict of photographs and vectors of which one has NaN or infinity.

    Args:
        features: the dict.
        name: what messages call it.

    Raises:
        VsaTfError: names the first such photograph.
    """
    damaged = [image for image, own in features.items() if not np.isfinite(own).all()]
    if damaged:
        raise VsaTfError(
            f"Expected finite vectors in {name}. Received: NaN or infinity in "
            f"{counted(damaged, 'photograph')}: {listed(damaged)}"
        )


def similarity_of(captions, kind):
    """Returns the `CaptionSimilarity` of a dict of photographs to captions, in its order."""
    image_of_caption = [row for row, own in enumerate(captions.values()) for _ in own]
    tokens = [ptb_tokenize(caption) for own in captions.values() for caption in own]
    try:
        return CaptionSimilarity(tokens, np.array(image_of_caption, np.int64), kind)
    except ValueError as error:
        raise VsaTfError.of(error) from error


def rerank(hypotheses, training, num_neighbors=None, num_candidates=None, tuning=None):
    """Ranks captions by consensus with those of similar photographs.

    Args:
        hypotheses: dict of photograph to its captions, list of str, the best first.
        training: `TrainingCaptions`.
        num_neighbors: k; None: 60; `TUNED`: chosen on `tuning`.
        num_candidates: m; None: 125, or 175 for BLEU and F1; `TUNED`.
        tuning: `(hypotheses, references)` of other photographs, dicts.

    Returns:
        `Reranked`. Of equal scores the earlier caption stands first.

    Raises:
        VsaTfError: something is to be tuned on nothing or on these photographs, or a photograph
            lacks captions, features or references.
    """
    _check_captions(hypotheses, "hypotheses")
    kind = training.similarity.kind
    best = None
    k = checked_number("num_neighbors", num_neighbors) or DEFAULT_NUM_NEIGHBORS
    m = checked_number("num_candidates", num_candidates) or DEFAULT_NUM_CAPTIONS[kind]
    if TUNED in (k, m):
        if tuning is None:
            raise VsaTfError(
                "What is tuned needs --tuning_hypotheses and --tuning_references, of other "
                "photographs than --hypotheses"
            )
        check_tuning(tuning[0], hypotheses)
        grid = _NUM_NEIGHBORS if k == TUNED else (k,), _NUM_CANDIDATES if m == TUNED else (m,)
        (k, m), best = _tune(*tuning, training, *grid)
    neighbors = training.nearest(list(hypotheses), k)
    ranking = consensus_reranking(_tokens(hypotheses), neighbors, training.similarity, m)
    k = min(k, max(map(len, neighbors)))
    m = min(m, max(len(training.similarity.captions_of(rows)) for rows in neighbors))
    return Reranked(*_ordered(hypotheses, ranking), k, m, best)


def check_tuning(tuning, hypotheses):
    """Refuses to tune on photographs that are ranked; both are dicts as of `rerank`."""
    both = [image for image in tuning if image in hypotheses]
    if both:
        raise VsaTfError(
            "Expected --tuning_hypotheses of other photographs than --hypotheses. Received: "
            f"{len(both)} of both: {listed(both)}"
        )


def rerank_by_truth(hypotheses, references, similarity):
    """Ranks captions by their mean similarity to the true ones: an upper bound, `Reranked`.

    Args:
        hypotheses: as of `rerank`.
        references: dict of photograph to its true captions, of these photographs and any others.
        similarity: `CaptionSimilarity` that weighs words.
    """
    _check_captions(hypotheses, "hypotheses")
    _check_all(hypotheses, references, "--references")
    true = _tokens({image: references[image] for image in hypotheses})
    return Reranked(*_ordered(hypotheses, oracle_reranking(_tokens(hypotheses), true, similarity)))


def _tune(hypotheses, references, training, num_neighbors, num_candidates):
    """Returns the `(k, m)` of the best first captions, the smallest of equals, and its score."""
    _check_captions(hypotheses, "tuning_hypotheses")
    _check_all(hypotheses, references, "--tuning_references")
    neighbors = training.nearest(list(hypotheses), max(num_neighbors))
    choices = consensus_choices(
        _tokens(hypotheses), neighbors, training.similarity, num_neighbors, num_candidates
    )
    scorer = CaptionScorer([references[image] for image in hypotheses])
    # The first hypotheses of all, then the second: a photograph with fewer repeats its last.
    ranks = range(max(map(len, hypotheses.values())))
    of_rank = [
        scorer.statistics([own[min(rank, len(own) - 1)] for own in hypotheses.values()], False)
        for rank in ranks
    ]
    images = np.arange(len(hypotheses))
    if training.similarity.kind == "cider":
        ciders = np.array([found.images["CIDEr"] for found in of_rank])
        scores = {each: ciders[chosen, images].mean() for each, chosen in choices.items()}
    else:
        counts = np.array([found.bleu_counts for found in of_rank])
        scores = {
            each: bleu(counts[chosen, images].sum(axis=0))[-1] for each, chosen in choices.items()
        }
    best = max(scores, key=scores.get)
    return best, float(scores[best])


def _tokens(captions):
    return [[ptb_tokenize(caption) for caption in own] for own in captions.values()]


def _ordered(hypotheses, ranking):
    captions, scores = {}, {}
    for (image, own), order, of_own in zip(hypotheses.items(), *ranking, strict=True):
        captions[image] = [own[index] for index in order]
        scores[image] = of_own[order].tolist()
    return captions, scores


def _check_captions(captions, argument):
    empty = [image for image, own in captions.items() if not own]
    if empty or not captions:
        raise VsaTfError(
            f"Expected one or more captions of each photograph in --{argument}. Received: none of "
            f"{counted(empty, 'photograph')}: {listed(empty)}"
        )


def _check_all(images, given, name, then=""):
    missing = [image for image in images if image not in given]
    if missing:
        raise VsaTfError(
            f"Expected {name} of all photographs. Received: none of {len(missing)}: "
            f"{listed(missing)}{then}"
        )


def _stacked(vectors):
    if len({np.shape(vector) for vector in vectors}) != 1 or np.ndim(vectors[0]) != 1:
        shapes = sorted({str(np.shape(vector)) for vector in vectors})
        raise VsaTfError(f"Expected --features of one width. Received: {', '.join(shapes)}")
    return np.stack(vectors)


def checked_number(name, number):
    """Returns k or m where it is a number of 1 or more, `TUNED` or None; else raises VsaTfError."""
    is_number = isinstance(number, int) and number > 0
    if not is_number and number is not None and number != TUNED:
        raise VsaTfError(f"Expected --{name} of 1 or more, or {TUNED}. Received: {number}")
    return number
