"""Ranks the n best captions of photographs anew, by consensus with those of similar photographs.

    python -m vsa_tf.rerank --hypotheses=FILE --training_captions=FILE --features=FILE \\
        --output=FILE.json [--caption_method=consensus_cider]
    python -m vsa_tf.rerank ... --num_neighbors=tuned --num_candidates=tuned \\
        --tuning_hypotheses=FILE --tuning_references=FILE
    python -m vsa_tf.rerank --hypotheses=FILE --references=FILE --caption_method=oracle_cider \\
        --output=FILE.json

The score of a caption is the mean of its m = --num_candidates largest similarities to the captions
of the photograph's k = --num_neighbors nearest training photographs (M section 8.2). Similarity is
CIDEr-D, smoothed BLEU-4, or f1, the F1 of n-grams that mRNN-CR's code takes for BLEU. An oracle
ranks by the true captions: an upper bound. `tuned` tries numbers on other photographs, and takes
those of the best CIDEr, or for bleu and f1 the best BLEU-4, of the first captions.

Captions are files as vsa_tf.score_captions reads them, mRNN-CR's `.npy` among them. --features is
mRNN-CR's `.npy`, a dict of photographs and vectors, or an `.npz` of `ids` `[N]` and `features`
`[N, D]`; --neighbors, in its place, is JSON of photographs and their nearest training photographs.

--output is COCO's results, `caption` being the best, with all `captions` in their new order, and
their `scores`: vsa_tf.score_captions reads it, and so does this program.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given, refuse_missing
from vsa_tf.file_reading import (
    NOT_AS_EXPECTED,
    is_count,
    read_arrays_of,
    read_json,
    read_objects,
    reason_of,
)
from vsa_tf.files import write_json
from vsa_tf.metrics.caption_files import photograph, read_hypotheses, read_references
from vsa_tf.metrics.caption_scores import CaptionScorer, bleu
from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity
from vsa_tf.scoring.caption_consensus import (
    DEFAULT_NUM_CAPTIONS,
    consensus_choices,
    consensus_reranking,
    oracle_reranking,
)
from vsa_tf.scoring.nearest_images import DEFAULT_NUM_NEIGHBORS, DISTANCES, nearest_images
from vsa_tf.text.ptb_tokenizer import ptb_tokenize

METHODS = tuple(f"{name}_{kind}" for name in ("consensus", "oracle") for kind in KINDS)
TUNED = "tuned"
# What is tried where these are tuned.
_NUM_NEIGHBORS = (5, 10, 20, 40, 60, 80, 100)
_NUM_CANDIDATES = (1, 5, 10, 25, 50, 75, 100, 125, 150, 175, 200, 250)


def define_flags():
    """Defines the program's flags."""
    captions = "as vsa_tf.score_captions reads it"
    flags.DEFINE_string("hypotheses", "", f"File of n best captions, {captions}.")
    flags.DEFINE_string("output", "", "JSON file of the captions in their new order.")
    flags.DEFINE_enum("caption_method", "consensus_cider", METHODS, "What ranks them.")
    flags.DEFINE_multi_string("training_captions", [], "File of the neighbours' captions.")
    flags.DEFINE_string("features", "", "File of the photographs' vectors, training and other.")
    flags.DEFINE_string("neighbors", "", "JSON file of training photographs, nearest first.")
    flags.DEFINE_enum("neighbor_distance", "cosine", DISTANCES, "Of features.")
    flags.DEFINE_string("num_neighbors", str(DEFAULT_NUM_NEIGHBORS), "k, or tuned.")
    flags.DEFINE_string("num_candidates", None, "m, or tuned. [125; 175 of bleu and f1]")
    flags.DEFINE_string("tuning_hypotheses", "", "As hypotheses, to tune k and m on.")
    flags.DEFINE_multi_string("tuning_references", [], "What people wrote of those.")
    flags.DEFINE_multi_string("references", [], "What people wrote, for an oracle.")
    flags.DEFINE_string("key", None, "As of vsa_tf.score_captions.")


