"""Scores of captions that anything made, of one system or of several side by side.

No TensorFlow here.
"""

import contextlib
import itertools
import os
import shutil

import numpy as np

from vsa_tf.errors import VsaTfError, counted, listed
from vsa_tf.metrics.bootstrap import paired_difference, percentile_intervals, resampled_sums
from vsa_tf.metrics.caption_files import KEYS, read_references, read_results
from vsa_tf.metrics.caption_scores import BLEU_NAMES, CaptionScorer, bleu, novelty
from vsa_tf.program import silent
from vsa_tf.text.ptb_tokenizer import ptb_tokenize

_ALLOW = ". --allow_missing leaves them out"
# What is resampled: METEOR of all captions is no sum over images.
_RESAMPLED = (*BLEU_NAMES, "ROUGE_L", "CIDEr", "SPICE")


def score_captions(results, references, meteor=True, spice=False, **options):
    """Scores one caption for each photograph as the COCO tool does.

    Args:
        results: the captions: a list of str; a dict of a photograph's id to its caption; or a file,
            as `read_results` reads it: COCO's results, an n-best list, CSV, or lines.
        references: what people wrote, for the same photographs: a list of lists of str; a dict of
            id to a list of str; a file such as COCO's captions; or a list of
            `pathlib.Path` of files.
        meteor, spice: see `CaptionScorer.score`; without Java they are None.
        **options: as of `compare_captions`.

    Returns:
        dict of `Bleu_1` to `Bleu_4`, `METEOR`, `ROUGE_L`, `CIDEr` (CIDEr-D, as the COCO tool has
        it), and `skipped`: dict of each that is None to the reason. With options also what
        `compare_captions` has of a system.

    Raises:
        VsaTfError: results and references are of other photographs, or no captions.

    Example:

    >>> scores = score_captions(["a dog runs"], [["A dog runs.", "dogs"]], meteor=False)
    >>> round(scores["Bleu_1"], 6), round(scores["ROUGE_L"], 6)
    (1.0, 1.0)
    """
    comparison = compare_captions({"": results}, references, meteor, spice, **options)
    scores = comparison["systems"][""]
    if "images" in comparison:
        scores["images"] = [
            {"image_id": image["image_id"], **image["systems"][""]}
            for image in comparison["images"]
        ]
    return scores


def compare_captions(
    systems,
    references,
    meteor=True,
    spice=False,
    training_captions=None,
    num_resamples=0,
    seed=0,
    per_image=False,
    allow_missing=False,
    key=None,
    say=silent,
):
    """Scores captions of several systems for the same photographs, and tests their differences.

    Args:
        systems: dict of a system's name to its results, as of `score_captions`.
        references, meteor, spice: as of `score_captions`.
        training_captions: captions that a new one is none of: a list of str, or files as of
            references; None: novelty is not computed.
        num_resamples: of photographs, for intervals of 95 % and the paired test; 0: none.
        seed: of the resamples.
        per_image: whether to list every photograph's captions and scores.
        allow_missing: whether photographs that references or a system's captions lack are left
            out, for all systems alike; else they are an error.
        key: the entry that names the photograph in files, as of `read_results`.
        say: called with a line before a program in Java is waited for.

    Returns:
        dict of

        * `num_images`: those that were scored; `missing`: the references' other photographs;
          `without_references`: photographs of results that the references lack;
          `empty_references`: those scored of which a reference has no word, a list.
        * `systems`: by name a dict of the scores; `skipped`; `words`: mean of a caption's words;
          `closest_reference_words`: mean words of the references of the closest length;
          `distinct`: different captions; `novel`: share that are no training caption, or None;
          `empty`: photographs whose caption has no word and so scores 0, a list; with resamples
          `intervals`: by name `[low, high]`.
        * `comparisons`, with resamples: a list of dicts of `systems`, two names, and of each score
          a dict of `difference`, second - first, `interval` and `p` (`paired_difference`).
        * `images`, if asked for: a list of dicts of `image_id` and `systems`, by name `caption` and
          scores; BLEU is that of the sentence alone, as the COCO tool has it.

    Raises:
        VsaTfError: as `score_captions`.
    """
    given = list(systems.values())
    systems = {name: _results(results, key) for name, results in systems.items()}
    truths = _references(references, key)
    try:
        images = _common(systems, truths, allow_missing)
    except VsaTfError as error:
        then = _meant_key(given, references, _num_shared(systems.values(), truths), key)
        raise VsaTfError(error.of_flags + then) from None
    training = None
    if training_captions is not None:
        training = _training(training_captions, key)
    if (meteor or spice) and shutil.which("java"):
        java = " and ".join(["METEOR"] * bool(meteor) + ["SPICE"] * bool(spice))
        say(f"scoring {counted(images, 'photograph')}; {java}, in Java, can take a minute")
    try:
        scorer = CaptionScorer([truths[image] for image in images])
        statistics = {
            name: scorer.statistics([captions[image] for image in images], meteor, spice)
            for name, captions in systems.items()
        }
    except ValueError as error:
        raise VsaTfError.of(error) from error
    scored = set(images)
    comparison = {
        "num_images": len(images),
        "missing": [image for image in truths if image not in scored],
        "without_references": list(
            dict.fromkeys(image for own in systems.values() for image in own if image not in truths)
        ),
        "empty_references": [
            image for image, own in zip(images, scorer.references, strict=True) if not all(own)
        ],
    }
    comparison["systems"] = {
        name: _summary(found, images, [systems[name][image] for image in images], training)
        for name, found in statistics.items()
    }
    if num_resamples:
        _add_tests(comparison, statistics, num_resamples, seed)
    if per_image:
        tables = {name: _image_scores(found) for name, found in statistics.items()}
        comparison["images"] = [
            {
                "image_id": image,
                "systems": {
                    name: {"caption": systems[name][image]}
                    | {score: float(values[row]) for score, values in table.items()}
                    for name, table in tables.items()
                },
            }
            for row, image in enumerate(images)
        ]
    return comparison


