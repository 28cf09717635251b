"""Scores captions that anything made, as the COCO tool does; several systems side by side.

    python -m vsa_tf.score_captions --results=FILE --references=FILE \\
        [--training_captions=FILE --spice --output=FILE.json --per_image]
    python -m vsa_tf.score_captions --results=OURS.json --results=THEIRS.csv --references=FILE

Files are COCO's JSON of results and of captions, JSON or JSON lines of n-best lists as
`vsa_tf.caption` prints them, CSV of image_id and caption, Flickr8K's `IMAGE#0<TAB>CAPTION`, or a
caption a line; --references repeated are further captions of the same lines or photographs.
Captions and references are matched by the photographs' ids, in any order.

Prints a row for each system: BLEU-1 to 4, METEOR, ROUGE-L, CIDEr (CIDEr-D, which the COCO tool
calls so) and, asked for, SPICE, as fractions; the mean number of words, how many captions are
distinct, and the share that are no training caption. Below are intervals of 95 % over resampled
photographs, and for each two systems their difference with its interval and p (paired bootstrap).
--output has all of it, with --per_image also every photograph's captions and scores.

No model is needed, and no TensorFlow; METEOR and SPICE need Java, and SPICE its own files.
"""

import os
import pathlib
import sys
import types

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given, counted, listed
from vsa_tf.files import write_json
from vsa_tf.metrics.caption_scores import BLEU_NAMES
from vsa_tf.metrics.system_scores import compare_captions, score_captions

_SCORES = (*BLEU_NAMES, "METEOR", "ROUGE_L", "CIDEr", "SPICE")
_COLUMNS = (*_SCORES, "words", "distinct", "novel")
_WIDTH = 9


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_multi_string("results", [], "File of captions; repeatable: systems to compare.")
    flags.DEFINE_multi_string("references", [], "File of what people wrote; repeatable.")
    flags.DEFINE_multi_string(
        "training_captions", [], "File of captions that a novel one is none of; repeatable."
    )
    flags.DEFINE_string(
        "key",
        None,
        "The entry or column that names a photograph, such as file_name. "
        "[the first there is of image_id, image, file_name, filename, path, id]",
    )
    flags.DEFINE_bool("meteor", True, "METEOR, where there is Java; it takes seconds.")
    flags.DEFINE_bool("spice", False, "SPICE, where there are Java and SPICE's files.")
    flags.DEFINE_bool("allow_missing", False, "Leave out what references or results lack.")
    flags.DEFINE_integer(
        "num_resamples", 1000, "Resamples of intervals and tests; 0: none.", lower_bound=0
    )
    flags.DEFINE_integer("seed", 0, "Of the resamples.")
    flags.DEFINE_string("output", "", "JSON file of all scores.")
    flags.DEFINE_bool("per_image", False, "Scores of every photograph, too, in --output.")


def main():
    values = flags.FLAGS
    check_given(
        values, results="a file of captions, or several", references="a file of what people wrote"
    )
    if values.per_image and not values.output:
        raise VsaTfError("--per_image needs --output, the file that has the photographs' scores")
    folder = pathlib.Path(values.output).parent
    if not folder.is_dir():
        raise VsaTfError(f"--output={values.output}: there is no such directory {folder}")
    names = system_names(values.results)
    comparison = compare_captions(
        dict(zip(names, values.results, strict=True)),
        [pathlib.Path(path) for path in values.references],
        meteor=values.meteor,
        spice=values.spice,
        training_captions=[pathlib.Path(path) for path in values.training_captions] or None,
        num_resamples=values.num_resamples,
        seed=values.seed,
        per_image=values.per_image,
        allow_missing=values.allow_missing,
        key=values.key,
        say=program.print_note,
    )
    if values.output:
        write_json(values.output, comparison)
    print(comparison_text(comparison))
    for warning in _warnings(comparison):
        program.print_warning(warning)


def system_names(paths):
    """Returns a name for each file: its stem, or the path where stems are alike.

    Raises:
        VsaTfError: a file is given twice.
    """
    if len({pathlib.Path(path).resolve() for path in paths}) != len(paths):
        raise VsaTfError(f"Expected different files as --results. Received: {', '.join(paths)}")
    stems = [pathlib.Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [os.fspath(path) for path in paths]


def comparison_text(comparison):
    """Returns what `compare_captions` found as text: scores, intervals, and differences."""
    systems = comparison["systems"]
    columns = [
        column
        for column in _COLUMNS
        if any(scores.get(column) is not None for scores in systems.values())
    ]
    rows = [
        (name, [_cell(scores.get(column)) for column in columns])
        for name, scores in systems.items()
    ]
    tests = []
    for name, scores in systems.items():
        for end, word in enumerate(("from", "to")):
            if "intervals" in scores:
                found = [scores["intervals"].get(column) for column in columns]
                tests.append((f"{name} {word}", [_cell(pair and pair[end]) for pair in found]))
    for compared in comparison.get("comparisons", ()):
        first, second = compared["systems"]
        found = [compared.get(column, {}) for column in columns]
        for label, values in (
            (f"{second} - {first}", [each.get("difference") for each in found]),
            ("  from", [each["interval"][0] if each else None for each in found]),
            ("  to", [each["interval"][1] if each else None for each in found]),
            ("  p", [each.get("p") for each in found]),
        ):
            tests.append((label, [_cell(value) for value in values]))
    width = max(len(name) for name, _ in rows + tests)
    return "\n".join(
        f"{name:{width}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)
        for name, cells in [(f"{comparison['num_images']} images", columns), *rows, *tests]
    )


def _cell(value):
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _warnings(comparison):
    if comparison["missing"]:
        yield (
            f"left out {counted(comparison['missing'], 'photograph')} of the references, to which "
            f"a system has no caption: {listed(comparison['missing'])}"
        )
    if comparison["without_references"]:
        yield (
            f"left out {counted(comparison['without_references'], 'photograph')} of results, which "
            f"have no references: {listed(comparison['without_references'])}"
        )
    if comparison["empty_references"]:
        yield (
            "references without a word, which no caption is like, of "
            f"{counted(comparison['empty_references'], 'photograph')}: "
            f"{listed(comparison['empty_references'])}"
        )
    for name, scores in comparison["systems"].items():
        if scores["empty"]:
            yield (
                f"{name}: {counted(scores['empty'], 'caption')} without a word, scored 0: "
                f"{listed(scores['empty'])}"
            )
    skipped = [scores["skipped"] for scores in comparison["systems"].values()]
    for metric, reason in dict.fromkeys(item for each in skipped for item in each.items()):
        if reason != "not asked for":
            yield f"no {metric}: {reason}"


class _ProgramAndFunction(types.ModuleType):
    """This module, once imported, is `vsa_tf.score_captions`; so is the function of that name."""

    def __call__(self, *arguments, **options):
        return score_captions(*arguments, **options)


sys.modules[__name__].__class__ = _ProgramAndFunction

if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
