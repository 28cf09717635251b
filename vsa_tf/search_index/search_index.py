"""An index that is searched: by vectors, or by a text or photograph that its model embeds."""

import pathlib
import sys
import warnings
from typing import NamedTuple

import numpy as np

from vsa_tf.errors import VsaTfError, check_text
from vsa_tf.files import json_text
from vsa_tf.inference.image_files import report_failures, rounded
from vsa_tf.inference.model import Model
from vsa_tf.inference.photographs import encoded
from vsa_tf.program import print_note, print_warning
from vsa_tf.search_index.approximate_index import ApproximateIndex
from vsa_tf.search_index.embedded import Embedded, best_boxes, entry_scores
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard
from vsa_tf.search_index.model_probe import check_model
from vsa_tf.text.vocabulary import TextKnowledge

# A million vectors of 512 numbers; an exact search reads them all.
LARGE_INDEX_NUMBERS = 512_000_000


class Hit(NamedTuple):
    """What answers a query: one entry of the index.

    Attributes:
        entry: path of the image, or the sentence.
        score: larger is better.
        box: of the region that answers, normalised `ymin, xmin, ymax, xmax`; None where the index
            has no regions, or the query is an image.
    """

    entry: str
    score: float
    box: tuple | None


class SearchIndex:
    """The entries of an index directory, memory-mapped.

    An image that was indexed again, because its file had changed, counts once.

    Args:
        index_dir: directory that `vsa_tf.index` has written.

    Attributes:
        index_dir: the directory, a `pathlib.Path`.
        manifest: the `IndexManifest`.
        shards: dict of `images` and `sentences` to the list of their `IndexShard`.

    Raises:
        VsaTfError: there is no index, or it is damaged.
    """

    def __init__(self, index_dir):
        self.index_dir = pathlib.Path(index_dir)
        self.manifest = IndexManifest.load(index_dir)
        if self.manifest is None:
            raise VsaTfError(
                "Expected a directory that vsa_tf.index has written. Received: "
                f"{str(index_dir)!r}, which holds no index"
            )
        self.shards = {
            kind: [IndexShard(path, kind) for path in IndexShard.find(index_dir, kind)]
            for kind in ("images", "sentences")
        }
        for shard in (*self.shards["images"], *self.shards["sentences"]):
            shard.embedded.check()  # read whole, here and once
        self._dead = _replaced_rows(self.shards["images"])
        self._checked = set()
        self._approximate = {}

    def num_numbers(self, kind):
        """Returns how many numbers an exact search of a kind reads."""
        return sum(shard.embedded.vectors.size for shard in self.shards[kind])

    def search(self, model, query, top_k=10, target="images", approximate=False):
        """Finds what answers a text or a photograph best.

        Args:
            model: a `Model` of the vectors that the index holds, of `open_model`.
            query: a text, str; or a photograph: a `pathlib.Path`, bytes, a PIL image or an array.
            top_k: most results.
            target: `images` or `sentences`, what is looked for.
            approximate: by the `ApproximateIndex` that `vsa_tf.index` makes.

        Returns:
            A list of `Hit`, best first.

        Raises:
            VsaTfError: the model is another one than made the index, an input cannot be read, the
                query is blank, or no result is asked for.
        """
        hits, known = self.search_known(model, query, top_k, target, approximate)
        if note := known.note():
            warnings.warn(note, stacklevel=2)
        return hits

    def search_known(self, model, query, top_k=10, target="images", approximate=False):
        """Returns `(hits, known)`: of `search`, and how much of the query the model knows.

        The second is a `TextKnowledge`; of a photograph it says nothing.
        """
        kind = "sentences" if isinstance(query, str) else "images"
        if kind == "sentences":
            check_text("query", query)
        if top_k < 1:
            raise VsaTfError(f"Expected --top_k of 1 or more. Received: --top_k={top_k}")
        if not self.shards.get(target):
            raise VsaTfError(f"--target={target}: {self.index_dir} holds no {target}")
        candidates = self.approximate(kind, target) if approximate else None
        model.check("embed_image" if kind == "images" else "embed_sentence")
        if (model, kind) not in self._checked:
            check_model(model, self.manifest, self.index_dir, kind)
            self._checked.add((model, kind))
        if kind == "images":
            embedded = Embedded.of_images(model.opened, [encoded(query)])
        else:
            embedded = Embedded.of_sentences(model.opened, [query])
        known = embedded.known[0] if embedded.known else TextKnowledge()
        return self.nearest(embedded, target, top_k, candidates), known

    def approximate(self, kind, target):
        """Returns the `ApproximateIndex` of a target for queries of a kind, loaded once.

        Raises:
            VsaTfError: there is none, or such queries are searched exactly.
        """
        entries = self.shards[target][0].embedded
        if entries.has_words or entries.has_regions and kind == "images":
            raise VsaTfError(
                f"--approximate: {target} of {self.index_dir} are searched exactly by {kind}; "
                "leave it out"
            )
        if target not in self._approximate:
            self._approximate[target] = ApproximateIndex(self.index_dir, target)
        return self._approximate[target]

    def nearest(self, query, kind, top_k, approximate=None):
        """Finds the entries nearest to a query that is embedded.

        Args:
            query: `Embedded` of one image or sentence.
            kind: `images` or `sentences`, what is looked for.
            top_k: most results.
            approximate: the `ApproximateIndex` of the kind, whose candidates alone are scored,
                besides what was indexed after it; None: all are, and the result is exact.

        Returns:
            A list of `Hit`, best first; of equal scores the earlier entry.
        """
        candidates = {} if approximate is None else approximate.candidates(query, top_k)
        found = []
        for number, shard in enumerate(self.shards[kind]):
            rows = candidates.get(shard.name)
            if approximate is not None and shard.name in approximate.shards and rows is None:
                continue
            entries = shard.embedded if rows is None else shard.embedded.take(rows)
            scores = entry_scores(query, entries, self.manifest.score)
            if kind == "images" and self._dead[number].size:
                dead = self._dead[number]
                scores[dead if rows is None else np.isin(rows, dead)] = -np.inf
            best = _best(scores, top_k)
            found += [
                (-float(scores[row]), number, int(row if rows is None else rows[row]))
                for row in best
                if scores[row] > -np.inf
            ]
        return [self._hit(query, kind, *place) for place in sorted(found)[:top_k]]

    def _hit(self, query, kind, negative_score, number, row):
        shard = self.shards[kind][number]
        column = shard.columns["path" if kind == "images" else "sentence"]
        box = None
        if shard.embedded.has_regions and query.kind == "sentences":
            box = tuple(map(float, best_boxes(query, shard.embedded.take([row]))[0]))
        return Hit(column[row], -negative_score, box)

    def sample(self, kind, count, seed=0):
        """Draws queries that an index of a kind might get.

        Args:
            kind: what they look for.
            count: how many, at most.
            seed: of the drawing.

        Returns:
            A list of `Embedded` of one: indexed sentences; where there are none, vectors of the
            entries themselves.
        """
        rng = np.random.default_rng(seed)
        shards = self.shards["sentences"] or self.shards[kind]
        sizes = [len(shard) for shard in shards]
        drawn = rng.choice(sum(sizes), min(count, sum(sizes)), replace=False)
        ends = np.cumsum(sizes)
        queries = []
        for place in np.sort(drawn):
            number = int(np.searchsorted(ends, place, side="right"))
            embedded, row = shards[number].embedded, int(place - (ends[number] - sizes[number]))
            if embedded.has_words:
                first = int(embedded.counts[:row].sum())
                words = embedded.vectors[first : first + embedded.counts[row]]
                queries.append(Embedded("sentences", words, embedded.counts[row : row + 1]))
            elif embedded.has_regions:
                region = embedded.vectors[row, rng.integers(embedded.counts[row])]
                queries.append(Embedded("sentences", region[None]))
            else:
                queries.append(Embedded("sentences", embedded.vectors[row : row + 1]))
        return queries


