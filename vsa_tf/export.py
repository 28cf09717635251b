"""Writes a trained model as a SavedModel that takes image files and plain text.

    python -m vsa_tf.export --model_dir=DIR --export_dir=DIR --image_encoder=ENCODER \\
        [--detector=DETECTOR]

Image decoding, detector, encoder, text processing, model and beam search become one graph in
EXPORT_DIR/VERSION, the next number, which loads wherever TensorFlow does and which TensorFlow
Serving takes as it is. Its answers to every signature are first compared with the model's own on
examples of the split; where they differ nothing is written. VERSION/README.md and model_card.json
say what the model is and what it takes.
"""

import os
import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.inference.signatures import AnswerSettings, check_export
from vsa_tf.model_handles import check_handles, check_in_graph
from vsa_tf.settings import Settings

_EXPORT_FLAGS = (
    "model_dir",
    "export_dir",
    "image_encoder",
    "detector",
    "data_dir",
    "split",
    "num_examples",
    "example_image",
)
_CAPTIONER_FLAGS = (
    "beam_size",
    "num_captions",
    "max_beam_size",
    "max_caption_words",
    "length_normalization",
)
_ALIGNMENT_FLAGS = ("smoothness",)


def define_flags():
    """Defines the program's flags."""
    defaults = AnswerSettings()
    flags.DEFINE_string("model_dir", None, "Directory that vsa_tf.train has written.")
    flags.DEFINE_string("export_dir", None, "Directory of the versions; made if it is not there.")
    flags.DEFINE_string(
        "image_encoder",
        "",
        "The encoder of the model's records: a SavedModel's directory or handle, keras:NAME or "
        "keras_hub:PRESET.",
    )
    flags.DEFINE_string(
        "detector", "", "The detector of the records, where the model sees regions."
    )
    flags.DEFINE_string(
        "data_dir", None, "Records with examples to check the export; default: the training's."
    )
    flags.DEFINE_string("split", None, "Split of the examples; default: the training's dev split.")
    flags.DEFINE_multi_string(
        "example_image", [], "Photograph of an example, where the records hold none; repeatable."
    )
    flags.DEFINE_integer("num_examples", 4, "Examples that are compared.", lower_bound=1)
    flags.DEFINE_integer(
        "beam_size", None, f"Beams of a caption generator [{defaults.beam_size}].", lower_bound=1
    )
    flags.DEFINE_integer(
        "num_captions",
        None,
        f"Captions of each image [{defaults.num_captions}, or --beam_size].",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "max_beam_size",
        None,
        "The most beams, and captions, that a request may ask for "
        f"[{defaults.max_beam_size}, or --beam_size].",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "max_caption_words",
        None,
        f"Longest caption, its end counted [{defaults.max_caption_words}].",
        lower_bound=1,
    )
    flags.DEFINE_bool("length_normalization", None, "Rank captions by log probability per word.")
    flags.DEFINE_float(
        "smoothness",
        None,
        "How far neighbouring words share a region of an alignment, in shares of a word's best "
        f"score [{defaults.smoothness}].",
        lower_bound=0.0,
    )


def main():
    values = flags.FLAGS
    check_given(
        values,
        model_dir="a directory that vsa_tf.train has written",
        export_dir="where the SavedModel is written",
    )
    if pathlib.Path(values.export_dir).is_file():
        raise VsaTfError(f"--export_dir={values.export_dir} is a file, not a directory")
    check_handles(image_encoder=values.image_encoder, detector=values.detector)
    check_in_graph("detector", values.detector)
    answers = answer_settings(values, Settings.load(values.model_dir))
    check_export(answers, os.environ.get("KERAS_BACKEND", "tensorflow"))
    from vsa_tf.inference.export_model import export_model

    given = {name: values[name].value for name in _EXPORT_FLAGS}
    export_model(**given, settings=answers, say=program.print_line)


def answer_settings(values, settings):
    """Returns the `AnswerSettings` that the flags give.

    Args:
        values: the flags.
        settings: the `Settings` of the model.

    Raises:
        VsaTfError: flags contradict one another, or the model.
    """
    own = set()
    if "caption" in settings.model.signatures:
        own.update(_CAPTIONER_FLAGS)
    if "align" in settings.model.signatures:
        own.update(_ALIGNMENT_FLAGS)
    given = {
        name: values[name].value
        for name in (*_CAPTIONER_FLAGS, *_ALIGNMENT_FLAGS)
        if values[name].value is not None
    }
    for name in given.keys() - own:
        raise VsaTfError(f"--{name} is not for a {settings.training.model} model; leave it out")
    return AnswerSettings.of(**given)


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
