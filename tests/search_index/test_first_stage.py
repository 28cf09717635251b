import numpy as np
import pytest

from tests.search_index.given_embeddings import (
    WIDTH,
    images_with_regions,
    sentences_with_words,
    write_index,
)
from vsa_tf.errors import VsaTfError
from vsa_tf.search_index import first_stage
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.first_stage import FirstStage
from vsa_tf.search_index.index_directory import IndexWriter
from vsa_tf.search_index.search_index import SearchIndex

_IMAGES = 240


def _index(path, score="max_sum", num_sentences=500, num_regions=4, dtype="float32"):
    """Images in three shards, and sentences with more words than there are probes."""
    rng = np.random.default_rng(0)
    images = images_with_regions(rng, _IMAGES, num_regions)
    parts = [images.take(np.arange(*ends)) for ends in ((0, 100), (100, 101), (101, _IMAGES))]
    parts += [sentences_with_words(rng, num_sentences)] if num_sentences else []
    return SearchIndex(write_index(path, score, *parts, dtype=dtype))


def _prepared(path, **options):
    FirstStage.prepare(_index(path, **options), least=1)
    return SearchIndex(path)


def _add(index, embedded, name="new"):
    columns = {"sentence": [f"{name} {row}" for row in range(len(embedded))]}
    if embedded.kind == "images":
        ones = [1] * len(embedded)
        columns = {"path": columns["sentence"], "size": ones, "mtime_ns": ones}
    with IndexWriter(index.index_dir, "float32") as writer:
        writer.add(columns, embedded)
    return SearchIndex(index.index_dir)


def _files(index):
    return {path.parent.name: path for path in index.index_dir.glob("*/first_stage-*.npy")}