def main():
    values = flags.FLAGS
    check_given(values, hypotheses="a file of n best captions", output="the JSON file to write")
    name, _, kind = values.caption_method.partition("_")
    of_truth = name == "oracle"
    k, m = (_number(name) for name in ("num_neighbors", "num_candidates"))
    is_tuned = not of_truth and TUNED in (k, m)
    needed = {"references": of_truth, "training_captions": not of_truth}
    needed |= {"tuning_hypotheses": is_tuned, "tuning_references": is_tuned}
    refuse_missing(
        {
            f"--{flag}": (values[flag].value, f"--caption_method={values.caption_method} needs it")
            for flag, is_needed in needed.items()
            if is_needed
        }
    )
    folder = pathlib.Path(values.output).parent
    if not folder.is_dir():
        raise VsaTfError(f"--output={values.output}: there is no such directory {folder}")
    hypotheses = read_hypotheses(values.hypotheses, key=values.key)
    training = _read_references("training_captions")
    if of_truth:
        references = _read_references("references")
        similarity = similarity_of(training or references, kind)
        reranked = rerank_by_truth(hypotheses, references, similarity)
    else:
        tuning = None
        if is_tuned:
            path = values.tuning_hypotheses
            tuning = (
                read_hypotheses(path, "tuning_hypotheses", values.key),
                _read_references("tuning_references"),
            )
        for others, what in ((hypotheses, "hypotheses"), (tuning and tuning[0], "tuning")):
            seen = [image for image in others or () if image in training]
            if seen:
                program.print_warning(
                    f"{len(seen)} photographs of --{what} are training photographs, too, and find "
                    f"their own captions: {seen[0]}, ..."
                )
        given = Training(
            training,
            kind,
            features=read_features(values.features) if values.features else None,
            neighbors=_read_neighbors(values.neighbors) if values.neighbors else None,
            distance=values.neighbor_distance,
            say=program.print_warning,
        )
        reranked = rerank(hypotheses, given, k, m, tuning)
    entries = [
        {"image_id": image, "caption": own[0], "captions": own, "scores": reranked.scores[image]}
        for image, own in reranked.captions.items()
    ]
    write_json(values.output, entries)
    changed = sum(own[0] != hypotheses[image][0] for image, own in reranked.captions.items())
    line = f"{len(entries)} photographs, of which {changed} have another first caption"
    if not of_truth:
        line += f"; k = {reranked.num_neighbors}, m = {reranked.num_candidates}"
    if is_tuned:
        score = "CIDEr" if kind == "cider" else "Bleu_4"
        line += f", which reach {score} {reranked.tuned_to:.4f} on --tuning_hypotheses"
    program.print_line(line)


def _number(name):
    """Returns k or m as a flag gives it: an int, `TUNED` or None."""
    text = flags.FLAGS[name].value
    return _checked(name, int(text) if text is not None and is_count(text) else text)


def _checked(name, number):
    is_number = isinstance(number, int) and number > 0
    if not is_number and number is not None and number != TUNED:
        raise VsaTfError(f"Expected --{name} of 1 or more, or {TUNED}. Received: {number}")
    return number


def _read_references(name):
    values = flags.FLAGS
    return read_references(values[name].value, name, values.key) if values[name].value else None


def read_features(path):
    """Returns the vectors of photographs, a dict; raises VsaTfError for a file of another form."""
    try:
        if path.endswith(".npy"):
            found = read_objects(path).items()
        else:
            arrays = read_arrays_of(path, ["ids", "features"])
            found = zip(arrays["ids"].tolist(), arrays["features"], strict=True)
        return {photograph(image): np.asarray(vector, np.float64) for image, vector in found}
    except OSError as error:
        raise VsaTfError(f"--features={path}: {error.strerror}") from error
    except NOT_AS_EXPECTED as error:
        raise VsaTfError(
            f"Expected --features={path} to hold a dict of photographs and vectors (.npy), or ids "
            f"and features (.npz). Received: {reason_of(error)}"
        ) from error