def _best(scores, count):
    """Returns the rows of the largest scores, float `[n]`; of equal ones the smaller."""
    count = min(count, len(scores))
    if not count:
        return np.zeros(0, np.int64)
    last = np.partition(scores, -count)[-count]
    rows = np.flatnonzero(scores >= last)
    return rows[np.argsort(-scores[rows], kind="stable")][:count]


def _replaced_rows(shards):
    """Returns, for each shard, the rows whose path a later entry holds too."""
    seen, dead = set(), []
    for shard in reversed(shards):
        paths, replaced = shard.columns["path"], []
        for row in reversed(range(len(paths))):
            if paths[row] in seen:
                replaced.append(row)
            seen.add(paths[row])
        dead.append(np.array(replaced, np.int64))
    return dead[::-1]


def answer_query(index_dir, source, query, is_image, target, top_k, approximate=False, output=None):
    """Searches an index and writes a JSON line for each result.

    Args:
        index_dir: directory that `vsa_tf.index` has written.
        source: the `ModelSource` of the query, a model of the same vectors as the index's.
        query: a text, or the path of an image.
        is_image: which of them.
        target: `images` or `sentences`, what is looked for.
        top_k: most results.
        approximate: search with the `ApproximateIndex`.
        output: a text file; None: the standard output.

    Raises:
        VsaTfError: index or model cannot be used, or are not of one model.
    """
    index = _opened(index_dir, target, approximate)
    if approximate:
        # Before the model, which takes seconds to open.
        index.approximate("images" if is_image else "sentences", target)
    model = Model.of(source, "embed_image" if is_image else "embed_sentence")
    query = pathlib.Path(query) if is_image else query
    _write(index.search_known(model, query, top_k, target, approximate), target, output)