@pytest.mark.parametrize("score", ["max_sum", "max_mean", "distance"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_where_all_are_candidates_what_is_found_is_exact(tmp_path, score, dtype):
    index = _prepared(tmp_path / "index", score=score, dtype=dtype)
    stage = index.stage("sentences", "images", candidates=_IMAGES)
    for query in index.sample("images", 5):
        exact = index.nearest(query, "images", 12)
        hits = index.nearest(query, "images", 12, stage)
        assert [(hit.entry, hit.box) for hit in hits] == [(hit.entry, hit.box) for hit in exact]
        scores = [hit.score for hit in exact]
        assert [hit.score for hit in hits] == pytest.approx(scores, rel=1e-5, abs=1e-5)


def test_as_many_candidates_as_were_measured_have_the_recall(tmp_path):
    index = _prepared(tmp_path / "index")
    measured = int(index.first_stage._arrays["num_candidates"])
    assert 10 <= measured < _IMAGES
    shares = []
    for count in (measured, 10):
        stage = index.first_stage.with_candidates(count)
        found = []
        for query in index.sample("images", 100):
            exact = {hit.entry for hit in index.nearest(query, "images", 10)}
            hits = {hit.entry for hit in index.nearest(query, "images", 10, stage)}
            found.append(len(exact & hits) / 10)
        shares.append(np.mean(found))
    assert shares[0] >= 0.995 > shares[1]


def test_of_images_of_one_region_the_vector_foretells_the_score_itself(tmp_path):
    # The score is then a product, and as many directions as the vectors have numbers hold it all.
    index = _prepared(tmp_path / "index", num_regions=1)
    basis = index.first_stage._arrays["basis"]
    assert basis.shape == (WIDTH, WIDTH)
    images = index.shards["images"][0].embedded
    query = index.sample("images", 1)[0]
    expected = images.vectors[:, 0] @ query.vectors.sum(axis=0)
    foretold = index.first_stage._vectors(images) @ basis.T @ query.vectors.sum(axis=0)
    # The ridge takes about a hundredth.
    np.testing.assert_allclose(foretold, expected, rtol=0.03, atol=0.03)


def test_few_candidates_leave_most_photographs_unread(tmp_path):
    index = _prepared(tmp_path / "index")
    query = index.sample("images", 1)[0]
    rows = index.first_stage.with_candidates(7).candidates(query, 5)
    assert sum(map(len, rows.values())) == 7
    assert len(index.nearest(query, "images", 5, index.first_stage.with_candidates(1))) == 5


def test_the_candidates_grow_with_the_root_of_the_photographs_and_with_the_results(tmp_path):
    stage = _prepared(tmp_path / "index").first_stage
    stage._arrays |= {"num_measured": 60, "num_candidates": 28}
    assert stage.num_candidates(10) == 112  # twice, and 4 times as many photographs
    assert stage.num_candidates(20) == 224
    stage._arrays["of_sentences"] = False
    assert stage.num_candidates(10) == 224
    stage._arrays["num_candidates"] = 10
    assert stage.num_candidates(5) == 100  # the fewest


def test_what_is_indexed_later_is_scored_exactly_and_then_gets_its_vector(tmp_path):
    index = _prepared(tmp_path / "index")
    before = {name: path.read_bytes() for name, path in _files(index).items()}
    rng = np.random.default_rng(1)
    query = sentences_with_words(rng, 1)
    best = np.tile(100 * query.vectors.sum(axis=0), (1, 4, 1))
    new = Embedded("images", best, np.full(1, 4, np.int32), np.zeros((1, 4, 4), np.float32))
    index = _add(index, new)
    stage = index.first_stage.with_candidates(1)
    assert "images-00003" not in stage.shards
    (hit,), num_scored = index._nearest(query, "images", 1, stage)
    assert (hit.entry, num_scored) == ("new 0", 2)  # itself and the candidate
    FirstStage.prepare(index, least=1)
    index = SearchIndex(index.index_dir)
    assert index.first_stage.shards == {f"images-0000{number}" for number in range(4)}
    # Those of before are as they were: nothing is fitted again.
    after = {name: path.read_bytes() for name, path in _files(index).items()}
    assert after.pop("images-00003") and after == before
    stage = index.first_stage.with_candidates(10)
    assert index.nearest(query, "images", 1, stage)[0].entry == "new 0"


def test_a_photograph_that_was_indexed_again_counts_once(tmp_path):
    index = _index(tmp_path / "index")
    changed = index.shards["images"][0].embedded.take([5])
    with IndexWriter(index.index_dir, "float32") as writer:
        writer.add({"path": ["image 3"], "size": [2], "mtime_ns": [2]}, changed)
    FirstStage.prepare(SearchIndex(index.index_dir), least=1)
    index = SearchIndex(index.index_dir)
    query = index.sample("images", 1)[0]
    stage = index.first_stage.with_candidates(500)
    hits, num_scored = index._nearest(query, "images", 500, stage)
    assert hits == index.nearest(query, "images", 500)
    assert len({hit.entry for hit in hits}) == len(hits) == num_scored == _IMAGES


def test_words_of_sentences_that_come_later_replace_regions_as_probes(tmp_path):
    index = _prepared(tmp_path / "index", num_sentences=0)
    old, stage = _files(index), index.first_stage
    assert not stage._arrays["of_sentences"] and len(old) == 3
    index = _add(index, sentences_with_words(np.random.default_rng(2), 500))
    FirstStage.prepare(index, least=1)
    index = SearchIndex(index.index_dir)
    assert index.first_stage._arrays["of_sentences"]
    new = [path for path in index.index_dir.glob("*/first_stage-*.npy")]
    assert len(new) == 3 and not set(new) & set(old.values())


def test_a_small_index_is_left_as_it_is(tmp_path):
    index = _index(tmp_path / "index")
    FirstStage.prepare(index, least=_IMAGES + 1)
    assert not _files(index) and SearchIndex(index.index_dir).first_stage is None


@pytest.mark.parametrize("at", range(4))
def test_a_run_killed_at_any_write_goes_on_where_it_was(tmp_path, monkeypatch, at):
    index = _index(tmp_path / "index")
    query = index.sample("images", 1)[0]
    exact = index.nearest(query, "images", 10)
    # The fit is written when every shard has its vectors.
    name, writes_before = ("write_arrays", 0) if at == 3 else ("write_atomically", at)
    write, written = getattr(first_stage, name), []

    def killed(*arguments):
        if len(written) == writes_before:
            raise KeyboardInterrupt
        written.append(arguments)
        return write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(first_stage, name, killed)
        with pytest.raises(KeyboardInterrupt):
            FirstStage.prepare(index, least=1)
    index = SearchIndex(index.index_dir)
    assert index.stage("sentences", "images") is None
    assert index.nearest(query, "images", 10) == exact
    left = {path: path.stat().st_mtime_ns for path in _files(index).values()}
    FirstStage.prepare(index, least=1)
    index = SearchIndex(index.index_dir)
    assert len(index.first_stage.shards) == 3
    assert left == {path: path.stat().st_mtime_ns for path in left}


def test_damage_is_refused_or_harmless(tmp_path):
    index = _prepared(tmp_path / "index")
    query = index.sample("images", 1)[0]
    stage = index.stage("sentences", "images", candidates=220)
    expected = index.nearest(query, "images", 10)
    assert index.nearest(query, "images", 10, stage) == expected
    rng, refused = np.random.default_rng(0), set()
    for path in [*index.index_dir.glob("images-00002/*.npy"), index.index_dir / first_stage._FILE]:
        whole = path.read_bytes()
        for place in rng.integers(len(whole), size=15):
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.integers(8)
            path.write_bytes(changed)
            try:
                opened = SearchIndex(index.index_dir)
                stage = opened.stage("sentences", "images", candidates=220)
                hits = opened.nearest(query, "images", 10, stage)
            except VsaTfError as error:
                assert "damaged" in str(error), path
                refused.add(path.name)
            else:
                assert [hit.entry for hit in hits] == [hit.entry for hit in expected], path
        path.write_bytes(whole)
    # What no search reads is not looked at; what it reads is.
    assert "vectors.npy" in refused
    # A damaged file of a shard's vectors is as none.
    assert not any(name.startswith("first_stage-") for name in refused)