def _read_neighbors(path):
    try:
        return {
            photograph(image): [photograph(each) for each in nearest]
            for image, nearest in read_json(path).items()
        }
    except OSError as error:
        raise VsaTfError(f"--neighbors={path}: {error.strerror}") from error
    except NOT_AS_EXPECTED as error:
        raise VsaTfError(
            f"Expected --neighbors={path} to hold an object of photographs and lists of training "
            f"photographs. Received: {reason_of(error)}"
        ) from error


class Reranked(NamedTuple):
    """Captions in their new order.

    Attributes:
        captions: dict of photograph to its captions, list of str, the best first.
        scores: dict of photograph to their scores, list of float.
        num_neighbors, num_candidates: k and m; None for an oracle.
        tuned_to: CIDEr or BLEU-4 of the first captions where k or m was tuned; else None.
    """

    captions: dict
    scores: dict
    num_neighbors: int | None = None
    num_candidates: int | None = None
    tuned_to: float | None = None


class Training:
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
        self, captions, kind, features=None, neighbors=None, distance="cosine", say=program.silent
    ):
        if (features is None) == (neighbors is None):
            raise VsaTfError("Expected one of --features and --neighbors")
        held = captions if features is None else [name for name in captions if name in features]
        left_out = len(captions) - len(held)
        if not held:
            raise VsaTfError("Expected --features of training photographs. Received: of none")
        if left_out:
            first = next(name for name in captions if name not in features)
            say(f"{left_out} training photographs without features are left out: {first}, ...")
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
        _check_all(images, given, f"--{name}")
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
        training: `Training`.
        num_neighbors: k; None: 60; `TUNED`: chosen on `tuning`.
        num_candidates: m; None: 125, or 175 for BLEU and F1; `TUNED`.
        tuning: `(hypotheses, references)` of other photographs, dicts.

    Returns:
        `Reranked`. Of equal scores the earlier caption stands first.

    Raises:
        VsaTfError: something is to be tuned on nothing, or a photograph lacks captions, features or
            references.
    """
    _check_captions(hypotheses, "hypotheses")
    kind = training.similarity.kind
    best = None
    k = _checked("num_neighbors", num_neighbors) or DEFAULT_NUM_NEIGHBORS
    m = _checked("num_candidates", num_candidates) or DEFAULT_NUM_CAPTIONS[kind]
    if TUNED in (k, m):
        if tuning is None:
            raise VsaTfError(
                "What is tuned needs --tuning_hypotheses and --tuning_references, of other "
                "photographs than --hypotheses"
            )
        grid = _NUM_NEIGHBORS if k == TUNED else (k,), _NUM_CANDIDATES if m == TUNED else (m,)
        (k, m), best = _tune(*tuning, training, *grid)
    neighbors = training.nearest(list(hypotheses), k)
    ranking = consensus_reranking(_tokens(hypotheses), neighbors, training.similarity, m)
    return Reranked(*_ordered(hypotheses, ranking), k, m, best)


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
    empty = [str(image) for image, own in captions.items() if not own]
    if empty or not captions:
        raise VsaTfError(
            f"Expected one or more captions of each photograph in --{argument}. Received: none of "
            f"{len(empty)} photographs: {', '.join(empty[:5])}"
        )


def _check_all(images, given, name):
    missing = [str(image) for image in images if image not in given]
    if missing:
        raise VsaTfError(
            f"Expected {name} of all photographs. Received: none of {len(missing)}: "
            f"{', '.join(missing[:5])}"
        )


def _stacked(vectors):
    if len({np.shape(vector) for vector in vectors}) != 1 or np.ndim(vectors[0]) != 1:
        shapes = sorted({str(np.shape(vector)) for vector in vectors})
        raise VsaTfError(f"Expected --features of one width. Received: {', '.join(shapes)}")
    return np.stack(vectors)


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
