"""Vectors as files that other programs read: arrays in parts, and a table of what their rows are.

The layout is that of clip-retrieval's `clip_inference`, which autofaiss takes as well:
`img_emb/img_emb_0.npy` or `text_emb/text_emb_0.npy`, and `metadata/metadata_0.parquet` or `.csv`,
row by row of the same.
"""

import contextlib
import importlib.util
import io
import os
import pathlib
import sys

import numpy as np

from tfrecords_tools.progress import Progress
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import open_array, told_as
from vsa_tf.files import (
    check_file,
    file_checksums,
    json_text,
    partial_directory,
    read_sealed,
    read_table,
    sealed,
    table_bytes,
    write_atomically,
    write_json,
)
from vsa_tf.inference.image_files import answered_images, report_failures
from vsa_tf.inference.model import Model
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.photographs import batches
from vsa_tf.program import silent
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import file_key, stored_vectors
from vsa_tf.search_index.model_probe import manifest_values

TABLES = ("parquet", "csv")
_MANIFEST = "embeddings.json"
_FORMAT = 1
_NAMES = {"images": "img_emb", "sentences": "text_emb"}
# Columns of every row, with their names in an index; and those of one of several of an entry.
_COLUMNS = {
    "images": {"image_path": "path", "size": "size", "mtime_ns": "mtime_ns"},
    "sentences": {"caption": "sentence"},
}
_PARTS = {"images": ("region", "ymin", "xmin", "ymax", "xmax"), "sentences": ("word",)}
_BOX = _PARTS["images"][1:]
_NUMBERS = dict.fromkeys(("size", "mtime_ns", "region", "word"), int) | dict.fromkeys(_BOX, float)
# Photographs or sentences of a file: of 20 regions of 1000 numbers 0.8 GB.
_ENTRIES_A_FILE = 10_000


def write_embeddings(
    output_dir,
    model,
    images=(),
    sentences=(),
    dtype="float32",
    table=None,
    strict=False,
    say=silent,
):
    """Writes the vectors of photographs, or of sentences, and a table beside them.

    Args:
        output_dir: directory to be made; whole or not at all.
        model: the `Model` that embeds, of `open_model`.
        images: list of image files.
        sentences: list of str; photographs and sentences are folders of their own.
        dtype: `float32` or `float16`.
        table: one of `TABLES`; None: Parquet, where pyarrow is installed.
        strict: see `report_failures`.
        say: called with each line about the work, and with a JSON line, `{"image", "error"}`, for
            each file that cannot be read.

    Raises:
        VsaTfError: both or neither are given, there is something at `output_dir`, the model embeds
            nothing, or see `report_failures`.
    """
    if bool(images) == bool(sentences):
        raise VsaTfError("Expected --images or --sentences, one of them: rows are of one kind")
    kind = "images" if images else "sentences"
    check_output(output_dir, table)
    model.check("embed_image" if images else "embed_sentence")
    entries = _images(images, model.opened, say) if images else _sentences(sentences, model.opened)
    writer = _Writer(output_dir, kind, dtype, table, len(images or sentences))
    num_failed = writer.write(entries, manifest_values(model, dtype), say)
    report_failures(num_failed, len(images or sentences), strict, say)


def write_split_embeddings(
    output_dir,
    model_dir,
    data_dir,
    split,
    target="images",
    image_encoder="",
    detector="",
    dtype="float32",
    table=None,
    say=silent,
):
    """Writes the vectors of a split of records, by the features that the records have.

    Args:
        output_dir, dtype, table, say: as of `write_embeddings`.
        model_dir: directory of the model.
        data_dir: directory of the records.
        split: its name.
        target: `images` or `sentences`, of which a folder is made.
        image_encoder, detector: of its records. An index tells the model by what it makes of a
            photograph: where they are not given, and cannot be found by name, there is none.

    Raises:
        VsaTfError: see `write_embeddings`; the model cannot use the records.
    """
    source = ModelSource(model_dir, image_encoder, detector)
    source.check("embed_image", "embeds images and sentences")
    check_output(output_dir, table)
    # They import TensorFlow, which takes seconds.
    from vsa_tf.model_dir.load_split import load_split
    from vsa_tf.model_dir.trained_model import TrainedModel

    try:
        model = Model.of(source)
    except VsaTfError as error:
        if image_encoder:
            raise
        reason = f"Run vsa_tf.embed again so that it reads photographs, too: {error.of_flags}"
        trained, of_index = TrainedModel(model_dir), {"reason": reason}
    else:
        trained, of_index = model.opened.trained, manifest_values(model, dtype)
    data = load_split(trained, data_dir, split, say=say)
    num_entries = len(data.records.filenames if target == "images" else data.records.captions)
    writer = _Writer(output_dir, target, dtype, table, num_entries)
    writer.write(_of_split(trained, data, target), of_index, say)


