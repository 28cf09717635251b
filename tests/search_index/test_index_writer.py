import numpy as np
import pytest

from vsa_tf.program import ProgramError
from vsa_tf.search_index import index_writer as module
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_shard import IndexShard
from vsa_tf.search_index.index_writer import IndexWriter


def _add(writer, *names):
    vectors = np.full((len(names), 2), 0.1, np.float32)
    writer.add({"sentence": list(names)}, Embedded("sentences", vectors))


def _shards(path):
    return [IndexShard(found, "sentences") for found in IndexShard.find(path, "sentences")]


def test_a_shard_is_written_when_it_is_large_or_a_minute_has_gone(tmp_path, monkeypatch):
    # Three vectors of two float32 are 24 bytes.
    monkeypatch.setattr(module, "_SHARD_BYTES", 24)
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


def test_what_was_embedded_is_kept_when_the_run_fails(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with IndexWriter(tmp_path, "float32") as writer:
            _add(writer, "a", "b")
            raise KeyboardInterrupt
    (shard,) = _shards(tmp_path)
    assert shard.columns["sentence"] == ["a", "b"]


def test_vectors_have_the_dtype_of_the_index(tmp_path):
    with IndexWriter(tmp_path, "float16") as writer:
        _add(writer, "a")
        with pytest.raises(ProgramError, match="--dtype=float32"):
            writer.add({"sentence": ["b"]}, Embedded("sentences", np.float32([[1e6, 0]])))
    (shard,) = _shards(tmp_path)
    assert shard.embedded.vectors.dtype == np.float16
    assert shard.columns["sentence"] == ["a"]
