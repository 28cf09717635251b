"""Aligns a sentence to the regions of photographs.

    python -m vsa_tf.align --saved_model=DIR --image=IMAGE --sentence=TEXT [--output=PICTURE.png]
    python -m vsa_tf.align --server=HOST:PORT --model_name=NAME --sentence=TEXT IMAGE...
    python -m vsa_tf.align --model_dir=DIR --image_encoder=ENCODER --detector=DETECTOR \\
        [--smoothness=BETA] ...

Prints a JSON line for each file, a directory counting as its images: `{"image", "sentence",
"score", "snippets": [{"text", "box", "score"}], "words": [{"text", "box", "score"}]}`. A snippet is
a run of words with one region; boxes are `[ymin, xmin, ymax, xmax]`, from 0 to 1. Words of the
sentence that the model does not know are `"unknown_words"` of the line, and warned of. A file that
cannot be read is reported in its line, `{"image", "error"}`, and the others are done (--strict: the
program then ends with 1).

With `-` in the place of the files, lines of standard input are answered as they come, by one model
that is loaded once: `IMAGE`, or `IMAGE<TAB>SENTENCE`. What fails is told of as of files.
"""

import functools

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, refuse_missing
from vsa_tf.inference.image_files import (
    check_output,
    define_font_flag,
    define_strict_flag,
    image_files,
    input_lines,
    write_answers,
    write_answers_of_lines,
    write_picture,
)
from vsa_tf.inference.model_source import (
    MODEL_FLAGS,
    define_model_flags,
    model_source,
    names_a_model,
)
from vsa_tf.inference.signatures import AnswerSettings


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    flags.DEFINE_string(
        "image", "", "A photograph; more may stand after the flags; -: lines of standard input."
    )
    flags.DEFINE_string("sentence", "", "The sentence.")
    flags.DEFINE_string("output", "", "PNG file to draw the alignment into, of a single image.")
    define_font_flag()
    flags.DEFINE_float(
        "smoothness",
        None,
        "With --model_dir: how far neighbouring words share a region, in shares of a word's best "
        f"score; 0: each word has its own [{AnswerSettings.smoothness}].",
        lower_bound=0.0,
    )


def main(images):
    values = flags.FLAGS
    given = [values.image] * bool(values.image) + images
    of_lines = given == ["-"]
    refuse_missing(
        {
            MODEL_FLAGS: (names_a_model(values), "the model"),
            "--image": (given, "a photograph, or several after the flags"),
            "--sentence": (of_lines or values.sentence, "the text to align"),
        }
    )
    source = model_source(values)
    paths = image_files(given, program.print_note)
    check_output(values.output, paths, values.font, values.sentence)
    if values.smoothness is not None and not source.model_dir:
        raise VsaTfError(
            "--smoothness goes with --model_dir: an exported model aligns as vsa_tf.export was told"
        )
    given = {} if values.smoothness is None else {"smoothness": values.smoothness}
    source.check("align", "aligns sentences")
    from vsa_tf.inference.model import Model

    count = None if of_lines else len(paths)
    settings = AnswerSettings.of(**given)
    model = Model.of(source, "align", settings=settings, num_photographs=count)

    warn_once = functools.cache(program.print_warning)

    def ask(images, sentences=(values.sentence,)):
        found = model.align(images, sentences[0])
        warn_once(found[0].known.note())
        if values.output:
            write_picture(values.output, found[0].picture(font=values.font or None))
        return [[alignment.to_dict()] for alignment in found]

    if of_lines:
        texts = [values.sentence] if values.sentence.strip() else []
        missing = "Expected IMAGE<TAB>SENTENCE"
        write_answers_of_lines(input_lines(), ask, texts, missing, strict=values.strict)
    else:
        write_answers(paths, ask, strict=values.strict)


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