def check_output(output_dir, table=None):
    """Refuses, before a model is opened, what cannot be written.

    Raises:
        VsaTfError: there is something at the directory, or Parquet needs pyarrow.
    """
    path = pathlib.Path(output_dir)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise VsaTfError(f"Expected --output_dir to be new or empty. Received: {output_dir}")
    if table == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise VsaTfError("--table=parquet needs pyarrow: pip install 'vsa_tf[parquet]' brings it")


def _images(paths, model, say):
    """Yields `(columns, Embedded)`; `(None, reason)` of what cannot be read."""
    # What a file was when it was read: an index passes over it while it is the same.
    keys = {str(path): file_key(path) for path in paths}
    for path, embedded, reason in answered_images(list(keys), Embedded.each_of(model)):
        if reason is None and keys[path] is None:
            reason = "the file was not there at first"
        whole = os.path.abspath(path)
        if reason is None and any("\ud800" <= letter <= "\udfff" for letter in whole):
            reason = "its name is not UTF-8, as a table's text is"
        if reason is None:
            size, mtime = keys[path]
            yield {"image_path": [whole], "size": [size], "mtime_ns": [mtime]}, embedded
        else:
            say(json_text({"image": path, "error": reason}))
            yield None, reason


def _sentences(sentences, model):
    for part in batches(sentences):
        yield {"caption": part}, Embedded.of_sentences(model, part)


def _of_split(trained, data, target):
    first, records = 0, data.records
    names = records.filenames if target == "images" else records.captions
    for embedded in Embedded.each_of_split(trained, data, target):
        own = names[first : first + len(embedded)]
        first += len(embedded)
        if target == "images":
            # Records are not the file: an index embeds it anew where it is added.
            unknown = [0] * len(own)
            yield {"image_path": own, "size": unknown, "mtime_ns": unknown}, embedded
        else:
            yield {"caption": own}, embedded


