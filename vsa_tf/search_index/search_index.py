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
from vsa_tf.search_index.first_stage import FirstStage
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
        first_stage: the `FirstStage` of a large index of photographs with regions, else None. Its
            shards are not read whole before a search needs it.

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
            shard.check_index(self.manifest)
        self.first_stage = FirstStage.load(self.index_dir, self.shards["images"])
        for shard in (*self.shards["images"], *self.shards["sentences"]):
            if self.first_stage is None or shard.name not in self.first_stage.shards:
                shard.embedded.check()  # read whole, here and once
        self._dead = _replaced_rows(self.shards["images"])
        self._checked = set()
        self._approximate = {}

    def num_numbers(self, kind):
        """Returns how many numbers an exact search of a kind reads."""
        return sum(shard.mapped.vectors.size for shard in self.shards[kind])

    def search(self, model, query, top_k=10, target="images", approximate=False, candidates=None):
        """Finds what answers a text or a photograph best.

        Args:
            model: a `Model` of the vectors that the index holds, of `open_model`.
            query: a text, str; or a photograph: a `pathlib.Path`, bytes, a PIL image or an array.
            top_k: most results.
            target: `images` or `sentences`, what is looked for.
            approximate, candidates: see `stage`.

        Returns:
            A list of `Hit`, best first.

        Raises:
            VsaTfError: the model is another one than made the index, an input cannot be read, the
                query is blank, or no result is asked for.
        """
        hits, known, _ = self.search_known(model, query, top_k, target, approximate, candidates)
        if note := known.note():
            warnings.warn(note, stacklevel=2)
        return hits

    def search_known(
        self, model, query, top_k=10, target="images", approximate=False, candidates=None
    ):
        """Returns `(hits, known, count)`: of `search`, and how it was found.

        `known` is a `TextKnowledge`, how much of the query the model knows; of a photograph it says
        nothing. `count` is how many entries were scored exactly: candidates and what was indexed
        after the stage, an image that was indexed again once; None: without a stage, all.
        """
        kind = "sentences" if isinstance(query, str) else "images"
        if kind == "sentences":
            check_text("query", query)
        if top_k < 1:
            raise VsaTfError(f"Expected --top_k of 1 or more. Received: --top_k={top_k}")
        if not self.shards.get(target):
            raise VsaTfError(f"--target={target}: {self.index_dir} holds no {target}")
        stage = self.stage(kind, target, approximate, candidates)
        model.check("embed_image" if kind == "images" else "embed_sentence")
        if (model, kind) not in self._checked:
            check_model(model, self.manifest, self.index_dir, kind)
            self._checked.add((model, kind))
        if kind == "images":
            embedded = Embedded.of_images(model.opened, [encoded(query)])
        else:
            embedded = Embedded.of_sentences(model.opened, [query])
        known = embedded.known[0] if embedded.known else TextKnowledge()
        hits, count = self._nearest(embedded, target, top_k, stage)
        return hits, known, None if stage is None else count

    def stage(self, kind, target, approximate=False, candidates=None):
        """Returns what finds the candidates of a search, which alone are then scored exactly.

        Args:
            kind: of the queries, `images` or `sentences`.
            target: `images` or `sentences`, what is looked for.
            approximate: of entries of one vector by the `ApproximateIndex` that `vsa_tf.index`
                makes, which is loaded once.
            candidates: of photographs with regions, for a text, how many are scored exactly; None:
                as many as a recall of 0.99 needs, where the index has a `FirstStage`; 0: all.

        Returns:
            The `FirstStage` or `ApproximateIndex`; None: every entry is scored, and what is found
            is exact.

        Raises:
            VsaTfError: the index has none, or such queries are searched exactly.
        """
        entries = self.shards[target][0].mapped
        if entries.has_regions and kind == "sentences":
            if self.first_stage is None and (approximate or candidates):
                raise VsaTfError(
                    f"{self.index_dir} has no first stage of a search: run vsa_tf.index "
                    f"--index_dir={self.index_dir} --approximate, or search without --candidates "
                    "and --approximate"
                )
            if candidates == 0 or self.first_stage is None:
                return None
            return self.first_stage.with_candidates(candidates) if candidates else self.first_stage
        if approximate and (entries.has_words or entries.has_regions) or candidates:
            raise VsaTfError(
                f"--approximate and --candidates: {target} of {self.index_dir} are searched "
                f"exactly by {kind}; leave them out"
            )
        if not approximate:
            return None
        if target not in self._approximate:
            self._approximate[target] = ApproximateIndex.load(self.index_dir, target)
        return self._approximate[target]

    def nearest(self, query, kind, top_k, stage=None):
        """Finds the entries nearest to a query that is embedded.

        Args:
            query: `Embedded` of one image or sentence.
            kind: `images` or `sentences`, what is looked for.
            top_k: most results.
            stage: of `stage`, whose candidates alone are scored, besides what was indexed after it;
                None: all are, and the result is exact.

        Returns:
            A list of `Hit`, best first; of equal scores the earlier entry.
        """
        return self._nearest(query, kind, top_k, stage)[0]

    def _nearest(self, query, kind, top_k, stage):
        """Returns `(hits, count)`: of `nearest`, and how many entries were scored exactly."""
        candidates = {} if stage is None else stage.candidates(query, top_k)
        places, parts, found, count = [], [], [], 0
        for number, shard in enumerate(self.shards[kind]):
            dead = self._dead[number] if kind == "images" else np.zeros(0, np.int64)
            if stage is None or shard.name not in stage.shards:
                scores = entry_scores(query, shard.embedded, self.manifest.score)
                scores[dead] = -np.inf
                count += len(scores) - len(dead)
                found += [
                    (-float(scores[row]), number, int(row))
                    for row in _best(scores, top_k)
                    if scores[row] > -np.inf
                ]
            elif shard.name in candidates:
                rows = np.setdiff1d(candidates[shard.name], dead, assume_unique=True)
                parts.append(stage.take(shard, rows))
                places += [(number, int(row)) for row in rows]
        if places:
            scores = entry_scores(query, Embedded.joined(parts), self.manifest.score)
            found += [(-float(scores[place]), *places[place]) for place in _best(scores, top_k)]
        hits = [self._hit(query, kind, *place) for place in sorted(found)[:top_k]]
        return hits, count + len(places)

    def _hit(self, query, kind, negative_score, number, row):
        shard = self.shards[kind][number]
        column = shard.columns["path" if kind == "images" else "sentence"]
        box = None
        if shard.mapped.has_regions and query.kind == "sentences":
            box = tuple(
                map(float, best_boxes(query, shard.mapped.take([row]), self.manifest.score)[0])
            )
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
            embedded, row = shards[number].mapped, int(place - (ends[number] - sizes[number]))
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


