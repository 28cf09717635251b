"""Entries to shards."""

import pathlib
import time

import numpy as np

from vsa_tf.program import ProgramError
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_shard import IndexShard

# A killed run loses at most so much work.
_SHARD_SECONDS = 60.0
_SHARD_BYTES = 64 << 20


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
            ProgramError: the vectors are too large for float16.
        """
        arrays = embedded.arrays()
        with np.errstate(over="ignore"):
            arrays["vectors"] = arrays["vectors"].astype(self._dtype)
        if not np.isfinite(arrays["vectors"]).all():
            raise ProgramError("the model's vectors are too large for float16: use --dtype=float32")
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
