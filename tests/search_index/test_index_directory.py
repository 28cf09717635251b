import json
import shutil

import numpy as np
import pytest

from tests.demo.small_index import write_small_index
from tests.search_index.given_embeddings import images_with_regions
from vsa_tf.errors import VsaTfError
from vsa_tf.search_index import index_directory
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard, IndexWriter
from vsa_tf.search_index.search_index import SearchIndex


def test_a_saved_manifest_is_loaded(tmp_path):
    manifest = IndexManifest({"server": "h:1"}, "max_sum", "float16", {"images": [0.5, -1.25]})
    manifest.save(tmp_path)
    assert IndexManifest.load(tmp_path) == manifest


def test_a_directory_without_an_index_has_no_manifest(tmp_path):
    assert IndexManifest.load(tmp_path) is None
    assert IndexManifest.load(tmp_path / "nowhere") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\x00"])
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(VsaTfError, match="no index that can be read"):
        IndexManifest.load(tmp_path)


def _columns(count):
    return {
        "path": [f"{number}.jpg" for number in range(count)],
        "size": [1] * count,
        "mtime_ns": [2] * count,
    }


def test_a_written_shard_is_read_memory_mapped(tmp_path):
    images = images_with_regions(np.random.default_rng(0), 3)
    IndexShard.write(tmp_path, _columns(3), images)
    (path,) = IndexShard.find(tmp_path, "images")
    shard = IndexShard(path, "images")
    assert shard.columns == _columns(3) and len(shard) == 3
    for name, array in images.arrays().items():
        np.testing.assert_array_equal(shard.embedded.arrays()[name], array)
    assert isinstance(shard.embedded.vectors, np.memmap)


def test_shards_are_found_in_the_order_they_were_written(tmp_path):
    for count in range(1, 13):
        vectors = Embedded("sentences", np.ones((count, 2), np.float32))
        IndexShard.write(tmp_path, {"sentence": ["a"] * count}, vectors)
    # Beyond five digits names no longer sort by letters.
    (tmp_path / "sentences-00011").rename(tmp_path / "sentences-123456")
    found = [len(IndexShard(path, "sentences")) for path in IndexShard.find(tmp_path, "sentences")]
    assert found == list(range(1, 13))
    assert IndexShard.find(tmp_path, "images") == []


def test_a_killed_run_leaves_nothing_that_is_found(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    images = images_with_regions(np.random.default_rng(0), 3)
    with monkeypatch.context() as patch:
        patch.setattr("vsa_tf.search_index.index_directory.os.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            IndexShard.write(tmp_path, _columns(3), images)
    assert IndexShard.find(tmp_path, "images") == []
    # The next run writes over what was left.
    IndexShard.write(tmp_path, _columns(3), images)
    assert [path.name for path in IndexShard.find(tmp_path, "images")] == ["images-00000"]
    assert len(list(tmp_path.iterdir())) == 1


def test_another_run_that_writes_at_the_time_takes_another_number(tmp_path, monkeypatch):
    images = images_with_regions(np.random.default_rng(0), 3)
    IndexShard.write(tmp_path, _columns(3), images)
    monkeypatch.setattr(IndexShard, "find", staticmethod(lambda *_: []))
    IndexShard.write(tmp_path, _columns(3), images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images-00000", "images-00001"]


def test_a_shard_of_another_model_is_refused(tmp_path):
    indexes = []
    for name, probe in (("a", (0.0, 1.0)), ("b", (1.0, 0.0))):
        (tmp_path / name).mkdir()
        indexes.append(write_small_index(tmp_path / name, probe=probe))
        SearchIndex(indexes[-1])
    shutil.rmtree(indexes[0] / "images-00000")
    shutil.copytree(indexes[1] / "images-00000", indexes[0] / "images-00000")
    with pytest.raises(VsaTfError, match="images-00000 is of another model than index.json"):
        SearchIndex(indexes[0])
    # One of before shards said so is taken as it is.
    path = indexes[0] / "images-00000" / "checksums.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if "." in k}))
    SearchIndex(indexes[0])


@pytest.mark.parametrize("damage", ["cut", "entries", "missing"])
def test_a_damaged_shard_is_named(tmp_path, damage):
    IndexShard.write(tmp_path, _columns(3), images_with_regions(np.random.default_rng(0), 3))
    (path,) = IndexShard.find(tmp_path, "images")
    if damage == "cut":
        whole = (path / "vectors.npy").read_bytes()
        (path / "vectors.npy").write_bytes(whole[:-100])
    elif damage == "entries":
        (path / "entries.json").write_text(json.dumps(_columns(2)))
    else:
        (path / "vectors.npy").unlink()
    with pytest.raises(VsaTfError, match="images-00000 is damaged.*Remove it"):
        len(IndexShard(path, "images").embedded)


def _add(writer, *names):
    vectors = np.full((len(names), 2), 0.1, np.float32)
    writer.add({"sentence": list(names)}, Embedded("sentences", vectors))


def _shards(path):
    return [IndexShard(found, "sentences") for found in IndexShard.find(path, "sentences")]


def test_a_shard_is_written_when_it_is_large_or_a_minute_has_gone(tmp_path, monkeypatch):
    # Three vectors of two float32 are 24 bytes.
    monkeypatch.setattr(index_directory, "_SHARD_BYTES", 24)
    now = [0.0]
    with IndexWriter(tmp_path, "float32", clock=lambda: now[0]) as writer:
        _add(writer, "a", "b")
        assert _shards(tmp_path) == []
        now[0] = 50.0
        _add(writer, "c")
        assert len(_shards(tmp_path)) == 1
        now[0] = 109.0
        _add(writer, "d")
        assert len(_shards(tmp_path)) == 1
        now[0] = 110.0
        _add(writer, "e")
        assert len(_shards(tmp_path)) == 2
        _add(writer, "f")
    names = [shard.columns["sentence"] for shard in _shards(tmp_path)]
    assert names == [["a", "b", "c"], ["d", "e"], ["f"]]


def test_what_was_embedded_is_written_when_the_run_fails(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with IndexWriter(tmp_path, "float32") as writer:
            _add(writer, "a", "b")
            raise KeyboardInterrupt
    (shard,) = _shards(tmp_path)
    assert shard.columns["sentence"] == ["a", "b"]


def test_vectors_have_the_dtype_of_the_index(tmp_path):
    with IndexWriter(tmp_path, "float16") as writer:
        _add(writer, "a")
        with pytest.raises(VsaTfError, match="dtype=float32"):
            writer.add({"sentence": ["b"]}, Embedded("sentences", np.float32([[1e6, 0]])))
    (shard,) = _shards(tmp_path)
    assert shard.embedded.vectors.dtype == np.float16
    assert shard.columns["sentence"] == ["a"]
