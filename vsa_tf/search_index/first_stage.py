"""The first of a search's two stages: one vector a photograph, whose products foretell its scores.

D eq. 8 sums, over the words of a sentence, the score of the best region. That sum is no product of
two vectors, but a product comes near. With probe words p, the best region of each has the score

    m_kp = max over regions i of image k of  v_i . s_p

and with B `[H, K]`, the K directions in which the probe words vary most, the image's vector is

    u_k = argmin over u of  sum over p of (m_kp - u . B^T s_p)^2 + ridge |u|^2
    S_kl = sum over t of  max over i of  v_i . s_t  is about  u_k . B^T (sum over t of s_t)

u_k is linear in m_k, and depends on the image and the probe words alone: what is added to an index
later changes no vector, and nothing is fitted again however much a collection grows.
"""

import copy
import hashlib
import io
import math
import zlib

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import open_array, told_as
from vsa_tf.files import file_sha256, read_arrays, write_arrays, write_atomically
from vsa_tf.program import silent
from vsa_tf.scoring.blocked_scores import max_sum_scores
from vsa_tf.search_index.embedded import Embedded

# So many photographs with regions are searched in two stages; fewer, exactly, in a moment.
TWO_STAGE_IMAGES = 10_000
_FILE, _KIND = "images.first_stage.npz", "first stage of a search"
_NUM_PROBES = 1024
_WIDTH = 64
_RIDGE = 0.01
# How many candidates are needed is measured, on photographs and queries of the index.
_RECALL, _RECALL_AT = 0.995, 10
_NUM_QUERIES, _MEASURED_IMAGES = 100, 5000
_FEWEST_CANDIDATES = 100
# More than that, as other queries and more photographs differ; regions as queries differ most.
_CAUTION, _CAUTION_OF_REGIONS = 2.0, 4.0
_SEED = 0


