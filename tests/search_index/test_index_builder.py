import json
import os
import pathlib

import pytest

from tests.inference.given_model import write_files
from tests.search_index.given_embeddings import hashed_model
from vsa_tf.errors import VsaTfError
from vsa_tf.search_index import index_builder, index_directory
from vsa_tf.search_index.index_builder import IndexBuilder, build_index, propose_approximate
from vsa_tf.search_index.index_directory import IndexShard
from vsa_tf.search_index.search_index import SearchIndex


def _columns(index_dir, kind):
    return [IndexShard(path, kind).columns for path in IndexShard.find(index_dir, kind)]


def test_new_files_are_added_and_known_ones_passed_over(tmp_path):
    index, model = tmp_path / "index", hashed_model()
    paths = write_files(tmp_path, [b"a", b"b", b"c"])
    lines = []
    for given in (paths[:2], paths, paths):
        build_index(index, model, given, say=lines.append)
    assert [line.replace(str(index), "INDEX") for line in lines] == [
        "added 2 images to INDEX; 0 were there",
        "added 1 images to INDEX; 2 were there",
        "added 0 images to INDEX; 3 were there",
    ]
    # Nothing new is no shard.
    assert [columns["path"] for columns in _columns(index, "images")] == [paths[:2], paths[2:]]


def test_a_changed_file_is_embedded_again(tmp_path):
    index, model = tmp_path / "index", hashed_model()
    (path,) = write_files(tmp_path, [b"a"])
    os.utime(path, ns=(1, 1))
    build_index(index, model, [path])
    os.utime(path, ns=(2, 2))
    build_index(index, model, [path])
    pathlib.Path(path).write_bytes(b"ab")
    os.utime(path, ns=(2, 2))
    build_index(index, model, [path])
    keys = [(c["size"], c["mtime_ns"]) for c in _columns(index, "images")]
    assert keys == [([1], [1]), ([1], [2]), ([2], [2])]


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    index, model = tmp_path / "index", hashed_model()
    paths = write_files(tmp_path, [bytes([number]) * 9 for number in range(40)])
    answers = model.opened
    call, num_calls = answers.call, []

    def stopped(name, **inputs):
        if name == "embed_image":
            num_calls.append(len(inputs["image_bytes"]))
            if len(num_calls) == 4:  # the probe, then batches of 16
                raise KeyboardInterrupt
        return call(name, **inputs)

    # Every vector makes a shard.
    monkeypatch.setattr(index_directory, "_SHARD_BYTES", 1)
    monkeypatch.setattr(answers, "call", stopped)
    with pytest.raises(KeyboardInterrupt):
        build_index(index, model, paths)
    assert num_calls == [1, 16, 16, 8]
    monkeypatch.setattr(answers, "call", call)
    del answers.batches[:]
    build_index(index, model, paths)
    assert sum(answers.batches) == 1 + 8
    written = [path for columns in _columns(index, "images") for path in columns["path"]]
    assert written == paths


def test_bad_files_are_lines_and_counted_when_the_others_are_in(tmp_path):
    lines = []
    paths = [*write_files(tmp_path, [b"good", b"bad", b"well"]), str(tmp_path / "missing.jpg")]
    build_index(tmp_path / "index", hashed_model(), paths, say=lines.append)
    assert [json.loads(line) for line in lines[:2]] == [
        {"image": paths[1], "error": "not an image"},
        {"image": paths[3], "error": "No such file or directory"},
    ]
    assert lines[-1] == "2 of 4 images could not be read; see their lines"
    (columns,) = _columns(tmp_path / "index", "images")
    assert columns["path"] == [paths[0], paths[2]]
    with pytest.raises(VsaTfError, match="2 of 4 images could not be read"):
        build_index(tmp_path / "index", hashed_model(), paths, strict=True)
    with pytest.raises(VsaTfError, match="1 of 1 images could not be read"):
        build_index(tmp_path / "index", hashed_model(), [paths[1]])


def test_paths_are_the_same_from_another_directory(tmp_path, monkeypatch):
    write_files(tmp_path, [b"a"])
    monkeypatch.chdir(tmp_path)
    build_index("index", hashed_model(), ["0.jpg"])
    monkeypatch.chdir("/")
    (columns,) = _columns(tmp_path / "index", "images")
    assert columns["path"] == [str(tmp_path / "0.jpg")]


def test_sentences_are_added_once_each(tmp_path, monkeypatch):
    monkeypatch.setattr(index_builder, "_SENTENCES_AT_A_TIME", 2)
    index, model = tmp_path / "index", hashed_model()
    build_index(index, model, sentences=["a dog", "a cat", "a dog", "a fish"])
    build_index(index, model, sentences=["a cat", "a bird"])
    written = [name for columns in _columns(index, "sentences") for name in columns["sentence"]]
    assert written == ["a dog", "a cat", "a fish", "a bird"]
    query = SearchIndex(index).sample("sentences", 4)[1]
    assert SearchIndex(index).nearest(query, "sentences", 1)[0].entry == "a cat"


def test_another_model_is_refused_by_name(tmp_path):
    index = tmp_path / "index"
    paths = write_files(tmp_path, [b"a"])
    build_index(index, hashed_model(0, "first"), paths)
    before = _columns(index, "images")
    with pytest.raises(VsaTfError, match="index, first. Received: second, which embeds images"):
        build_index(index, hashed_model(1, "second"), write_files(tmp_path, [b"a", b"b"]))
    assert _columns(index, "images") == before
    # By another name the same is welcome.
    IndexBuilder(index, hashed_model(0, "renamed"))


def test_an_approximate_index_is_built_with_its_recall(tmp_path):
    pytest.importorskip("faiss", reason="faiss is an extra")
    index = tmp_path / "index"
    build_index(index, hashed_model(), sentences=[f"sentence {n}" for n in range(100)])
    lines = []
    build_index(index, approximate=True, say=lines.append)
    assert "approximate index of sentences: recall@10 1.000" in lines[0]


def test_a_large_index_is_told_of_approximate_search(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr("vsa_tf.search_index.index_builder.LARGE_INDEX_NUMBERS", 10)
    build_index(tmp_path / "index", hashed_model(), sentences=["a"])
    propose_approximate(tmp_path / "index", lines.append)
    assert not lines
    build_index(tmp_path / "index", hashed_model(), sentences=["b"])
    propose_approximate(tmp_path / "index", lines.append)
    assert len(lines) == 1 and "reads 12 numbers" in lines[0] and "--approximate" in lines[0]


def test_nothing_is_printed_unless_it_is_asked_for(tmp_path, capfd):
    build_index(tmp_path / "index", hashed_model(), write_files(tmp_path, [b"a"]), ["b"])
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_float16_halves_the_vectors(tmp_path):
    for dtype, itemsize in (("float32", 4), ("float16", 2)):
        index = tmp_path / dtype
        build_index(index, hashed_model(), sentences=["a"], dtype=dtype)
        # What was made so goes on so.
        build_index(index, hashed_model(), sentences=["b"], dtype=dtype)
        shards = SearchIndex(index).shards["sentences"]
        assert [shard.embedded.vectors.dtype.itemsize for shard in shards] == [itemsize] * 2
