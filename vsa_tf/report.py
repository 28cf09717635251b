"""Writes web pages that show what a trained model finds in a split of records.

    python -m vsa_tf.report --model_dir=DIR --data_dir=DIR --split=dev --output_dir=DIR

Open OUTPUT_DIR/index.html: the pages need no server and no network. It begins with a summary: the
data, the main figures beside chance, and what each means. By the model the pages show all metrics
with their protocol, images with their sentences aligned word by word, captions with their
probabilities, snippets of text with their best regions, the words and regions of largest and
smallest magnitude, what is retrieved and what is not, and phrases with true and found boxes.
`--projector_dir` also writes the split for TensorBoard's embedding projector.
"""

import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.reporting.report_folder import ReportOptions, check_report


def define_flags():
    """Defines the program's flags."""
    defaults = ReportOptions()
    flags.DEFINE_string("model_dir", None, "Directory that vsa_tf.train has written.")
    flags.DEFINE_string("data_dir", None, "Directory of records; default: that of the training.")
    flags.DEFINE_string("split", "dev", "Split of the records.")
    flags.DEFINE_string(
        "output_dir", None, "Directory of the pages: new, empty, or an earlier report."
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
        "Images that have a place on the pages; 0: all. Metrics are of the whole split.",
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
    )
    check_report(values.model_dir, values.output_dir, options)
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
