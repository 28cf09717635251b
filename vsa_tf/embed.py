"""Writes the vectors of photographs or texts as arrays, with a table of what their rows are.

    python -m vsa_tf.embed --saved_model=DIR --images=DIR --output_dir=DIR
    python -m vsa_tf.embed --saved_model=DIR --sentences=FILE --output_dir=DIR
    python -m vsa_tf.embed --model_dir=DIR --data_dir=DIR --split=test --output_dir=DIR

OUTPUT_DIR/img_emb/img_emb_0.npy (of texts text_emb/text_emb_0.npy) and
OUTPUT_DIR/metadata/metadata_0.parquet, or .csv, hold the same row by row, as autofaiss,
clip-retrieval and vector databases read them. Every line of FILE, or of standard input with
--sentences=-, is a text. Of a model of regions each region has a row: its box stands in the table,
`ymin, xmin, ymax, xmax` in shares of the photograph; region 0 is the whole frame. Of one of words
each word has a row. `vsa_tf.index --embeddings=OUTPUT_DIR` makes an index of them. A split of
records is embedded by the features in them; --target=sentences takes its sentences. A file that
cannot be read is reported in a JSON line, `{"image", "error"}`, and the others are done (--strict:
the program ends with 1).
"""

from absl import flags

from vsa_tf import program
from vsa_tf.data.dataset_info import check_stored_splits
from vsa_tf.errors import VsaTfError, refuse_missing
from vsa_tf.inference.image_files import (
    define_strict_flag,
    image_files,
    input_lines,
    read_sentences,
)
from vsa_tf.inference.model import Model
from vsa_tf.inference.model_source import (
    MODEL_FLAGS,
    define_model_flags,
    model_source,
    names_a_model,
)
from vsa_tf.search_index.embedding_folder import (
    TABLES,
    check_output,
    write_embeddings,
    write_split_embeddings,
)
from vsa_tf.search_index.index_directory import DTYPES

_TARGETS = ("images", "sentences")


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    flags.DEFINE_string("output_dir", "", "Directory that is made, whole or not at all.")
    flags.DEFINE_multi_string(
        "images", [], "Directory of photographs, or a file; repeatable, and after the flags."
    )
    flags.DEFINE_string(
        "sentences", "", "Text file in UTF-8, a sentence a line; -: lines of standard input."
    )
    flags.DEFINE_string("data_dir", "", "Records of which a split is embedded, with --model_dir.")
    flags.DEFINE_string("split", "test", "Split of the records.")
    flags.DEFINE_enum("target", "images", _TARGETS, "What of the split.")
    flags.DEFINE_enum("dtype", "float32", DTYPES, "Of the vectors.")
    flags.DEFINE_enum(
        "table", None, TABLES, "Of what rows are; by default parquet where pyarrow is installed."
    )


def main(images):
    values = flags.FLAGS
    given = {
        "--images": bool(values.images or images),
        "--sentences": bool(values.sentences),
        "--data_dir": bool(values.data_dir),
    }
    refuse_missing(
        {
            "--output_dir": (values.output_dir, "the directory that is made"),
            MODEL_FLAGS: (names_a_model(values), "the model"),
            "--images, --sentences or --data_dir": (any(given.values()), "what is embedded"),
        }
    )
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise VsaTfError(
            "Expected --images, --sentences or --data_dir, one of them: rows of a table are of one "
            f"kind. Received: {' and '.join(named)}"
        )
    for name in ("split", "target"):
        if values[name].present and not values.data_dir:
            raise VsaTfError(f"--{name} goes with --data_dir: it is of records")
    source = model_source(values)
    if values.data_dir and not values.model_dir:
        raise VsaTfError(f"Expected --model_dir with --data_dir. Received: {source}")
    source.check("embed_image", "embeds images and sentences")
    check_stored_splits(values.data_dir, split=values.split)
    check_output(values.output_dir, values.table)
    options = {"dtype": values.dtype, "table": values.table, "say": program.print_line}
    if values.data_dir:
        write_split_embeddings(
            values.output_dir,
            values.model_dir,
            values.data_dir,
            values.split,
            values.target,
            values.image_encoder,
            values.detector,
            **options,
        )
        return
    sentences = []
    if values.sentences == "-":
        sentences = list(input_lines())
        if not sentences:
            raise VsaTfError("--sentences=-: standard input holds no sentence")
    elif values.sentences:
        sentences = read_sentences(values.sentences)
    paths = image_files([*values.images, *images], program.print_note)
    write_embeddings(
        values.output_dir,
        Model.of(source, "embed_image", "embed_sentence"),
        paths,
        sentences,
        strict=values.strict,
        **options,
    )


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
