"""Finds what a phrase says in photographs.

    python -m vsa_tf.localize --saved_model=DIR --image=IMAGE --phrase=TEXT \\
        [--output=PICTURE.png --top_k=3]
    python -m vsa_tf.localize --server=HOST:PORT --model_name=NAME --phrase=TEXT IMAGE...
    python -m vsa_tf.localize --model_dir=DIR --image_encoder=ENCODER --detector=DETECTOR \\
        [--boxes=FILE] ...

Prints a JSON line for each file and phrase, a directory counting as its images: `{"image",
"phrase", "boxes": [{"box", "score"}]}`, the best box first, as `[ymin, xmin, ymax, xmax]` from 0 to
1: it overlaps most with all that fit the phrase, and its score, how well it fits by itself, need
not be the highest. The boxes are those of the detector and the whole frame or, with --boxes, those
of a JSON file alone, a list of such boxes. Words of the phrase that the model does not know are
`"unknown_words"` of the line, and warned of. A file that cannot be read is reported in its line,
`{"image", "error"}`, and the others are done (--strict: the program then ends with 1).

With `-` in the place of the files, lines of standard input are answered as they come, by one model
that is loaded once: `IMAGE`, or `IMAGE<TAB>PHRASE`. What fails is told of as of files.
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
    read_boxes,
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


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    flags.DEFINE_string(
        "image", "", "A photograph; more may stand after the flags; -: lines of standard input."
    )
    flags.DEFINE_multi_string("phrase", [], "The phrase; repeatable.")
    flags.DEFINE_string("boxes", "", "With --model_dir: JSON file of boxes of your own.")
    flags.DEFINE_string(
        "output", "", "PNG file to draw the best boxes into, of one phrase in a single image."
    )
    define_font_flag()
    flags.DEFINE_integer(
        "top_k", None, "Best boxes that are printed [all] and drawn [1].", lower_bound=1
    )


def main(images):
    values = flags.FLAGS
    given = [values.image] * bool(values.image) + images
    of_lines = given == ["-"]
    has_phrase = all(phrase.strip() for phrase in values.phrase) if values.phrase else of_lines
    refuse_missing(
        {
            MODEL_FLAGS: (names_a_model(values), "the model"),
            "--image": (given, "a photograph, or several after the flags"),
            "--phrase": (has_phrase, "the text to find"),
        }
    )
    source = model_source(values)
    paths = image_files(given, program.print_note)
    if values.boxes and not source.model_dir:
        raise VsaTfError("--boxes goes with --model_dir: an exported model has its detector inside")
    check_output(values.output, paths, values.font, " ".join(values.phrase))
    if values.output and len(values.phrase) != 1:
        raise VsaTfError(f"--output draws one --phrase. Received: {len(values.phrase)}")
    boxes = read_boxes(values.boxes) if values.boxes else None
    source.check("localize", "finds phrases")
    from vsa_tf.inference.model import Model

    count = None if of_lines else len(paths) * len(values.phrase)
    model = Model.of(source, "localize", num_photographs=count)

    warn_once = functools.cache(program.print_warning)

    def ask(images, phrases=values.phrase):
        of_phrases = [model.localize(images, phrase, boxes) for phrase in phrases]
        for found, *_ in of_phrases:
            warn_once(found.known.note())
        if values.output:
            found = of_phrases[0][0]
            write_picture(values.output, found.picture(values.top_k or 1, font=values.font or None))
        return [
            [found.to_dict(values.top_k) for found in of_image] for of_image in zip(*of_phrases)
        ]

    if of_lines:
        missing = "Expected IMAGE<TAB>PHRASE"
        write_answers_of_lines(input_lines(), ask, values.phrase, missing, strict=values.strict)
    else:
        write_answers(paths, ask, strict=values.strict)


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
