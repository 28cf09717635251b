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
mRNN-CR's `.npy`, a dict of photographs and vectors, an `.npz` of `ids` `[N]` and `features`
`[N, D]`, or a directory of vsa_tf.embed, whose photographs go by the names of their files;
repeated, as that writes a split at a time, it is all of these. --neighbors, in its place, is JSON
of photographs and their nearest training photographs.

--output is COCO's results, `caption` being the best, with all `captions` in their new order, and
their `scores`: vsa_tf.score_captions reads it, and so does this program.
"""

import os
import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given, counted, listed, refuse_missing
from vsa_tf.file_reading import is_count
from vsa_tf.files import write_json
from vsa_tf.metrics.caption_files import (
    by_photograph,
    read_hypotheses,
    read_neighbors,
    read_references,
    read_vectors,
)
from vsa_tf.metrics.caption_similarity import KINDS
from vsa_tf.scoring.caption_reranking import (
    TUNED,
    TrainingCaptions,
    check_finite,
    check_tuning,
    checked_number,
    rerank,
    rerank_by_truth,
    similarity_of,
)
from vsa_tf.scoring.nearest_images import DEFAULT_NUM_NEIGHBORS, DISTANCES
from vsa_tf.search_index.embedding_folder import read_embeddings
from vsa_tf.search_index.model_probe import same_model

METHODS = tuple(f"{name}_{kind}" for name in ("consensus", "oracle") for kind in KINDS)
_OF_NEIGHBORS = ("features", "neighbors", "neighbor_distance", "num_neighbors", "num_candidates")
_OF_TUNING = ("tuning_hypotheses", "tuning_references")


def define_flags():
    """Defines the program's flags."""
    captions = "as vsa_tf.score_captions reads it"
    flags.DEFINE_string("hypotheses", "", f"File of n best captions, {captions}.")
    flags.DEFINE_string("output", "", "JSON file of the captions in their new order.")
    flags.DEFINE_enum("caption_method", "consensus_cider", METHODS, "What ranks them.")
    flags.DEFINE_multi_string("training_captions", [], "File of the neighbours' captions.")
    flags.DEFINE_multi_string(
        "features", [], "Vectors of the photographs, training and other; repeatable."
    )
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
    unread = (*_OF_NEIGHBORS, *_OF_TUNING) if of_truth else ("references",)
    _refuse_unread(unread, f"--caption_method={values.caption_method}")
    if not is_tuned:
        _refuse_unread(_OF_TUNING, f"What is not {TUNED}")
    if values.neighbors:
        _refuse_unread(("neighbor_distance",), "--neighbors")
    needed = {"references": of_truth, "training_captions": not of_truth}
    needed |= dict.fromkeys(_OF_TUNING, is_tuned)
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
            others = read_hypotheses(path, "tuning_hypotheses", values.key)
            check_tuning(others, hypotheses)
            tuning = others, _read_references("tuning_references")
        ranked = {"hypotheses": hypotheses, "tuning_hypotheses": tuning[0] if tuning else ()}
        for what, images in ranked.items():
            seen = [image for image in images if image in training]
            if seen:
                program.print_warning(
                    f"--{what} have {counted(seen, 'training photograph')}, whose own captions are "
                    f"found: {listed(seen)}"
                )
        given = TrainingCaptions(
            training,
            kind,
            features=read_features(values.features) if values.features else None,
            neighbors=read_neighbors(values.neighbors) if values.neighbors else None,
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
    line = f"{counted(entries, 'photograph')}, another first caption of {changed}"
    if not of_truth:
        line += f"; k = {reranked.num_neighbors}, m = {reranked.num_candidates}"
    if is_tuned:
        score = "CIDEr" if kind == "cider" else "Bleu_4"
        line += f", which reach {score} {reranked.tuned_to:.4f} on --tuning_hypotheses"
    program.print_line(line)


def _number(name):
    """Returns k or m as a flag gives it: an int, `TUNED` or None."""
    text = flags.FLAGS[name].value
    return checked_number(name, int(text) if text is not None and is_count(text) else text)


def _refuse_unread(names, reader):
    """Refuses flags that are given and that nothing reads."""
    given = [f"--{name}" for name in names if flags.FLAGS[name].present]
    if given:
        raise VsaTfError(f"{reader} reads no {', '.join(given)}; leave out what is not read")


def _read_references(name):
    values = flags.FLAGS
    return read_references(values[name].value, name, values.key) if values[name].value else None


def read_features(paths):
    """Reads the vectors of photographs, as the program's `--features`.

    Args:
        paths: a file or a directory of `vsa_tf.embed`; or a list of such, of different photographs.

    Returns:
        dict of photograph to its vector.

    Raises:
        VsaTfError: a file is of another form, a photograph comes twice, a vector is not finite, or
            directories are of several models.
    """
    found, probes = {}, []
    for path in [paths] if isinstance(paths, str) else paths:
        own = _read_folder(path, probes) if os.path.isdir(path) else read_vectors(path)
        check_finite(own, f"--features={path}")
        twice = [image for image in own if image in found]
        if twice:
            raise VsaTfError(
                f"Expected --features={path} of other photographs than those before. Received: "
                f"{counted(twice, 'photograph')} again: {listed(twice)}"
            )
        found |= own
    return found


def _read_folder(path, probes):
    """Returns the vectors of a directory; adds what its model is told by to `probes`, a list."""
    values, parts = read_embeddings(path)
    if values["kind"] != "images":
        raise VsaTfError(f"Expected photographs in --features={path}. Received: sentences")
    probes += [found["images"] for found in [values["index"].get("probes")] if found]
    if probes and not same_model(probes[0], probes[-1]):
        raise VsaTfError(f"Expected --features of one model. Received: another's in {path}")
    names, vectors = [], []
    for columns, embedded in parts:
        names += [pathlib.PurePath(file).name for file in columns["path"]]
        # Of regions that of the whole frame.
        vectors += list(embedded.summaries().astype("float64"))
    try:
        return by_photograph(names, vectors)
    except ValueError as error:
        raise VsaTfError(
            f"Expected photographs of different names in --features={path}. Received: {error}"
        ) from error


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
