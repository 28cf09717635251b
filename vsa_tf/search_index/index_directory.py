"""An index on the disk: its manifest and the shards of its entries."""

import dataclasses
import json
import os
import pathlib
import shutil
import time

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.files import write_atomically
from vsa_tf.search_index.embedded import Embedded

_MANIFEST_FILE = "index.json"
_FORMAT = 1
DTYPES = ("float32", "float16")
# Files of a shard; arrays are NAME.npy.
_COLUMNS_FILE = "entries.json"
_ARRAYS = ("vectors", "counts", "boxes")
# A killed run loses at most so much work.
_SHARD_SECONDS = 60.0
_SHARD_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class IndexManifest:
    """Kept as `index.json` in the index's directory.

    Attributes:
        model: dict that makes the `ModelSource` which embedded the entries.
        score: how vectors are compared, one of `SCORES`.
        dtype: of the stored vectors, one of `DTYPES`.
        probes: dict of `images` and `sentences` to a list of floats, the summary of the model's
            `probe` of each.
    """

    model: dict
    score: str
    dtype: str
    probes: dict

    def save(self, index_dir):
        """Writes the manifest into a directory."""
        text = json.dumps({"format": _FORMAT, **vars(self)}) + "\n"
        write_atomically(pathlib.Path(index_dir) / _MANIFEST_FILE, text.encode())

    @classmethod
    def load(cls, index_dir):
        """Reads the manifest of a directory.

        Returns:
            The manifest; None where there is none.

        Raises:
            VsaTfError: it is damaged or of another version.
        """
        path = pathlib.Path(index_dir) / _MANIFEST_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            version = values.pop("format")
            if version != _FORMAT:
                raise ValueError(f"its format is {version}, and this program's is {_FORMAT}")
            return cls(**values)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise VsaTfError(
                f"{path} is no index that can be read: {error}. Build another in a new directory"
            ) from error


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
        VsaTfError: it is damaged.
    """

    def __init__(self, path, kind):
        path = pathlib.Path(path)
        self.name = path.name
        try:
            self.columns = json.loads((path / _COLUMNS_FILE).read_text(encoding="utf-8"))
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
            raise VsaTfError(
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
        with open(temporary / _COLUMNS_FILE, "w", encoding="utf-8") as file:
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


class IndexWriter:
    """Collects entries of one kind and writes a shard when there are enough. Use it as a context.

    Args:
        index_dir: the index's directory.
        dtype: of the stored vectors.
        clock: function that returns seconds.
    """

    def __init__(self, index_dir, dtype, clock=time.monotonic):
        self._index_dir = pathlib.Path(index_dir)
        self._dtype = np.dtype(dtype)
        self._clock = clock
        self._last = clock()
        self._clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What was embedded is kept, whatever happened then.
        self.flush()

    def add(self, columns, embedded):
        """Adds entries.

        Args:
            columns: dict of lists, see `IndexShard`.
            embedded: `Embedded` of as many.

        Raises:
            VsaTfError: the vectors are too large for float16.
        """
        arrays = embedded.arrays()
        with np.errstate(over="ignore"):
            arrays["vectors"] = arrays["vectors"].astype(self._dtype)
        if not np.isfinite(arrays["vectors"]).all():
            raise VsaTfError("the model's vectors are too large for float16: use --dtype=float32")
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        self._parts.append(Embedded(embedded.kind, **arrays))
        self._bytes += arrays["vectors"].nbytes
        if self._bytes >= _SHARD_BYTES or self._clock() - self._last >= _SHARD_SECONDS:
            self.flush()

    def flush(self):
        """Writes what was collected, if anything was."""
        if self._parts:
            together = {
                name: np.concatenate([part.arrays()[name] for part in self._parts])
                for name in self._parts[0].arrays()
            }
            embedded = Embedded(self._parts[0].kind, **together)
            IndexShard.write(self._index_dir, self._columns, embedded)
        self._clear()
        self._last = self._clock()

    def _clear(self):
        self._columns, self._parts, self._bytes = {}, [], 0
