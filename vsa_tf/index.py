"""Makes photographs and sentences searchable.

    python -m vsa_tf.index --saved_model=DIR --images=DIR --index_dir=DIR
    python -m vsa_tf.index --saved_model=DIR --sentences=FILE --index_dir=DIR
    python -m vsa_tf.index --embeddings=DIR --index_dir=DIR
    python -m vsa_tf.index --index_dir=DIR --approximate

Embeds what is new, every line of FILE being a sentence, and adds it to INDEX_DIR, which
`vsa_tf.search` reads: files that are there with the same size and time are passed over, and a run
that was stopped goes on where it was when it is started again. The model may be named by
--model_dir or --server too; an index holds the vectors of one model and refuses another. A file
that cannot be read is reported in a JSON line, `{"image", "error"}`, the others are done, and
their number is said (--strict: the program ends with 1).
--embeddings adds what `vsa_tf.embed` has written, without opening a model.
From 10,000 photographs with regions on, each gets the vector by which a text is searched in two
stages; --approximate prepares that in a smaller index too, and, where each entry is one vector,
approximate searches (extra `faiss`), whose recall it prints.
"""

import importlib.util
import pathlib

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, refuse_missing
from vsa_tf.inference.image_files import define_strict_flag, image_files, read_sentences
from vsa_tf.inference.model_source import (
    MODEL_FLAGS,
    define_model_flags,
    model_source,
    names_a_model,
)
from vsa_tf.search_index.index_directory import DTYPES, IndexManifest, has_regions


def define_flags():
    """Defines the program's flags."""
    define_model_flags()
    define_strict_flag()
    flags.DEFINE_string("index_dir", "", "Directory of the index; made if it is not there.")
    flags.DEFINE_multi_string(
        "images", [], "Directory of photographs, or a file; repeatable, and after the flags."
    )
    flags.DEFINE_string("sentences", "", "Text file in UTF-8, a sentence a line.")
    flags.DEFINE_multi_string("embeddings", [], "Directory of vsa_tf.embed; repeatable.")
    flags.DEFINE_enum(
        "dtype",
        None,
        DTYPES,
        "Of a new index's vectors [float32]; float16: half as large, searched more slowly.",
    )
    flags.DEFINE_bool("approximate", False, "Prepare approximate searches.")


def main(images):
    values = flags.FLAGS
    needed = {"--index_dir": (values.index_dir, "the directory of the index")}
    adds = bool(values.images or images or values.sentences)
    if adds or names_a_model(values):
        needed[MODEL_FLAGS] = names_a_model(values), "the model"
    if names_a_model(values) and values.embeddings and not adds:
        raise VsaTfError(
            f"--embeddings needs no model: leave out {' and '.join(names_a_model(values))}, or add "
            "--images or --sentences. What vsa_tf.embed has lacked is given to vsa_tf.embed"
        )
    if names_a_model(values) or not (values.approximate or values.embeddings):
        needed["--images, --sentences or --embeddings"] = adds, "what is to be found"
    refuse_missing(needed)
    if pathlib.Path(values.index_dir).is_file():
        raise VsaTfError(f"--index_dir={values.index_dir} is a file, not a directory")
    manifest = IndexManifest.load(values.index_dir)
    if values.dtype and manifest and values.dtype != manifest.dtype:
        raise VsaTfError(
            f"Expected --dtype={manifest.dtype}, as {values.index_dir} was made. Received: "
            f"--dtype={values.dtype}"
        )
    source, paths, sentences = _what_to_add(values, images)
    if source is None and manifest is None and not values.embeddings:
        raise VsaTfError(f"--index_dir={values.index_dir} holds no index yet")
    of_faiss = values.approximate and manifest and not has_regions(values.index_dir)
    if of_faiss and importlib.util.find_spec("faiss") is None:
        raise VsaTfError("--approximate needs faiss: pip install 'vsa_tf[faiss]' brings it")
    from vsa_tf.inference.model import Model
    from vsa_tf.search_index.index_builder import build_index, index_embeddings, propose_approximate

    for folder in values.embeddings:
        index_embeddings(values.index_dir, folder, values.dtype, program.print_line)
    manifest = IndexManifest.load(values.index_dir)
    dtype = manifest.dtype if manifest else values.dtype or DTYPES[0]
    model = None if source is None else Model.of(source, "embed_image", "embed_sentence")
    build_index(
        values.index_dir,
        model,
        paths,
        sentences,
        dtype,
        values.approximate,
        strict=values.strict,
        say=program.print_line,
    )
    if not values.approximate:
        propose_approximate(values.index_dir, program.print_note)


def _what_to_add(values, images):
    """Returns `(ModelSource, image files, sentences)`; the source is None if nothing is added."""
    if not names_a_model(values):
        return None, [], []
    source = model_source(values)
    source.check("embed_image", "embeds images and sentences")
    paths = image_files([*values.images, *images], program.print_note)
    return source, paths, read_sentences(values.sentences) if values.sentences else []


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__, positional="IMAGE")