def answer_query(
    index_dir,
    source,
    query,
    is_image,
    target,
    top_k,
    approximate=False,
    candidates=None,
    output=None,
):
    """Searches an index and writes a JSON line for each result.

    Args:
        index_dir: directory that `vsa_tf.index` has written.
        source: the `ModelSource` of the query, a model of the same vectors as the index's.
        query: a text, or the path of an image.
        is_image: which of them.
        target: `images` or `sentences`, what is looked for.
        top_k: most results.
        approximate, candidates: see `SearchIndex.stage`.
        output: a text file; None: the standard output.

    Raises:
        VsaTfError: index or model cannot be used, or are not of one model.
    """
    index = SearchIndex(index_dir)
    kind = "images" if is_image else "sentences"
    # Before the model, which takes seconds to open.
    _advise(index, target, index.stage(kind, target, approximate, candidates))
    model = Model.of(source, "embed_image" if is_image else "embed_sentence")
    query = pathlib.Path(query) if is_image else query
    found = index.search_known(model, query, top_k, target, approximate, candidates)
    _write(found, target, output)


def answer_lines(
    index_dir,
    source,
    lines,
    is_image,
    target,
    top_k,
    approximate=False,
    candidates=None,
    output=None,
    strict=False,
):
    """Searches an index for each of many queries, by a model that is opened once.

    The JSON lines of each begin with `query`; one that cannot be answered is `{"query", "error"}`.

    Args:
        lines: iterable of str, each of which is answered before the next is taken.
        is_image: tells of a line whether it is the path of an image.
        index_dir, source, target, top_k, approximate, candidates, output: as of `answer_query`.
        strict: see `report_failures`.

    Raises:
        VsaTfError: index or model cannot be used; or see `report_failures`.
    """
    index = SearchIndex(index_dir)
    _advise(index, target, approximate or index.first_stage)
    model = Model.of(source)
    num_lines = num_failed = 0
    for line in lines:
        num_lines += 1
        try:
            query = pathlib.Path(line) if is_image(line) else line
            found = index.search_known(model, query, top_k, target, approximate, candidates)
        except VsaTfError as error:
            num_failed += 1
            answer = json_text({"query": line, "error": error.of_flags})
            print(answer, file=output or sys.stdout, flush=True)
        else:
            _write(found, target, output, query=line)
    report_failures(num_failed, num_lines, strict, print_note, "lines")


def _advise(index, target, stage):
    if not stage and index.num_numbers(target) > LARGE_INDEX_NUMBERS:
        print_note("every entry is scored: vsa_tf.index --approximate makes large indices quicker")


def _write(found, target, output, **asked):
    hits, known, count = found
    scored = {} if count is None else {"candidates": count}
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
            **scored,
            **known.to_dict(),
        }
        print(json_text(line), file=output or sys.stdout, flush=True)
