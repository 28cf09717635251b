import pkgutil
import random
import sys

import numpy as np
import pytest

from tests.search_index.given_embeddings import unit, write_index
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed, sealed, write_json
from vsa_tf.search_index import approximate_index
from vsa_tf.search_index.approximate_index import ApproximateIndex
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexShard
from vsa_tf.search_index.search_index import SearchIndex

pytest.importorskip("faiss", reason="faiss is an extra")


@pytest.fixture
def without_regions(tmp_path):
    vectors = unit(np.random.default_rng(0), 3000)
    parts = [Embedded("images", vectors[:1000]), Embedded("images", vectors[1000:])]
    return SearchIndex(write_index(tmp_path / "index", "distance", *parts))


def test_the_recall_is_that_of_its_own_first_ten(without_regions):
    index = without_regions
    built = ApproximateIndex.build(index, "images")
    assert built.recall >= 0.95
    shares = []
    for query in index.sample("images", 100):
        exact = {hit.entry for hit in index.nearest(query, "images", 10)}
        found = {hit.entry for hit in index.nearest(query, "images", 10, built)}
        shares.append(len(exact & found) / 10)
    assert built.recall == pytest.approx(np.mean(shares))
    # Opened again it is the same.
    opened = ApproximateIndex.load(index.index_dir, "images")
    assert (opened.recall, opened.num_cells) == (built.recall, built.num_cells)


def test_what_it_finds_is_scored_exactly(without_regions):
    index = without_regions
    built = ApproximateIndex.build(index, "images")
    (query,) = index.sample("images", 1)
    exact = {hit.entry: hit for hit in index.nearest(query, "images", 3000)}
    hits = index.nearest(query, "images", 10, built)
    assert len(hits) == 10
    for hit in hits:
        assert hit.score == pytest.approx(exact[hit.entry].score, abs=1e-5)


def test_few_cells_leave_most_entries_unscored(without_regions):
    index = without_regions
    built = ApproximateIndex.build(index, "images")
    built.num_cells = 1
    (query,) = index.sample("images", 1)
    rows = built.candidates(query, 10)
    assert 0 < sum(len(found) for found in rows.values()) <= 100


def test_what_was_indexed_later_is_searched_too(without_regions):
    built = ApproximateIndex.build(without_regions, "images")
    new = unit(np.random.default_rng(1), 1)
    columns = {"path": ["new"], "size": [1], "mtime_ns": [1]}
    IndexShard.write(without_regions.index_dir, columns, Embedded("images", new))
    index = SearchIndex(without_regions.index_dir)
    assert index.nearest(Embedded("sentences", new), "images", 1, built)[0].entry == "new"
    # Built again it is in, and the old file is gone.
    again = ApproximateIndex.build(index, "images")
    assert again.shards == built.shards | {"images-00002"}
    assert len(list(index.index_dir.glob("*.faiss"))) == 1
    assert index.nearest(Embedded("sentences", new), "images", 1, again)[0].entry == "new"


def _raise(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "calls_before", "is_new"),
    [
        ("faiss.write_index", 0, False),
        ("vsa_tf.search_index.approximate_index.ApproximateIndex._measure", 0, False),
        ("os.replace", 0, False),  # of the JSON, not in its place yet
        ("os.replace", 1, False),  # of the cells
        ("os.replace", 2, False),  # of the JSON
        ("pathlib.Path.unlink", 0, True),
    ],
)
def test_killed_at_any_step_the_old_one_or_the_new_answers(
    without_regions, monkeypatch, name, calls_before, is_new
):
    index = without_regions
    (query,) = index.sample("images", 1)

    def found():
        opened = ApproximateIndex.load(index.index_dir, "images")
        rows = opened.candidates(query, 10)
        return opened.recall, opened.num_cells, {name: list(rows[name]) for name in rows}

    ApproximateIndex.build(index, "images")
    old = found()
    # The same shards in other cells.
    monkeypatch.setattr(approximate_index, "_VECTORS_PER_CELL", 150)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)  # nor does a killed run
        path, attribute = name.rsplit(".", 1)
        step, calls = pkgutil.resolve_name(name), []

        def killed(*arguments):
            calls.append(arguments)
            return step(*arguments) if len(calls) <= calls_before else _raise()

        patch.setattr(pkgutil.resolve_name(path), attribute, killed)
        with pytest.raises(KeyboardInterrupt):
            ApproximateIndex.build(index, "images")
    left = found()
    ApproximateIndex.build(index, "images")
    new = found()
    assert old != new
    assert left == (new if is_new else old)
    names = {path.name for path in index.index_dir.iterdir()}
    file = read_sealed(index.index_dir / "images.approximate.json")["file"]
    shards = {"images-00000", "images-00001"}
    assert names == {"index.json", *shards, "images.approximate.json", file}


def test_the_first_is_there_when_it_is_measured(without_regions, monkeypatch):
    index = without_regions
    with monkeypatch.context() as patch:
        patch.setattr(ApproximateIndex, "_measure", _raise)
        with pytest.raises(KeyboardInterrupt):
            ApproximateIndex.build(index, "images")
    with pytest.raises(VsaTfError, match="no approximate index of images: run vsa_tf.index"):
        ApproximateIndex.load(index.index_dir, "images")
    # Earlier versions left one.
    ApproximateIndex.build(index, "images")
    path = index.index_dir / "images.approximate.json"
    write_json(path, sealed({**read_sealed(path), "num_cells": 1, "recall": 0.0}))
    with pytest.raises(VsaTfError, match="interrupted. Remove it and run .* --approximate"):
        ApproximateIndex.load(index.index_dir, "images")


def test_a_bit_that_is_another_is_refused_or_harmless(without_regions):
    index = without_regions
    built = ApproximateIndex.build(index, "images")
    (query,) = index.sample("images", 1)
    expected = index.nearest(query, "images", 10, built)
    rng = random.Random(0)
    for path in index.index_dir.glob("images*.*"):
        whole = path.read_bytes()
        for _ in range(40):
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            try:
                opened = ApproximateIndex.load(index.index_dir, "images")
                assert index.nearest(query, "images", 10, opened) == expected, path
            except VsaTfError as error:
                assert "images" in str(error) and "--approximate" in str(error)
        path.write_bytes(whole)


def test_an_index_that_was_not_built_is_named(without_regions):
    with pytest.raises(VsaTfError, match="no approximate index of images: run vsa_tf.index"):
        ApproximateIndex.load(without_regions.index_dir, "images")


def test_without_faiss_the_extra_is_named(without_regions, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(VsaTfError, match=r"vsa_tf\[faiss\]"):
        ApproximateIndex.build(without_regions, "images")
