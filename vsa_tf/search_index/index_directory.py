"""An index on the disk: its manifest and the shards of its entries."""

import dataclasses
import functools
import hashlib
import io
import itertools
import json
import os
import pathlib
import time

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import is_count, open_array, read_json, told_as
from vsa_tf.files import (
    check_file,
    file_checksums,
    json_text,
    partial_directory,
    read_sealed,
    rename_to_free,
    sealed,
    write_atomically,
    write_json,
)
from vsa_tf.search_index.embedded import Embedded

_MANIFEST_FILE = "index.json"
_FORMAT = 1
DTYPES = ("float32", "float16")
# Files of a shard; arrays are NAME.npy. A shard of before there were checksums has none.
_COLUMNS_FILE = "entries.json"
_CHECKSUMS_FILE = "checksums.json"
# Among the checksums: of the index that the shard was written into.
_OF_INDEX = "index"
_ARRAYS = ("vectors", "counts", "boxes")
_COLUMNS = {"images": {"path": str, "size": int, "mtime_ns": int}, "sentences": {"sentence": str}}
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

    @property
    def fingerprint(self):
        """What tells its vectors from those of another model or score, str."""
        text = json.dumps([self.score, self.probes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, index_dir):
        """Writes the manifest into a directory."""
        values = sealed({"format": _FORMAT, **vars(self)})
        write_json(pathlib.Path(index_dir) / _MANIFEST_FILE, values)

    @classmethod
    def load(cls, index_dir):
        """Reads the manifest of a directory.

        Returns:
            The manifest; None where there is none.

        Raises:
            VsaTfError: it is damaged or of another version.
        """
        path = pathlib.Path(index_dir) / _MANIFEST_FILE
        again = ". Build another in a new directory"
        with told_as(f"{path} is no index that can be read", again, (OSError,)):
            try:
                values = read_sealed(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            version = values.pop("format")
            if version != _FORMAT:
                raise ValueError(f"its format is {version}, and this program's is {_FORMAT}")
            return cls(**values)


class IndexShard:
    """N entries: their vectors, memory-mapped, and what they are.

    Args:
        path: directory that `write` has made.
        kind: `images` or `sentences`.

    Attributes:
        name: of the directory, whose `pathlib.Path` is `path`.
        columns: dict of lists of N; images: `path`, `size` in bytes, `mtime_ns`; sentences:
            `sentence`.

    Raises:
        VsaTfError: it is damaged.
    """

    def __init__(self, path, kind):
        self.path, self._kind = pathlib.Path(path), kind
        self.name = self.path.name
        with self._whole():
            self._checksums = None
            if (self.path / _CHECKSUMS_FILE).exists():
                self._checksums = dict(read_json(self.path / _CHECKSUMS_FILE))
            self._check(_COLUMNS_FILE)
            self.columns = read_json(self.path / _COLUMNS_FILE)
            _check_columns(self.columns, _COLUMNS[kind])

    @functools.cached_property
    def embedded(self):
        """`Embedded` of N; all of it is read once, for its checksums.

        Raises:
            VsaTfError: it is damaged.
        """
        with self._whole():
            for name in self.mapped.arrays():
                self._check(f"{name}.npy")
        return self.mapped

    @functools.cached_property
    def mapped(self):
        """`embedded` before it is read: its shapes fit, and who takes a row has to check it."""
        with self._whole():
            arrays = {}
            for name in _ARRAYS:
                if (self.path / f"{name}.npy").exists():
                    arrays[name] = open_array(self.path / f"{name}.npy")
                elif f"{name}.npy" in (self._checksums or ()):
                    raise ValueError(f"{name}.npy is missing")
            embedded = Embedded(self._kind, **arrays)
            embedded.check()
            if len(embedded) != len(self):
                raise ValueError(f"{len(self)} entries have {len(embedded)} vectors")
        return embedded

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def check_index(self, manifest):
        """Refuses a shard that was written into an index of another model.

        Raises:
            VsaTfError: it was.
        """
        if (self._checksums or {}).get(_OF_INDEX, manifest.fingerprint) != manifest.fingerprint:
            raise VsaTfError(
                f"{self.path} is of another model than {_MANIFEST_FILE} beside it. Restore what "
                "was exchanged, or remove the shard and run vsa_tf.index again"
            )

    def _whole(self):
        again = ". Remove it and run vsa_tf.index again"
        return told_as(f"{self.path} is damaged", again, (OSError,))

    def _check(self, name):
        if self._checksums is not None:
            check_file(self.path, name, self._checksums[name])

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
        with partial_directory(index_dir, kind) as temporary:
            for name, array in embedded.arrays().items():
                content = io.BytesIO()
                np.save(content, array, allow_pickle=False)
                write_atomically(temporary / f"{name}.npy", content.getbuffer())
            write_atomically(temporary / _COLUMNS_FILE, json_text(columns).encode())
            manifest = IndexManifest.load(index_dir)
            of_index = {_OF_INDEX: manifest.fingerprint} if manifest else {}
            write_json(temporary / _CHECKSUMS_FILE, {**file_checksums(temporary), **of_index})
            numbers = itertools.count(len(IndexShard.find(index_dir, kind)))
            rename_to_free(temporary, (index_dir / f"{kind}-{number:05d}" for number in numbers))

    @staticmethod
    def find(index_dir, kind):
        """Returns the directories of a kind's shards in the order they were written."""
        found = [
            path
            for path in pathlib.Path(index_dir).glob(f"{kind}-*")
            if is_count(path.name.rpartition("-")[2]) and path.is_dir()
        ]
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def has_regions(index_dir):
    """Returns whether the images of an index have regions; no array is opened."""
    return any((path / "boxes.npy").exists() for path in IndexShard.find(index_dir, "images")[:1])


def stored_vectors(vectors, dtype):
    """Returns vectors as one of `DTYPES`. Raises VsaTfError: they are too large for float16."""
    with np.errstate(over="ignore"):
        vectors = vectors.astype(dtype)
    if not np.isfinite(vectors).all():
        raise VsaTfError("the model's vectors are too large for float16: use --dtype=float32")
    return vectors


def _check_columns(columns, types):
    """Raises one of `NOT_AS_EXPECTED` where they are not lists of one length, of these types."""
    fits = columns.keys() == types.keys() and len(set(map(len, columns.values()))) == 1
    if not fits or any({*map(type, columns[name])} - {types[name]} for name in types):
        raise ValueError(f"{_COLUMNS_FILE} is not of lists of {', '.join(types)}")


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
        arrays["vectors"] = stored_vectors(arrays["vectors"], self._dtype)
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        self._parts.append(Embedded(embedded.kind, **arrays))
        self._bytes += arrays["vectors"].nbytes
        if self._bytes >= _SHARD_BYTES or self._clock() - self._last >= _SHARD_SECONDS:
            self.flush()

    def flush(self):
        """Writes what was collected, if anything was."""
        if self._parts:
            embedded = Embedded.joined(self._parts)
            IndexShard.write(self._index_dir, self._columns, embedded)
        self._clear()
        self._last = self._clock()

    def _clear(self):
        self._columns, self._parts, self._bytes = {}, [], 0


def file_key(path):
    """Returns what tells a changed file: size and time of the last change; None: no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