class _Writer:
    """Collects entries of a kind and writes a part of the folder when there are enough.

    Args:
        output_dir, kind, dtype, table: see `write_split_embeddings`.
        num_entries: how many will come, at most.
    """

    def __init__(self, output_dir, kind, dtype, table, num_entries):
        has_arrow = importlib.util.find_spec("pyarrow") is not None
        self._table = table or ("parquet" if has_arrow else "csv")
        self._output_dir = pathlib.Path(output_dir)
        self._kind, self._dtype = kind, dtype
        self._total = num_entries
        self._digits = len(str(max(0, num_entries - 1) // _ENTRIES_A_FILE))
        self._columns, self._vectors, self._waiting = {}, [], 0
        self._num_parts = self._num_entries = self._num_rows = self._num_regions = 0

    def write(self, entries, of_index, say):
        """Writes all; returns the number of those that could not be embedded."""
        num_failed = 0
        parent = self._output_dir.parent
        parent.mkdir(parents=True, exist_ok=True)
        progress = Progress(self._total, None if say is silent else sys.stderr, self._kind)
        with (
            partial_directory(parent, self._output_dir.name) as self._partial,
            contextlib.closing(progress),
        ):
            for name in (_NAMES[self._kind], "metadata"):
                (self._partial / name).mkdir()
            for columns, embedded in entries:
                num_failed += columns is None
                if columns is not None:
                    self._add(columns, embedded)
                    if self._waiting >= _ENTRIES_A_FILE:
                        self._flush()
                progress.add(1 if columns is None else len(embedded))
            self._flush()
            if self._num_entries:
                self._finish(of_index)
        if self._num_entries:
            written = f"{self._num_entries} {self._kind}, {self._num_rows} vectors"
            say(f"wrote {written}, to {self._output_dir}")
            if "reason" in of_index:
                say(f"vsa_tf.index does not take these vectors. {of_index['reason']}")
        return num_failed

    def _add(self, columns, embedded):
        vectors, parts = embedded.vectors, np.zeros(0, np.int32)
        counts = np.ones(len(embedded), np.int32)
        own = dict(columns)
        if embedded.counts is not None:
            counts = embedded.counts
            parts = np.concatenate([np.arange(count) for count in counts])
            own = {
                name: np.repeat(np.array(column, object), counts) for name, column in own.items()
            }
            own[_PARTS[self._kind][0]] = parts
        if embedded.has_regions:
            mask = embedded.region_mask
            self._num_regions = vectors.shape[1]
            own |= dict(zip(_BOX, embedded.boxes[mask].astype(np.float64).T))
            vectors = vectors[mask]
        for name, column in own.items():
            self._columns.setdefault(name, []).extend(np.asarray(column, object).tolist())
        self._vectors.append(stored_vectors(vectors, self._dtype))
        self._waiting += len(embedded)

    def _flush(self):
        if not self._waiting:
            return
        number = str(self._num_parts).zfill(self._digits)
        name = _NAMES[self._kind]
        array, content = np.concatenate(self._vectors), io.BytesIO()
        np.save(content, array, allow_pickle=False)
        write_atomically(self._partial / name / f"{name}_{number}.npy", content.getbuffer())
        table = self._partial / "metadata" / f"metadata_{number}.{self._table}"
        write_atomically(table, table_bytes(self._columns, self._table))
        self._num_parts += 1
        self._num_entries += self._waiting
        self._num_rows += len(array)
        self._columns, self._vectors, self._waiting = {}, [], 0

    def _finish(self, of_index):
        values = {
            "format": _FORMAT,
            "kind": self._kind,
            "dtype": self._dtype,
            "num_entries": self._num_entries,
            "num_rows": self._num_rows,
            "num_regions": self._num_regions,
            "index": of_index,
            "files": file_checksums(self._partial),
        }
        write_json(self._partial / _MANIFEST, sealed(values))
        os.rename(self._partial, self._output_dir)  # over one that is empty, too


def read_embeddings(folder):
    """Reads a folder that `write_embeddings` has written.

    Args:
        folder: the directory.

    Returns:
        `(values, parts)`: what `embeddings.json` says, a dict; and an iterator of `(columns,
        Embedded)`, a part at a time: the columns that an `IndexShard` has.

    Raises:
        VsaTfError: it is none, or damaged, which may be found as parts are read.
    """
    folder = pathlib.Path(folder)
    with told_as(
        f"Expected a folder that vsa_tf.embed has written. Received: {folder}", also=(OSError,)
    ):
        values = read_sealed(folder / _MANIFEST)
        if values["format"] != _FORMAT:
            raise ValueError(f"its format is {values['format']}, and this program's is {_FORMAT}")
        kind, names = values["kind"], sorted(values["files"])
        vectors = [name for name in names if name.startswith(f"{_NAMES[kind]}/")]
        tables = [name for name in names if name.startswith("metadata/")]
        parts = list(zip(vectors, tables, strict=True))
        if not isinstance(values["index"], dict):
            raise ValueError(f"its index is {values['index']!r}"[:80])
    return values, _parts(folder, values, parts)


def _parts(folder, values, parts):
    for pair in parts:
        with told_as(f"{folder} is damaged", also=(OSError,)):
            for name in pair:
                check_file(folder, name, values["files"][name])
            yield _entries(
                values, open_array(folder / pair[0]), read_table(folder / pair[1], _NUMBERS)
            )


def _entries(values, vectors, table):
    """Returns `(columns, Embedded)`: the rows of an entry together again."""
    kind = values["kind"]
    part = _PARTS[kind][0]
    firsts = np.arange(len(vectors))
    counts = boxes = None
    if part in table:
        numbers = np.array(table[part])
        firsts = np.flatnonzero(numbers == 0)
        counts = np.diff(np.append(firsts, len(numbers))).astype(np.int32)
    if part in table and kind == "images":
        mask = np.arange(values["num_regions"]) < counts[:, None]
        rows, vectors = vectors, np.zeros((*mask.shape, vectors.shape[1]), vectors.dtype)
        boxes = np.zeros((*mask.shape, 4), np.float32)
        vectors[mask] = rows
        boxes[mask] = np.array([table[name] for name in _BOX], np.float32).T
    columns = {
        own: [table[name][first] for first in firsts.tolist()]
        for name, own in _COLUMNS[kind].items()
    }
    embedded = Embedded(kind, vectors, counts, boxes)
    embedded.check()
    return columns, embedded
