"""Photographs and sentences into an index."""

import os
import pathlib
import sys
import time

from tfrecords_tools.progress import Progress
from vsa_tf.errors import VsaTfError
from vsa_tf.files import json_text
from vsa_tf.inference.image_files import answered_images, report_failures
from vsa_tf.program import silent
from vsa_tf.search_index.approximate_index import ApproximateIndex
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.embedding_folder import read_embeddings
from vsa_tf.search_index.first_stage import TWO_STAGE_IMAGES, FirstStage
from vsa_tf.search_index.index_directory import (
    IndexManifest,
    IndexShard,
    IndexWriter,
    file_key,
    has_regions,
)
from vsa_tf.search_index.model_probe import check_model, new_manifest, same_model
from vsa_tf.search_index.search_index import LARGE_INDEX_NUMBERS, SearchIndex

_SENTENCES_AT_A_TIME = 64


class IndexBuilder:
    """Adds photographs and sentences to an index; what it holds already is not embedded again.

    Args:
        index_dir: its directory, made if it is not there.
        model: the `Model` that embeds.
        dtype: of the stored vectors of a new index.
        say: see `build_index`.

    Raises:
        VsaTfError: the model embeds nothing, or is not the one of the index.
    """

    def __init__(self, index_dir, model, dtype="float32", say=silent):
        self._index_dir = pathlib.Path(index_dir)
        for name in ("embed_image", "embed_sentence"):
            model.check(name)
        self._model = model.opened
        self._say = say
        self._manifest = IndexManifest.load(index_dir)
        if self._manifest is None:
            self._manifest = new_manifest(model, dtype)
            self._index_dir.mkdir(parents=True, exist_ok=True)
            self._manifest.save(index_dir)
        else:
            for kind in ("images", "sentences"):
                check_model(model, self._manifest, index_dir, kind)

    def add_images(self, paths):
        """Adds image files that are new, or have changed.

        Args:
            paths: list of files.

        Returns:
            `(number added, number that could not be read)`.
        """
        indexed = _indexed_images(self._index_dir)
        keys = {os.path.abspath(path): file_key(path) for path in paths}
        new = [path for path, key in keys.items() if key is None or indexed.get(path) != key]
        progress = self._progress(len(new), "images")
        num_failed = 0
        with IndexWriter(self._index_dir, self._manifest.dtype) as writer:
            for path, embedded, reason in answered_images(new, Embedded.each_of(self._model)):
                if reason is None and keys[path] is None:
                    reason = "the file was not there at first"
                if reason is None:
                    size, mtime = keys[path]
                    writer.add({"path": [path], "size": [size], "mtime_ns": [mtime]}, embedded)
                else:
                    num_failed += 1
                    self._say(json_text({"image": path, "error": reason}))
                progress.add(1)
        progress.close()
        return len(new) - num_failed, num_failed

    def add_sentences(self, sentences):
        """Adds sentences that are new, a list of str; returns how many."""
        indexed = _indexed_sentences(self._index_dir)
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in indexed]
        unknown = []
        progress = self._progress(len(new), "sentences")
        with IndexWriter(self._index_dir, self._manifest.dtype) as writer:
            for first in range(0, len(new), _SENTENCES_AT_A_TIME):
                part = new[first : first + _SENTENCES_AT_A_TIME]
                embedded = Embedded.of_sentences(self._model, part)
                writer.add({"sentence": part}, embedded)
                known = zip(part, embedded.known)
                unknown += [sentence for sentence, each in known if each.means_nothing]
                progress.add(len(part))
        progress.close()
        if unknown:
            self._say(
                f"the model knows no word of {len(unknown)} sentences, such as {unknown[0]!r}: "
                "what finds them means nothing"
            )
        return len(new)

    def _progress(self, total, unit):
        return Progress(total, None if self._say is silent else sys.stderr, unit)


def _indexed_images(index_dir):
    """Returns what an index holds, a dict of path to `file_key`."""
    indexed = {}
    for path in IndexShard.find(index_dir, "images"):
        columns = IndexShard(path, "images").columns
        indexed.update(zip(columns["path"], zip(columns["size"], columns["mtime_ns"])))
    return indexed


def _indexed_sentences(index_dir):
    """Returns the sentences that an index holds, a dict of each to ()."""
    return {
        sentence: ()
        for path in IndexShard.find(index_dir, "sentences")
        for sentence in IndexShard(path, "sentences").columns["sentence"]
    }


