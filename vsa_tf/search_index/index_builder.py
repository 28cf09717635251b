"""Photographs and sentences into an index."""

import json
import os
import pathlib
import sys
import time

from tfrecords_tools.progress import Progress
from vsa_tf.inference.image_files import answered_images
from vsa_tf.search_index.check_model import check_model
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_manifest import IndexManifest
from vsa_tf.search_index.index_shard import IndexShard
from vsa_tf.search_index.index_writer import IndexWriter
from vsa_tf.search_index.model_probe import find_score, probe

_SENTENCES_AT_A_TIME = 64
_PROGRESS_SECONDS = 5.0


class IndexBuilder:
    """Adds photographs and sentences to an index; what it holds already is not embedded again.

    Args:
        index_dir: its directory, made if it is not there.
        source: the `ModelSource`.
        dtype: of the stored vectors of a new index.

    Raises:
        ProgramError: the model cannot be used, or is not the one of the index.
    """

    def __init__(self, index_dir, source, dtype="float32"):
        self._index_dir = pathlib.Path(index_dir)
        self._model = source.open("embed_image", "embed_sentence")
        self._manifest = IndexManifest.load(index_dir)
        if self._manifest is None:
            image, sentence = (probe(self._model, kind) for kind in ("images", "sentences"))
            self._manifest = IndexManifest(
                source.to_dict(),
                find_score(self._model, image, sentence),
                dtype,
                {part.kind: part.summaries()[0].tolist() for part in (image, sentence)},
            )
            self._index_dir.mkdir(parents=True, exist_ok=True)
            self._manifest.save(index_dir)
        else:
            for kind in ("images", "sentences"):
                check_model(self._model, source, self._manifest, index_dir, kind)

    def add_images(self, paths, output=None):
        """Adds image files that are new, or have changed.

        Args:
            paths: list of files.
            output: a text file for the JSON lines of those that cannot be read, `{"image",
                "error"}`; None: the standard output.

        Returns:
            `(number added, number that could not be read)`.
        """
        output = output or sys.stdout
        indexed = self._indexed_images()
        keys = {os.path.abspath(path): _file_key(path) for path in paths}
        new = [path for path, key in keys.items() if key is None or indexed.get(path) != key]
        progress = Progress(len(new))
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
                    print(json.dumps({"image": path, "error": reason}), file=output, flush=True)
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
        started = last = time.monotonic()
        with IndexWriter(self._index_dir, self._manifest.dtype) as writer:
            for first in range(0, len(new), _SENTENCES_AT_A_TIME):
                part = new[first : first + _SENTENCES_AT_A_TIME]
                writer.add({"sentence": part}, Embedded.of_sentences(self._model, part))
                if time.monotonic() - last > _PROGRESS_SECONDS:
                    last = time.monotonic()
                    done = first + len(part)
                    rate = done / (last - started)
                    print(f"{done}/{len(new)} sentences, {rate:.0f} sentences/s", file=sys.stderr)
        return len(new)

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
