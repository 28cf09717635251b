"""Candidates for a query among very many entries of one vector each, by faiss."""

import math
import os
import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import told_as
from vsa_tf.files import check_file, file_sha256, partial_directory, read_sealed, sealed, write_json

_RECALL = 0.95
_RECALL_AT = 10
_NUM_QUERIES = 100
_FEWEST_CANDIDATES = 100
_CANDIDATES_PER_RESULT = 10
_VECTORS_PER_CELL = 40
_SEED = 0


class ApproximateIndex:
    """Cells of near vectors (faiss IVF), of which only those next to a query are looked into.

    Kept as `KIND.approximate.json` in the index's directory, and the cells as `KIND-SHA.faiss`.

    Args:
        cells: the faiss index of the entries' vectors, numbered from 0.
        shards: list of the names of their shards.
        sizes: list of how many entries each has.
        num_cells, recall: see below; those of one that is not measured yet, if left out.

    Attributes:
        shards: names of the shards whose entries it holds, a set; what was indexed later is not in.
        num_cells: cells that are looked into.
        recall: of its first 10 results, when it was built: the mean share of the exact first 10.
    """

    def __init__(self, cells, shards, sizes, num_cells=1, recall=0.0):
        self._cells, self._names, self._sizes = cells, shards, sizes
        self.shards, self.num_cells, self.recall = set(shards), num_cells, recall

    @classmethod
    def load(cls, index_dir, kind):
        """Reads that of an index.

        Args:
            index_dir: the index's directory.
            kind: `images` or `sentences`.

        Returns:
            The `ApproximateIndex`.

        Raises:
            VsaTfError: faiss is not installed, there is no such index, or it is damaged.
        """
        path = pathlib.Path(index_dir) / f"{kind}.approximate.json"
        faiss = _import_faiss()
        again = f"run vsa_tf.index --index_dir={index_dir} --approximate"
        if not path.exists():
            raise VsaTfError(
                f"{index_dir} has no approximate index of {kind}: {again}, or search without "
                "--approximate"
            )
        # faiss's own are RuntimeErrors.
        with told_as(f"{path} is damaged", f". Remove it and {again}", (OSError, RuntimeError)):
            values = read_sealed(path)
            names, sizes = values["shards"], values["sizes"]
            num_cells, recall = int(values["num_cells"]), float(values["recall"])
            if not recall > 0:  # older ones were written before they were measured
                raise ValueError("its building was interrupted")
            if not all(isinstance(size, int) and size >= 0 for size in sizes):
                raise ValueError(f"its sizes are {sizes}"[:80])
            if len(sizes) != len(set(names)):
                raise ValueError(f"{len(set(names))} shards, {len(sizes)} sizes")
            file = path.with_name(values["file"])
            if "file_sha256" in values:  # older ones have none
                check_file(path.parent, file.name, values["file_sha256"])
            return cls(faiss.read_index(str(file)), names, sizes, num_cells, recall)

    def candidates(self, query, top_k):
        """Finds entries that may answer a query.

        Args:
            query: `Embedded` of one.
            top_k: results that are wanted of them.

        Returns:
            dict of the name of a shard to rows, int `[n]` in ascending order.
        """
        vectors = query.summaries()
        if query.has_regions:
            vectors = np.asarray(query.vectors[0, : query.counts[0]], np.float32)
        self._cells.nprobe = self.num_cells
        count = max(_FEWEST_CANDIDATES, _CANDIDATES_PER_RESULT * top_k)
        _, ids = self._cells.search(vectors, count)
        entries = np.unique(ids[ids >= 0])
        ends = np.cumsum(self._sizes)
        numbers = np.searchsorted(ends, entries, side="right")
        starts = ends - self._sizes
        return {
            self._names[number]: entries[numbers == number] - starts[number]
            for number in np.unique(numbers)
        }

    @staticmethod
    def take(shard, rows):
        """Returns those rows of a shard, `Embedded`."""
        return shard.embedded.take(rows)

    @classmethod
    def build(cls, index, kind):
        """Builds the approximate index of all entries of a kind and measures its recall.

        Looks into as few cells as give a recall of 0.95 of the first 10, on queries of
        `SearchIndex.sample`. A run that is killed leaves what was built before, whole, or the new
        one; what else it leaves is removed by the next.

        Args:
            index: the `SearchIndex`.
            kind: `images` or `sentences`, of which each is one vector.

        Returns:
            The `ApproximateIndex`.

        Raises:
            VsaTfError: faiss is not installed.
        """
        faiss = _import_faiss()
        shards = index.shards[kind]
        cells = _trained_cells(faiss, shards)
        first = 0
        for shard in shards:
            cells.add_with_ids(shard.embedded.summaries(), np.arange(first, first + len(shard)))
            first += len(shard)
        names, sizes = [shard.name for shard in shards], [len(shard) for shard in shards]
        path = index.index_dir / f"{kind}.approximate.json"
        # `KIND` is the name of a shard's folder that is being written.
        with partial_directory(index.index_dir, f"approximate.{kind}") as folder:
            faiss.write_index(cells, str(folder / "cells"))
            with open(folder / "cells", "ab") as written:
                os.fsync(written.fileno())
            result = cls(cells, names, sizes)
            result._measure(index, kind)
            checksum = file_sha256(folder / "cells")
            values = {
                # A file of other cells has another name: the old ones stay until none names them.
                "file": f"{kind}-{checksum[:16]}.faiss",
                "file_sha256": checksum,
                "shards": names,
                "sizes": sizes,
                "num_cells": result.num_cells,
                "recall": result.recall,
            }
            write_json(folder / path.name, sealed(values))
            os.replace(folder / "cells", path.with_name(values["file"]))
            os.replace(folder / path.name, path)
        for other in path.parent.glob(f"{kind}-*.faiss"):
            if other.name != values["file"]:
                other.unlink()
        return result

    def _measure(self, index, kind):
        queries = index.sample(kind, _NUM_QUERIES)
        exact = [_entries(index.nearest(query, kind, _RECALL_AT)) for query in queries]
        while True:
            shares = [
                len(_entries(index.nearest(query, kind, _RECALL_AT, self)) & entries) / len(entries)
                for query, entries in zip(queries, exact)
            ]
            self.recall = float(np.mean(shares))
            if self.recall >= _RECALL or self.num_cells >= self._cells.nlist:
                return
            self.num_cells = min(2 * self.num_cells, self._cells.nlist)


def _import_faiss():
    try:
        import faiss
    except ImportError:
        raise VsaTfError(
            "--approximate needs faiss: pip install 'vsa_tf[faiss]' brings it"
        ) from None
    return faiss


def _trained_cells(faiss, shards):
    """Returns an empty index whose cells fit a sample of the vectors."""
    total = sum(map(len, shards))
    num_cells = max(1, min(round(4 * math.sqrt(total)), total // _VECTORS_PER_CELL))
    share = min(1.0, num_cells * _VECTORS_PER_CELL / total)
    rng = np.random.default_rng(_SEED)
    samples = []
    for shard in shards:
        count = max(1, round(share * len(shard)))
        rows = np.sort(rng.choice(len(shard), count, replace=False))
        samples.append(shard.embedded.take(rows).summaries())
    sample = np.concatenate(samples)
    cells = faiss.index_factory(
        sample.shape[1], f"IVF{min(num_cells, len(sample))},SQfp16", faiss.METRIC_INNER_PRODUCT
    )
    # Half the points that it asks for are enough for cells that are then measured.
    cells.cp.min_points_per_centroid = 1
    cells.train(sample)
    return cells


def _entries(hits):
    return {hit.entry for hit in hits}
