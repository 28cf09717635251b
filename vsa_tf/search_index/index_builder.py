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
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard, IndexWriter
from vsa_tf.search_index.model_probe import check_model, find_score, probe
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
            image, sentence = (probe(self._model, kind) for kind in ("images", "sentences"))
            self._manifest = IndexManifest(
                model.source.to_dict(),
                find_score(self._model, image, sentence),
                dtype,
                {part.kind: part.summaries()[0].tolist() for part in (image, sentence)},
            )
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
        indexed = self._indexed_images()
        keys = {os.path.abspath(path): _file_key(path) for path in paths}
        new = [path for path, key in keys.items() if key is None or indexed.get(path) != key]
        progress = self._progress(len(new), "images")
        num_failed = 0
        with IndexWriter(self._index_dir, self._manifest.dtype) as writer:
            for path, embedded, reason in answered_images(new, self._embed_images):
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
        indexed = {
            sentence
            for path in IndexShard.find(self._index_dir, "sentences")
            for sentence in IndexShard(path, "sentences").columns["sentence"]
        }
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

    def _embed_images(self, images):
        embedded = Embedded.of_images(self._model, images)
        return [embedded.take([row]) for row in range(len(images))]

    def _indexed_images(self):
        indexed = {}
        for path in IndexShard.find(self._index_dir, "images"):
            columns = IndexShard(path, "images").columns
            keys = zip(columns["size"], columns["mtime_ns"])
            indexed.update(zip(columns["path"], keys))
        return indexed


def _file_key(path):
    """Returns what tells a changed file: size and time of the last change; None: no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


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

    Args:
        index_dir: its directory.
        model: the `Model` that embeds, of `open_model`; None: nothing is added.
        images: list of image files.
        sentences: list of str.
        dtype: of the stored vectors of a new index.
        approximate: also build what an approximate search needs.
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
    report_failures(num_failed, len(images), strict, say)


def _build_approximate(index_dir, say):
    index = SearchIndex(index_dir)
    kinds = [
        kind for kind, shards in index.shards.items() if shards and not shards[0].embedded.has_words
    ]
    if not kinds:
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
        if index.num_numbers(kind) > LARGE_INDEX_NUMBERS:
            say(
                f"an exact search of {kind} reads {index.num_numbers(kind):,} numbers: "
                f"vsa_tf.index --index_dir={index_dir} --approximate makes it quicker"
            )