def build_index(
    index_dir,
    model=None,
    images=(),
    sentences=(),
    dtype="float32",
    approximate=False,
    strict=False,
    say=silent,
):
    """Adds to an index, or makes it; what it holds already is not embedded again.

    A large index of photographs with regions gets what is missing of its `FirstStage`.

    Args:
        index_dir: its directory.
        model: the `Model` that embeds, of `open_model`; None: nothing is added.
        images: list of image files.
        sentences: list of str.
        dtype: of the stored vectors of a new index.
        approximate: build what quick searches need of a small index too, and of one vector each.
        strict: see `report_failures`.
        say: called with each line of progress, and with a JSON line, `{"image", "error"}`, for each
            file that cannot be read.

    Raises:
        VsaTfError: the model is not the one of the index; or see `report_failures`.
    """
    num_failed = 0
    if model is not None:
        builder = IndexBuilder(index_dir, model, dtype, say)
        if images:
            num_added, num_failed = builder.add_images(images)
            num_known = len(images) - num_added - num_failed
            say(f"added {num_added} images to {index_dir}; {num_known} were there")
        if sentences:
            num_added = builder.add_sentences(sentences)
            num_known = len(sentences) - num_added
            say(f"added {num_added} sentences to {index_dir}; {num_known} were there")
    if approximate:
        _build_approximate(index_dir, say)
    else:
        _prepare_stages(index_dir, say)
    report_failures(num_failed, len(images), strict, say)


def index_embeddings(index_dir, folder, dtype=None, say=silent):
    """Adds what `write_embeddings` has written to an index, or makes it; no model is opened.

    Args:
        index_dir: the index's directory.
        folder: see `read_embeddings`.
        dtype: of the vectors of a new index; None: the folder's.
        say: called with each line about the work.

    Raises:
        VsaTfError: the folder is none or damaged, its vectors have no index, or the index is of
            another model.
    """
    values, parts = read_embeddings(folder)
    of_index, kind = values["index"], values["kind"]
    if "reason" in of_index:
        raise VsaTfError(f"{folder} is of vectors without an index. {of_index['reason']}")
    manifest, own = IndexManifest.load(index_dir), IndexManifest(**of_index)
    if manifest is None:
        manifest = IndexManifest(**{**of_index, "dtype": dtype or values["dtype"]})
        pathlib.Path(index_dir).mkdir(parents=True, exist_ok=True)
        manifest.save(index_dir)
    elif manifest.score != own.score or not all(
        same_model(manifest.probes[each], own.probes[each]) for each in manifest.probes
    ):
        raise VsaTfError(
            f"Expected vectors of the model of {index_dir}, {manifest.model}. Received: {folder}, "
            f"of {own.model}. Give another --index_dir"
        )
    known = _indexed_images(index_dir) if kind == "images" else _indexed_sentences(index_dir)
    num_added = 0
    for columns, embedded in parts:
        rows = []
        for row, (name, *key) in enumerate(zip(*columns.values())):
            if known.get(name) != tuple(key):
                known[name] = tuple(key)
                rows.append(row)
        if rows:
            columns = {name: [column[row] for row in rows] for name, column in columns.items()}
            with IndexWriter(index_dir, manifest.dtype) as writer:
                writer.add(columns, embedded.take(rows))
        num_added += len(rows)
    num_known = values["num_entries"] - num_added
    say(f"added {num_added} {kind} to {index_dir}; {num_known} were there")
    _prepare_stages(index_dir, say)


def _prepare_stages(index_dir, say):
    # A small index is not read for it.
    if has_regions(index_dir) and len(_indexed_images(index_dir)) >= TWO_STAGE_IMAGES:
        FirstStage.prepare(SearchIndex(index_dir), TWO_STAGE_IMAGES, say)


def _build_approximate(index_dir, say):
    index = SearchIndex(index_dir)
    if has_regions(index_dir):
        FirstStage.prepare(index, 1, say)
    kinds = [
        kind
        for kind, shards in index.shards.items()
        if shards and not (shards[0].mapped.has_words or shards[0].mapped.has_regions)
    ]
    if not kinds and not has_regions(index_dir):
        raise VsaTfError(
            f"{index_dir} holds nothing to search approximately: sentences of words are searched "
            "exactly"
        )
    for kind in kinds:
        started = time.monotonic()
        built = ApproximateIndex.build(index, kind)
        say(
            f"approximate index of {kind}: recall@10 {built.recall:.3f} looking into "
            f"{built.num_cells} cells, built in {time.monotonic() - started:.1f} s"
        )


def propose_approximate(index_dir, say):
    """Says of which kinds a search is slow without the `ApproximateIndex`."""
    index = SearchIndex(index_dir)
    for kind in index.shards:
        if index.first_stage is None and index.num_numbers(kind) > LARGE_INDEX_NUMBERS:
            say(
                f"an exact search of {kind} reads {index.num_numbers(kind):,} numbers: "
                f"vsa_tf.index --index_dir={index_dir} --approximate makes it quicker"
            )