def _common(systems, truths, allow_missing):
    """Returns the photographs to score, in the order of the first system's."""
    if not systems:
        raise VsaTfError("Expected the results of one system or more. Received: none")
    for name, captions in systems.items():
        of_system = f" of {name}" if name else ""
        for one, other, said in (
            (captions, truths, f"results{of_system} for photographs without references"),
            (truths, captions, f"references of photographs without a result{of_system}"),
        ):
            missing = [image for image in one if image not in other]
            may_miss = len(missing) < len(one)
            if missing and not (may_miss and allow_missing):
                kind = "references" if other is truths else "results"
                ids = ", ".join(map(str, itertools.islice(other, 3)))
                raise VsaTfError(
                    f"Expected results and references of the same photographs. Received: {said}, "
                    f"{len(missing)} of them: {listed(missing)}"
                    + (_ALLOW if may_miss else f"; {kind} are of {ids or 'none'}")
                )
    first, *others = systems.values()
    images = [image for image in first if all(image in each for each in (truths, *others))]
    if truths and not images:
        raise VsaTfError("Expected results of the same photographs. Received: none that all have")
    return images


def _meant_key(given, references, num_shared, key):
    """Returns the end of an error: the entry by which all files share more photographs, or ""."""
    for other in KEYS if key is None else ():
        with contextlib.suppress(VsaTfError):
            truths = _references(references, other)
            if _num_shared([_results(own, other) for own in given], truths) > num_shared:
                return f". --key={other} names photographs as the references do"
    return ""


def _num_shared(systems, truths):
    return len(set(truths).intersection(*systems))


def _summary(statistics, images, captions, training):
    tokens = [ptb_tokenize(caption) for caption in captions]
    counts = novelty(tokens, training or ())
    words, closest = statistics.bleu_counts[:, -2:].mean(axis=0).tolist()
    return {
        **statistics.metrics(),
        "skipped": statistics.skipped,
        "words": words,
        "closest_reference_words": closest,
        "distinct": counts.num_distinct,
        "novel": None if training is None else counts.novel_share,
        "empty": [image for image, own in zip(images, tokens, strict=True) if not own],
    }


def _add_tests(comparison, statistics, num_resamples, seed):
    """Adds the intervals of each system, and the comparisons of each two."""
    tables = [_table(found) for found in statistics.values()]
    sums = resampled_sums(np.concatenate(tables, axis=1), num_resamples, seed)
    ends = np.cumsum([table.shape[1] for table in tables])[:-1]
    samples = {}
    for (name, found), own in zip(statistics.items(), np.split(sums, ends, axis=1), strict=True):
        means = own[:, 10:] / comparison["num_images"]
        names = [score for score in _RESAMPLED if score in {*BLEU_NAMES, *found.images}]
        columns = np.concatenate([bleu(own[:, :10]), means], axis=1)
        samples[name] = dict(zip(names, columns.T, strict=True))
        intervals = percentile_intervals(columns).tolist()
        comparison["systems"][name]["intervals"] = dict(zip(names, intervals, strict=True))
    systems = comparison["systems"]
    comparison["comparisons"] = [
        {
            "systems": [first, second],
            **{
                score: {
                    "difference": systems[second][score] - systems[first][score],
                    **paired_difference(samples[first][score], samples[second][score]),
                }
                for score in samples[first]
                if score in samples[second]
            },
        }
        for first, second in itertools.combinations(systems, 2)
    ]


def _table(statistics):
    """Returns what is summed over images, `[N, C]`: 10 columns of BLEU, and one of each other."""
    others = [statistics.images[name] for name in _RESAMPLED if name in statistics.images]
    return np.column_stack([statistics.bleu_counts, *others])


def _image_scores(statistics):
    """Returns the scores of each image, a dict of float64 `[N]`."""
    return dict(zip(BLEU_NAMES, bleu(statistics.bleu_counts).T, strict=True)) | statistics.images


def _results(results, key):
    if _are_files(results):
        return read_results(results, key=key)
    return dict(results) if isinstance(results, dict) else dict(enumerate(results))


def _references(references, key):
    if _are_files(references):
        return read_references(references, key=key)
    return dict(references) if isinstance(references, dict) else dict(enumerate(references))


def _training(captions, key):
    if _are_files(captions):
        of_images = read_references(captions, "training_captions", key).values()
        captions = itertools.chain.from_iterable(of_images)
    return [ptb_tokenize(caption) for caption in captions]


def _are_files(given):
    """Whether this is a path, or a list of `pathlib`'s; of str a list is one of captions."""
    several = given if isinstance(given, (list, tuple)) and given else [given]
    return isinstance(given, str) or all(isinstance(path, os.PathLike) for path in several)
