"""Writes captions for image files.

    python -m vsa_tf.caption --saved_model=DIR IMAGE... [--num_captions=5 --beam_size=7]
    python -m vsa_tf.caption --server=HOST:PORT --model_name=NAME IMAGE... [--prefix=TEXT]
    python -m vsa_tf.caption --model_dir=DIR --image_encoder=ENCODER IMAGE... \\
        [--num_captions=5 --beam_size=7]

Prints a JSON line for each file, a directory counting as its images: `{"image", "captions":
[{"text", "log_prob", "tokens", "token_log_probs"}]}`, the best caption first; the probabilities
count the end of the sentence. A region captioner gives `{"image", "regions": [{"box",
"captions"}]}`. A file that cannot be read is reported in its line, `{"image", "error"}`, and the
others are done (--strict: the program then ends with 1).

With `-` in the place of the files, each line of standard input is one, answered as it comes by one
model that is loaded once. What fails is told of as of files.
"""

import functools

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, refuse_missing
from vsa_tf.inference.image_files import (
    define_strict_flag,
    image_files,
    input_lines,
    write_answers,
    write_answers_of_lines,
)
from vsa_tf.inference.model_source import (
    MODEL_FLAGS,
    define_model_flags,
    model_source,
    names_a_model,
)
from vsa_tf.inference.signatures import AnswerSettings

_OF_ANSWERS = (
    "beam_size",
    "num_captions",
    "length_normalization",
    "prefix",
    "sample",
    "temperature",
    "top_k",
    "top_p",
    "seed",
)
# Settled when a model is exported.
_OF_MODEL_DIRS = (
    "max_words",
    "length_normalization",
    "sample",
    "temperature",
    "top_k",
    "top_p",
    "seed",
)


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    defaults = AnswerSettings()
    flags.DEFINE_integer("num_captions", 1, "Captions of each image.", lower_bound=1)
    flags.DEFINE_integer(
        "beam_size",
        defaults.beam_size,
        "Beams; 1: the best word each time (paper: 7).",
        lower_bound=1,
    )
    flags.DEFINE_bool(
        "length_normalization",
        defaults.length_normalization,
        "Rank beams by log probability per word.",
    )
    flags.DEFINE_integer(
        "max_words", defaults.max_caption_words, "Longest caption, its end counted.", lower_bound=1
    )
    flags.DEFINE_string("prefix", defaults.prefix, "Words that every caption starts with.")
    flags.DEFINE_bool("sample", defaults.sample, "Draw captions at random instead of searching.")
    flags.DEFINE_float(
        "temperature", defaults.temperature, "Of --sample: below 1 bolder, above 1 freer.", 1e-6
    )
    flags.DEFINE_integer(
        "top_k", defaults.top_k, "Of --sample: only the k likeliest words; 0: all.", 0
    )
    flags.DEFINE_float(
        "top_p",
        defaults.top_p,
        "Of --sample: only the likeliest words that sum to this.",
        1e-6,
        1.0,
    )
    flags.DEFINE_integer("seed", defaults.seed, "Seed of --sample.", lower_bound=0)


def main(images):
    values = flags.FLAGS
    refuse_missing(
        {
            MODEL_FLAGS: (names_a_model(values), "the model"),
            "IMAGE": (images, "a photograph, or several, after the flags"),
        }
    )
    source = model_source(values)
    paths = image_files(images, program.print_note)
    source.check("caption", "writes captions")
    settings = None
    if source.model_dir:
        settings = AnswerSettings(
            max_caption_words=values.max_words, **{name: values[name].value for name in _OF_ANSWERS}
        )
    else:
        _check_exported(values, source.model_card())
    from vsa_tf.inference.model import Model

    signatures, of_lines = _signatures(values, source), paths == ["-"]
    count = None if of_lines else len(paths)
    model = Model.of(source, *signatures, settings=settings, num_photographs=count)
    warn_once, asked = functools.cache(program.print_warning), {"num_captions": values.num_captions}
    if not source.model_dir:
        asked["prefix"] = values.prefix
        asked["beam_size"] = values.beam_size if values["beam_size"].present else 0
    elif unknown := model.opened.trained.text.known_words(values.prefix)[0]:
        warn_once(f"the model does not know {', '.join(unknown)}")

    def ask(images):
        captions = model.caption(images, **asked)
        warn_once(captions[0].known.note())
        return [[found.to_dict()] for found in captions]

    if of_lines:
        write_answers_of_lines(input_lines(), lambda images, _: ask(images), strict=values.strict)
    else:
        # Draws follow one another from the seed.
        batches_at_a_time = 1 if values.sample else None
        write_answers(paths, ask, batches_at_a_time=batches_at_a_time, strict=values.strict)


def _signatures(values, source):
    """The names that a model must answer to for what is asked."""
    if source.model_dir or not (values.prefix or values["beam_size"].present):
        return ("caption",)
    return ("caption", "caption_with")


def _check_exported(values, card):
    """Refuses flags that ask an exported model for other captions than it writes."""
    given = [name for name in _OF_MODEL_DIRS if values[name].present]
    if values.prefix and card and "caption_with" not in card["signatures"]:
        given.insert(0, "prefix")
    if given:
        raise VsaTfError(
            f"--{given[0]} goes with --model_dir: an exported model writes captions as "
            "vsa_tf.export was told"
        )
    if not card:  # a server's: it refuses what it cannot do
        return
    exported = card["answers"]
    if "caption_with" not in card["signatures"]:
        beam_size, most = exported["beam_size"], exported["num_captions"]
        if values["beam_size"].present and values.beam_size != beam_size:
            raise VsaTfError(
                f"Expected --beam_size={beam_size}, with which the model was exported, or none. "
                f"Received: --beam_size={values.beam_size}"
            )
        if values.num_captions > most:
            raise VsaTfError(
                f"--num_captions={values.num_captions}: the model was exported with {most}. Ask "
                "for fewer, or export it with more"
            )
        return
    most = exported["max_beam_size"]
    if values.beam_size > most and values["beam_size"].present:
        raise VsaTfError(
            f"Expected --beam_size of at most {most}, as vsa_tf.export was told by "
            f"--max_beam_size. Received: --beam_size={values.beam_size}"
        )
    beam_size = values.beam_size if values["beam_size"].present else exported["beam_size"]
    if values.num_captions > beam_size:
        raise VsaTfError(
            f"--num_captions={values.num_captions} needs as many beams: raise --beam_size, which "
            f"is {beam_size}"
        )


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