class FirstStage:
    """Candidates for a text among photographs with regions, by one vector of each.

    Kept as `images.first_stage.npz` in the index's directory, and, beside the vectors of a shard,
    as `first_stage-FIT-SHA.npy`: its rows are u_k and a CRC-32 of the row's regions, so that a
    search reads and checks no more of the shard than its candidates. Each file is whole or absent;
    a shard without it, or with a damaged one, is scored exactly.

    Args:
        index_dir: the index's directory, a `pathlib.Path`.
        arrays: dict of `probes` `[P, H]`, `basis` B, `fit` `[K, P]` and `of_sentences`, whether the
            probes are words of indexed sentences (else regions, less their mean); and
            `num_candidates` that had the recall wanted among `num_measured` photographs.

    Attributes:
        shards: names of the shards whose photographs have a vector, a set.
    """

    def __init__(self, index_dir, arrays):
        self.index_dir, self._arrays = index_dir, arrays
        parts = [np.ascontiguousarray(arrays[name]) for name in ("probes", "basis", "fit")]
        self._name = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]
        self._of_shard, self._count = {}, None

    @classmethod
    def load(cls, index_dir, shards):
        """Reads that of an index.

        Args:
            index_dir: the index's directory, a `pathlib.Path`.
            shards: list of its `IndexShard` of images.

        Returns:
            The `FirstStage`; None where there is none.

        Raises:
            VsaTfError: it is damaged.
        """
        path = index_dir / _FILE
        then = (
            ". Remove it: searches are exact then, until "
            f"vsa_tf.index --index_dir={index_dir} --approximate makes it again"
        )
        with told_as(f"{path} is damaged", then, (OSError,)):
            try:
                stage = cls(index_dir, read_arrays(path, _KIND))
                if stage._arrays["basis"].dtype.kind != "f" or stage._arrays["num_measured"] < 1:
                    raise ValueError("its basis is no matrix of numbers, or measured of nothing")
            except FileNotFoundError:
                return None
            stage.num_candidates(_RECALL_AT)
        for shard in shards:
            stage._open(shard)
        return stage

    @property
    def shards(self):
        return set(self._of_shard)

    @property
    def num_images(self):
        """Photographs that have a vector."""
        return sum(map(len, self._of_shard.values()))

    def with_candidates(self, count):
        """Returns one that finds `count` candidates, whatever was measured."""
        other = copy.copy(self)
        other._count = count
        return other

    def num_candidates(self, top_k):
        """Returns how many photographs are scored exactly, of which `top_k` are wanted.

        On real photographs the number needed grows by less than the root of how many there are.
        """
        growth = math.sqrt(max(1.0, self.num_images / int(self._arrays["num_measured"])))
        count = int(self._arrays["num_candidates"]) * growth * max(1.0, top_k / _RECALL_AT)
        count *= _CAUTION if self._arrays["of_sentences"] else _CAUTION_OF_REGIONS
        count = max(_FEWEST_CANDIDATES, math.ceil(count)) if self._count is None else self._count
        return min(max(count, top_k), self.num_images)

    def candidates(self, query, top_k):
        """Finds the photographs that may answer a sentence.

        Args:
            query: `Embedded` of one sentence.
            top_k: results that are wanted.

        Returns:
            dict of the name of a shard to rows, int `[n]` in ascending order.
        """
        direction = self._arrays["basis"].T @ query.summaries()[0]
        names = list(self._of_shard)
        scores = [self._of_shard[name]["vector"] @ direction for name in names]
        ends = np.cumsum([0, *map(len, scores)])
        scores = np.concatenate([np.zeros(0, np.float32), *scores])
        count = self.num_candidates(top_k)
        best = np.sort(np.argpartition(-scores, count - 1)[:count]) if count else np.zeros(0, int)
        numbers = np.searchsorted(ends, best, side="right") - 1
        return {
            names[number]: best[numbers == number] - ends[number] for number in np.unique(numbers)
        }

    def take(self, shard, rows):
        """Returns those rows of a shard, `Embedded`; they alone are read.

        Raises:
            VsaTfError: they are not what was indexed.
        """
        taken = shard.mapped.take(rows)
        if not np.array_equal(_row_checksums(taken), self._of_shard[shard.name]["crc32"][rows]):
            raise VsaTfError(
                f"{shard.path} is damaged: vectors.npy, counts.npy or boxes.npy do not fit their "
                "checksums. Remove it and run vsa_tf.index again"
            )
        return taken

    @classmethod
    def prepare(cls, index, least=TWO_STAGE_IMAGES, say=silent):
        """Gives every photograph of an index its vector; those that have one keep it.

        The probe words are drawn when there are first `least` photographs, and once more when
        sentences with enough words have been added to an index that had none. A run that is killed
        goes on where it was.

        Args:
            index: the `SearchIndex`, of photographs with regions.
            least: with fewer photographs nothing is prepared.
            say: called with a line about what was made.
        """
        shards = index.shards["images"]
        if sum(map(len, shards)) < least:
            return
        stage, made = index.first_stage, None
        if stage is None or not stage._arrays["of_sentences"]:
            words = _words(index.shards["sentences"])
            if stage is None or len(words) >= _NUM_PROBES:
                stage = made = cls._fitted(index, words)
        missing = [shard for shard in shards if not stage._open(shard)]
        for shard in missing:
            stage._write(shard)
        if made:
            write_arrays(index.index_dir / _FILE, _KIND, made._arrays)
            for path in index.index_dir.glob("images-*/first_stage-*.npy"):
                if stage._name not in path.name:
                    path.unlink()
        if missing:
            say(
                f"searches for photographs are in two stages: {stage.num_candidates(_RECALL_AT)} "
                f"of {stage.num_images} are scored exactly"
            )

    @classmethod
    def _fitted(cls, index, words):
        rng = np.random.default_rng(_SEED)
        images = _sample(index.shards["images"], _MEASURED_IMAGES, rng)
        of_sentences = len(words) >= _NUM_PROBES
        if not of_sentences:
            regions = np.asarray(images.vectors[images.region_mask], np.float32)
            words = regions - regions.mean(axis=0)
        rows = rng.choice(len(words), min(_NUM_PROBES, len(words)), replace=False)
        probes = np.asarray(words[np.sort(rows)], np.float32)
        left, sizes, right = np.linalg.svd(probes, full_matrices=False)
        left, sizes, right = left[:, :_WIDTH], sizes[:_WIDTH], right[:_WIDTH]
        inverse = sizes / (np.square(sizes) + _RIDGE * np.square(sizes).mean() + 1e-12)
        arrays = {"probes": probes, "basis": right.T.copy(), "fit": inverse[:, None] * left.T}
        arrays |= {"of_sentences": of_sentences, "num_measured": len(images), "num_candidates": 0}
        stage = cls(index.index_dir, arrays)
        arrays["num_candidates"] = stage._measured(images, index.sample("images", _NUM_QUERIES))
        return stage

    def _measured(self, images, queries):
        """Returns how many candidates hold the share `_RECALL` of the exact first ten."""
        words = np.concatenate([query.vectors for query in queries])
        lengths = [len(query.vectors) for query in queries]
        exact = max_sum_scores(images.vectors, images.region_mask, words, lengths).T
        sums = np.concatenate([query.summaries() for query in queries])
        near = (sums @ self._arrays["basis"]) @ self._vectors(images).T
        wanted = np.argsort(-exact, axis=1, kind="stable")[:, :_RECALL_AT]
        places = np.argsort(np.argsort(-near, axis=1), axis=1)
        ranks = np.sort(np.take_along_axis(places, wanted, axis=1), axis=None)
        return int(ranks[math.ceil(_RECALL * len(ranks)) - 1]) + 1

    def _vectors(self, images):
        probes = self._arrays["probes"]
        one_each = np.ones(len(probes), np.int64)
        scores = max_sum_scores(images.vectors, images.region_mask, probes, one_each)
        return scores @ self._arrays["fit"].T

    def _open(self, shard):
        """Maps the file of a shard, and returns whether there is one that is whole."""
        for path in shard.path.glob(f"first_stage-{self._name}-*.npy"):
            try:
                rows = open_array(path)
            except (OSError, VsaTfError):
                continue
            if file_sha256(path)[:16] in path.name and len(rows) == len(shard):
                self._of_shard[shard.name] = rows
        return shard.name in self._of_shard

    def _write(self, shard):
        vectors = self._vectors(shard.embedded)
        rows = np.empty(
            len(vectors), [("vector", np.float32, vectors.shape[1:]), ("crc32", np.uint32)]
        )
        rows["vector"], rows["crc32"] = vectors, _row_checksums(shard.embedded)
        content = io.BytesIO()
        np.save(content, rows, allow_pickle=False)
        digest = hashlib.sha256(content.getbuffer()).hexdigest()[:16]
        write_atomically(shard.path / f"first_stage-{self._name}-{digest}.npy", content.getbuffer())
        self._open(shard)


def _row_checksums(embedded):
    checksums = np.zeros(len(embedded), np.uint32)
    for array in embedded.arrays().values():
        for row in range(len(checksums)):
            checksums[row] = zlib.crc32(array[row].tobytes(), checksums[row])
    return checksums


def _words(shards):
    """Returns the words of enough sentences, float `[n, H]`, or all."""
    words, number = [np.zeros((0, 0))], 0
    for shard in shards:
        if number < 16 * _NUM_PROBES:
            words.append(np.asarray(shard.embedded.vectors, np.float32))
            number += len(words[-1])
    return np.concatenate(words[1:] or words)


def _sample(shards, count, rng):
    """Draws photographs of all shards, `Embedded` of `count`, or of all that there are."""
    ends = np.cumsum([len(shard) for shard in shards])
    drawn = np.sort(rng.choice(ends[-1], min(count, ends[-1]), replace=False))
    numbers = np.searchsorted(ends, drawn, side="right")
    return Embedded.joined(
        [
            shard.mapped.take(drawn[numbers == number] - (ends[number] - len(shard)))
            for number, shard in enumerate(shards)
            if (numbers == number).any()
        ]
    )
