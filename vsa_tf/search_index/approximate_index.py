"""Candidates for a query among very many entries of one vector each, by faiss."""

import math
import os
import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import told_as
from vsa_tf.files import check_file, file_sha256, read_sealed, sealed, write_json

_RECALL = 0.95
_RECALL_AT = 10
_NUM_QUERIES = 100
_FEWEST_CANDIDATES = 100
_CANDIDATES_PER_RESULT = 10
_VECTORS_PER_CELL = 40
_SEED = 0


class ApproximateIndex:
    """Cells of near vectors (faiss IVF), of which only those next to a query are looked into.

    Args:
        index_dir: the index's directory.
        kind: `images` or `sentences`.

    Attributes:
        shards: names of the shards whose entries it holds, a set; what was indexed later is not in.
        num_cells: cells that are looked into.
        recall: of its first 10 results, when it was built: the mean share of the exact first 10.

    Raises:
        VsaTfError: faiss is not installed, or there is no such index.
    """

    def __init__(self, index_dir, kind):
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
            self.shards = set(values["shards"])
            self.num_cells, self.recall = int(values["num_cells"]), float(values["recall"])
            self._names, self._sizes = values["shards"], values["sizes"]
            if not all(isinstance(size, int) and size >= 0 for size in self._sizes):
                raise ValueError(f"its sizes are {self._sizes}"[:80])
            if len(self._sizes) != len(self.shards):
                raise ValueError(f"{len(self.shards)} shards, {len(self._sizes)} sizes")
            file = path.with_name(values["file"])
            if "file_sha256" in values:  # older ones have none
                check_file(path.parent, file.name, values["file_sha256"])
            self._faiss = faiss.read_index(str(file))

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
        self._faiss.nprobe = self.num_cells
        _, ids = self._faiss.search(vectors, self.num_candidates(top_k))
        entries = np.unique(ids[ids >= 0])
        ends = np.cumsum(self._sizes)
        numbers = np.searchsorted(ends, entries, side="right")
        starts = ends - self._sizes
        return {
            self._names[number]: entries[numbers == number] - starts[number]
            for number in np.unique(numbers)
        }

    @staticmethod
    def num_candidates(top_k):
        """Returns how many entries each vector of a query finds, which are then scored exactly."""
        return max(_FEWEST_CANDIDATES, _CANDIDATES_PER_RESULT * top_k)

    @staticmethod
    def take(shard, rows):
        """Returns those rows of a shard, `Embedded`."""
        return shard.embedded.take(rows)

    @staticmethod
    def build(index, kind):
        """Builds the approximate index of all entries of a kind and measures its recall.

        Looks into as few cells as give a recall of 0.95 of the first 10, on queries of
        `SearchIndex.sample`.

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
        path = index.index_dir / f"{kind}.approximate.json"
        file = f"{kind}-{len(shards)}.faiss"
        temporary = path.with_name(f".{file}.{os.getpid()}.partial")
        faiss.write_index(cells, str(temporary))
        os.replace(temporary, path.with_name(file))
        values = {
            "file": file,
            "file_sha256": file_sha256(path.with_name(file)),
            "shards": [shard.name for shard in shards],
            "sizes": [len(shard) for shard in shards],
            "num_cells": 1,
            "recall": 0.0,
        }
        write_json(path, sealed(values))
        result = ApproximateIndex(index.index_dir, kind)
        result._measure(index, kind, cells.nlist)
        values |= {"num_cells": result.num_cells, "recall": result.recall}
        write_json(path, sealed(values))
        for other in path.parent.glob(f"{kind}-*.faiss"):
            if other.name != file:
                other.unlink()
        return result

    def _measure(self, index, kind, num_cells):
        queries = index.sample(kind, _NUM_QUERIES)
        exact = [_entries(index.nearest(query, kind, _RECALL_AT)) for query in queries]
        self.num_cells = 1
        while True:
            shares = [
                len(_entries(index.nearest(query, kind, _RECALL_AT, self)) & entries) / len(entries)
                for query, entries in zip(queries, exact)
            ]
            self.recall = float(np.mean(shares))
            if self.recall >= _RECALL or self.num_cells >= num_cells:
                return
            self.num_cells = min(2 * self.num_cells, num_cells)


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
