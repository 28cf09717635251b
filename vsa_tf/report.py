"""Writes web pages that show what a trained model finds in a split of records.

    python -m vsa_tf.report --model_dir=DIR --data_dir=DIR --split=dev --output_dir=DIR

Open OUTPUT_DIR/index.html: the pages need no server and no network. It begins with a summary: the
data, the main figures beside chance, and what each means. By the model the pages show all metrics
with their protocol; recall curves; images with the sentence that fits best and their own, aligned
word by word or relation by relation; snippets of text with their best regions; the words and
regions of largest and smallest magnitude; what is retrieved and what is not; phrases with true and
found boxes; captions with their probabilities, beside training captions, before and after
reranking by consensus; and the nearest images by the model's features and by the encoder's.
`--projector_dir` also writes the split for TensorBoard's embedding projector.

    python -m vsa_tf.report --model_dir=DIR --model_dir=DIR --output_dir=DIR

sets the recall curves of further models beside those of the first.
"""

import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.evaluation.check_options import check_split, given_directories
from vsa_tf.reporting.report_folder import ReportOptions, check_report


def define_flags():
    """Defines the program's flags."""
    defaults = ReportOptions()
    flags.DEFINE_multi_string(
        "model_dir",
        None,
        "Directory that vsa_tf.train has written; repeatable: the pages are of the first, and the "
        "others' recall curves stand beside its own.",
    )
    flags.DEFINE_multi_string(
        "data_dir",
        None,
        "Directory of records; default: that of the training. Of several models once, or once for "
        "each.",
    )
    flags.DEFINE_string("split", "dev", "Split of the records.")
    flags.DEFINE_string(
        "output_dir", None, "Directory of the pages: new, empty, or an earlier report."
    )
    flags.DEFINE_string(
        "images",
        defaults.images,
        "Directory or zip of the photographs, for records that hold none.",
    )
    flags.DEFINE_string(
        "retrieval_model",
        defaults.retrieval_model,
        "model_dir of a model of images and sentences: the training caption that it finds for a "
        "photograph stands beside what the caption generator writes.",
    )
    flags.DEFINE_multi_string(
        "query", [], "A snippet of text whose best regions are shown; repeatable."
    )
    flags.DEFINE_integer(
        "num_frequent_queries",
        defaults.num_frequent_queries,
        "Frequent snippets of the split that are shown like --query.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "images_per_page", defaults.images_per_page, "Images on a page.", lower_bound=1
    )
    flags.DEFINE_integer(
        "max_images",
        defaults.max_images,
        "How many images, the first of the split, the pages Images and Phrases show and examples "
        "are chosen from; 0: all. All else is of the whole split, neighbours of examples, too.",
        lower_bound=0,
    )
    flags.DEFINE_float(
        "smoothness",
        defaults.smoothness,
        "How far neighbouring words of an alignment share a region, in shares of a word's best "
        "score; 0: each word has its own.",
        lower_bound=0.0,
    )
    flags.DEFINE_string(
        "projector_dir",
        None,
        "Directory of a TensorBoard log, such as MODEL_DIR/events, for the embedding projector.",
    )
    flags.DEFINE_integer("seed", defaults.seed, "Seed of the intervals.", lower_bound=0)


def main():
    values = flags.FLAGS
    check_given(
        values,
        model_dir="a directory that vsa_tf.train has written",
        output_dir="where the pages are written",
    )
    if values.projector_dir and pathlib.Path(values.projector_dir).is_file():
        raise VsaTfError(f"--projector_dir={values.projector_dir} is a file")
    options = ReportOptions(
        query=tuple(values.query),
        num_frequent_queries=values.num_frequent_queries,
        images_per_page=values.images_per_page,
        max_images=values.max_images,
        seed=values.seed,
        smoothness=values.smoothness,
        images=values.images,
        retrieval_model=values.retrieval_model,
    )
    check_report(
        given_directories(values.model_dir, values.data_dir)[0], values.output_dir, options
    )
    check_split(values.model_dir, values.data_dir, values.split)
    from vsa_tf.reporting.write_report import write_report

    write_report(
        values.model_dir,
        values.data_dir,
        values.split,
        values.output_dir,
        options,
        values.projector_dir,
        say=program.print_line,
    )
    program.print_line(f"open {pathlib.Path(values.output_dir) / 'index.html'}")


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
