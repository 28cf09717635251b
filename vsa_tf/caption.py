"""Writes captions for image files.

    python -m vsa_tf.caption --model_dir=DIR --image_encoder=ENCODER IMAGE... \\
        [--num_captions=5 --beam_size=7]

Prints a JSON line for each file: `{"image", "captions": [{"text", "log_prob", "tokens",
"token_log_probs"}]}`, the best caption first; the probabilities count the end of the sentence. A
region captioner gives `{"image", "regions": [{"box", "captions"}]}`. A file that cannot be read is
reported in its line, `{"image", "error"}`, and the others are done.
"""

from absl import flags

from vsa_tf import config, program
from vsa_tf.model_settings import CaptionerSettings


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_string("model_dir", None, "Directory that vsa_tf.train has written.")
    flags.DEFINE_string(
        "image_encoder", "", "The encoder of the model's records: SavedModel directory or handle."
    )
    flags.DEFINE_string(
        "detector", "", "The detector of the records; only where a model captions regions."
    )
    flags.DEFINE_integer("num_captions", 1, "Captions of each image.", lower_bound=1)
    flags.DEFINE_integer(
        "beam_size", 7, "Beams; 1: the best word each time (paper: 7).", lower_bound=1
    )
    flags.DEFINE_bool("length_normalization", False, "Rank beams by log probability per word.")
    flags.DEFINE_integer("max_words", 20, "Longest caption, its end counted.", lower_bound=1)
    flags.DEFINE_string("prefix", "", "Words that every caption starts with.")
    flags.DEFINE_bool("sample", False, "Draw captions at random instead of searching.")
    flags.DEFINE_float("temperature", 1.0, "Of --sample: below 1 bolder, above 1 freer.", 1e-6)
    flags.DEFINE_integer("top_k", 0, "Of --sample: only the k likeliest words; 0: all.", 0)
    flags.DEFINE_float(
        "top_p", 1.0, "Of --sample: only the likeliest words that sum to this.", 1e-6, 1.0
    )
    flags.DEFINE_integer("seed", 0, "Seed of --sample.", lower_bound=0)


def main(images):
    values = flags.FLAGS
    if not values.model_dir:
        raise program.ProgramError(
            "--model_dir is missing: a directory that vsa_tf.train has written"
        )
    if not images:
        raise program.ProgramError("Expected image files after the flags. Received: none")
    if not values.sample and values.num_captions > values.beam_size:
        raise program.ProgramError(
            f"--num_captions={values.num_captions} needs as many beams: raise --beam_size, which "
            f"is {values.beam_size}"
        )
    settings = config.Settings.load(values.model_dir)
    if not isinstance(settings.model, CaptionerSettings):
        raise program.ProgramError(
            f"--model_dir={values.model_dir} holds a {settings.training.model} model, which writes "
            "no captions"
        )
    from vsa_tf.photographs.caption_photographs import caption_photographs

    caption_photographs(values, images)


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
