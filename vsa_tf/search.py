"""Searches an index of photographs and sentences.

    python -m vsa_tf.search --index_dir=DIR --query=TEXT|IMAGE [--top_k=10] [--target=sentences]

Prints a JSON line for each result, best first: `{"rank", "path", "score"}`, with `"box"` where the
index has regions and the query is a text, or `{"rank", "sentence", "score"}`. A query that is the
path of a file is an image; of a text, words that the model does not know are `"unknown_words"` of
each line, and warned of. An image and a sentence are scored as the model does; so are two of a
kind in an embedding model, and by their cosine in others. The model is the one that made the index,
unless it is named again by --model_dir, --saved_model or --server: exported and served it is the
same, any other is refused.

A text looks for photographs with regions in two stages, once the index has 10,000 of them: those
whose vectors promise most are then scored exactly. About 99 in 100 of the exact first ten results
are found; --candidates=0 scores all. Each line says how many were scored exactly, `"candidates"`,
as with --approximate: what has been indexed since these were prepared is always among them.

With --query=- each line of standard input is a query, answered as it comes: index and model are
loaded once. Its results begin with `"query"`; what cannot be answered is `{"query", "error"}`, and
the others are done (--strict: the program then ends with 1).
"""

import importlib.util
import pathlib

from absl import flags

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.inference.image_files import define_strict_flag, input_lines
from vsa_tf.inference.model_source import (
    ModelSource,
    define_model_flags,
    model_source,
    names_a_model,
)
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard, has_regions

_KINDS = ("images", "sentences")


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    flags.DEFINE_string("index_dir", "", "Directory that vsa_tf.index has written.")
    flags.DEFINE_string("query", "", "A text, or the path of an image; -: lines of standard input.")
    flags.DEFINE_integer("top_k", 10, "Results.", lower_bound=1)
    flags.DEFINE_enum(
        "target", None, _KINDS, "What is looked for [images, where the index has any]."
    )
    flags.DEFINE_bool(
        "approximate", False, "Quicker among very many single vectors, see vsa_tf.index."
    )
    flags.DEFINE_integer(
        "candidates",
        None,
        "Photographs that a text scores exactly, --top_k at least [as many as a recall of 0.99 "
        "needs]; 0: all.",
        lower_bound=0,
    )


def main():
    values = flags.FLAGS
    check_given(
        values, index_dir="a directory of vsa_tf.index", query="a text, or the path of an image"
    )
    manifest = IndexManifest.load(values.index_dir)
    if manifest is None:
        raise VsaTfError(f"--index_dir={values.index_dir} holds no index: vsa_tf.index makes one")
    target = _target(values)
    of_faiss = values.approximate and not (target == "images" and has_regions(values.index_dir))
    if of_faiss and importlib.util.find_spec("faiss") is None:
        raise VsaTfError("--approximate needs faiss: pip install 'vsa_tf[faiss]' brings it")
    of_lines = values.query == "-"
    is_image = not of_lines and _is_image(values.query)
    source = model_source(values) if names_a_model(values) else _recorded_source(manifest)
    source.check("embed_image" if is_image else "embed_sentence", "embeds images and sentences")
    if of_lines:
        from vsa_tf.search_index.search_index import answer_lines

        answer_lines(
            values.index_dir,
            source,
            input_lines(),
            _is_image,
            target,
            values.top_k,
            values.approximate,
            values.candidates,
            strict=values.strict,
        )
        return
    from vsa_tf.search_index.search_index import answer_query

    answer_query(
        values.index_dir,
        source,
        values.query,
        is_image,
        target,
        values.top_k,
        values.approximate,
        values.candidates,
    )


def _target(values):
    held = [kind for kind in _KINDS if IndexShard.find(values.index_dir, kind)]
    if not held:
        raise VsaTfError(f"--index_dir={values.index_dir} is empty: add something to it")
    if values.target and values.target not in held:
        raise VsaTfError(f"--target={values.target}: the index holds {held[0]} alone")
    return values.target or held[0]


def _is_image(query):
    try:
        data = pathlib.Path(query).read_bytes()
    except (OSError, ValueError):  # a text is no path, or no file's
        return False
    try:
        decode_image(data)
    except ImageError as error:
        raise VsaTfError(f"--query={query} is a file, but {error}") from error
    return True


def _recorded_source(manifest):
    source = ModelSource(**manifest.model)
    path = source.model_dir or source.saved_model
    if path and not pathlib.Path(path).exists():
        raise VsaTfError(
            f"The index was made with {path}, which is not there: name the model by --model_dir, "
            "--saved_model or --server"
        )
    return source


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
