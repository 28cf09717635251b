"""Entries of an index in one directory, which is whole or not there."""

import json
import os
import pathlib
import shutil

import numpy as np

from vsa_tf.program import ProgramError
from vsa_tf.search_index.embedded import Embedded

_COLUMNS = "entries.json"
_ARRAYS = ("vectors", "counts", "boxes")


class IndexShard:
    """N entries: their vectors, memory-mapped, and what they are.

    Args:
        path: directory that `write` has made.
        kind: `images` or `sentences`.

    Attributes:
        name: of the directory.
        embedded: `Embedded` of N.
        columns: dict of lists of N; images: `path`, `size` in bytes, `mtime_ns`; sentences:
            `sentence`.

    Raises:
        ProgramError: it is damaged.
    """

    def __init__(self, path, kind):
        path = pathlib.Path(path)
        self.name = path.name
        try:
            self.columns = json.loads((path / _COLUMNS).read_text(encoding="utf-8"))
            arrays = {
                name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in _ARRAYS
                if (path / f"{name}.npy").exists()
            }
            self.embedded = Embedded(kind, **arrays)
            lengths = {len(values) for values in self.columns.values()}
            if lengths != {len(self.embedded)}:
                raise ValueError(f"its parts have different lengths: {sorted(lengths)}")
        except (OSError, ValueError, TypeError, AttributeError, EOFError) as error:
            raise ProgramError(
                f"{path} is damaged: {error}. Remove it and run vsa_tf.index again"
            ) from error

    def __len__(self):
        return len(self.embedded)

    @staticmethod
    def write(index_dir, columns, embedded):
        """Writes the next shard of its kind.

        A run killed at any moment leaves nothing that `find` finds; two that write at a time take
        different numbers.

        Args:
            index_dir: the index's directory, a `pathlib.Path`.
            columns: dict of lists of N, see above.
            embedded: `Embedded` of N.
        """
        kind = embedded.kind
        temporary = index_dir / f".{kind}.{os.getpid()}.partial"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name, array in embedded.arrays().items():
            with open(temporary / f"{name}.npy", "wb") as file:
                np.save(file, array, allow_pickle=False)
                _to_disk(file)
        with open(temporary / _COLUMNS, "w", encoding="utf-8") as file:
            json.dump(columns, file)
            _to_disk(file)
        number = len(IndexShard.find(index_dir, kind))
        while True:
            target = index_dir / f"{kind}-{number:05d}"
            if not target.exists():
                try:
                    # Refused if another run has made it in between.
                    os.rename(temporary, target)
                    return
                except OSError:
                    if not target.exists():
                        raise
            number += 1

    @staticmethod
    def find(index_dir, kind):
        """Returns the directories of a kind's shards in the order they were written."""
        found = [
            path
            for path in pathlib.Path(index_dir).glob(f"{kind}-*")
            if path.name.rpartition("-")[2].isdigit() and path.is_dir()
        ]
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def _to_disk(file):
    file.flush()
    os.fsync(file.fileno())