def answer_lines(
    index_dir, source, lines, is_image, target, top_k, approximate=False, output=None, strict=False
):
    """Searches an index for each of many queries, by a model that is opened once.

    The JSON lines of each begin with `query`; one that cannot be answered is `{"query", "error"}`.

    Args:
        lines: iterable of str, each of which is answered before the next is taken.
        is_image: tells of a line whether it is the path of an image.
        index_dir, source, target, top_k, approximate, output: as of `answer_query`.
        strict: see `report_failures`.

    Raises:
        VsaTfError: index or model cannot be used; or see `report_failures`.
    """
    index = _opened(index_dir, target, approximate)
    model = Model.of(source)
    num_lines = num_failed = 0
    for line in lines:
        num_lines += 1
        try:
            query = pathlib.Path(line) if is_image(line) else line
            found = index.search_known(model, query, top_k, target, approximate)
        except VsaTfError as error:
            num_failed += 1
            answer = json_text({"query": line, "error": error.of_flags})
            print(answer, file=output or sys.stdout, flush=True)
        else:
            _write(found, target, output, query=line)
    report_failures(num_failed, num_lines, strict, print_note, "lines")


def _opened(index_dir, target, approximate):
    index = SearchIndex(index_dir)
    if not approximate and index.num_numbers(target) > LARGE_INDEX_NUMBERS:
        print_note("a large index: --approximate would be quicker")
    return index


def _write(found, target, output, **asked):
    hits, known = found
    print_warning(known.note())
    for rank, hit in enumerate(hits, 1):
        entry = {"path" if target == "images" else "sentence": hit.entry}
        box = {} if hit.box is None else {"box": rounded(hit.box)}
        line = {
            **asked,
            "rank": rank,
            **entry,
            "score": rounded(hit.score),
            **box,
            **known.to_dict(),
        }
        print(json_text(line), file=output or sys.stdout, flush=True)
