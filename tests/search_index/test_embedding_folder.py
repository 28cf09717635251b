"""Vectors as arrays with a table beside them, and the index that is made of them."""

import csv
import json
import os
import sys
import types

import numpy as np
import pytest

from tests.inference.given_model import GivenModel, GivenSource, write_files
from tests.search_index.given_embeddings import WIDTH, hashed_model
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.model import Model
from vsa_tf.search_index import embedding_folder
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.embedding_folder import (
    read_embeddings,
    write_embeddings,
    write_split_embeddings,
)
from vsa_tf.search_index.index_builder import build_index, index_embeddings
from vsa_tf.search_index.search_index import SearchIndex

TABLES = [
    "csv",
    pytest.param(
        "parquet",
        marks=pytest.mark.skipif(
            embedding_folder.importlib.util.find_spec("pyarrow") is None,
            reason="pyarrow is not installed",
        ),
    ),
]


def words_model():
    """A model of regions and words: of `ab` two regions (three of padding) and two words."""

    def vectors(value, places):
        data = value if isinstance(value, bytes) else value.encode()
        rng = np.random.default_rng([*data[:200]])
        own = rng.normal(size=(places, WIDTH)).astype(np.float32)
        own[len(data) :] = 0
        return own

    def embed_image(image_bytes):
        regions = np.stack([vectors(data, 5) for data in image_bytes])
        counts = np.array(list(map(len, image_bytes)))
        boxes = np.arange(4, dtype=np.float32) / 4 + np.arange(5, dtype=np.float32)[:, None] / 64
        boxes = np.where(np.arange(5)[:, None] < counts[:, None, None], boxes, 0)
        return {"regions": regions, "num_regions": counts, "boxes": boxes}

    def embed_sentence(sentences):
        counts = np.array(list(map(len, sentences)))
        words = np.stack([vectors(text, counts.max()) for text in sentences])
        return {"words": words, "num_words": counts}

    def score(image_bytes, sentences):
        regions, words = embed_image(image_bytes), embed_sentence(sentences)
        each = []
        for row, (image, count) in enumerate(zip(regions["regions"], regions["num_regions"])):
            products = words["words"][row, : words["num_words"][row]] @ image[:count].T
            each.append(products.max(axis=1).sum())
        return {"score": np.array(each)}

    def cut(function):
        # The drawn picture of a probe has as many regions as any.
        return lambda image_bytes, **others: function([d[:5] for d in image_bytes], **others)

    answers = {"embed_image": cut(embed_image), "embed_sentence": embed_sentence}
    return Model.of(GivenSource(GivenModel({**answers, "score": cut(score)})))


def _table(path):
    if path.suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            return {name: list(values) for name, *values in zip(*csv.reader(file))}
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(path).to_pydict()
    return {name: list(map(str, values)) for name, values in columns.items()}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_of_array_and_table_are_the_same_photographs(tmp_path, table, dtype):
    paths = write_files(tmp_path, [b"a", b"b", b"c"])
    model, out, lines = hashed_model(), tmp_path / "out", []
    write_embeddings(out, model, paths, dtype=dtype, table=table, say=lines.append)
    assert lines == [f"wrote 3 images, 3 vectors, to {out}"]
    vectors = np.load(out / "img_emb" / "img_emb_0.npy")
    assert vectors.dtype == dtype
    np.testing.assert_array_equal(vectors, model.embed_images(paths).astype(dtype))
    columns = _table(out / "metadata" / f"metadata_0.{table}")
    assert list(columns) == ["image_path", "size", "mtime_ns"]
    assert columns["image_path"] == paths
    assert columns["size"] == ["1", "1", "1"]
    assert sorted(os.listdir(out)) == ["embeddings.json", "img_emb", "metadata"]
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("table", TABLES)
def test_regions_and_words_have_rows_of_their_own(tmp_path, table):
    model, paths = words_model(), write_files(tmp_path, [b"ab", b"abc"])
    write_embeddings(tmp_path / "images", model, paths, table=table)
    columns = _table(tmp_path / "images" / "metadata" / f"metadata_0.{table}")
    assert columns["image_path"] == [paths[0]] * 2 + [paths[1]] * 3
    assert columns["region"] == ["0", "1", "0", "1", "2"]
    # By the model: a quarter more from edge to edge, a 64th from region to region.
    assert list(map(float, columns["xmax"])) == [0.75, 0.765625, 0.75, 0.765625, 0.78125]
    assert list(map(float, columns["ymin"])) == [0, 0.015625, 0, 0.015625, 0.03125]
    vectors = np.load(tmp_path / "images" / "img_emb" / "img_emb_0.npy")
    expected = [row for each in model.embed_images(paths) for row in each["regions"]]
    np.testing.assert_array_equal(vectors, expected)
    # Commas, quotes and letters of other scripts are text.
    texts = ['a, "b', "гав"]
    write_embeddings(tmp_path / "texts", model, sentences=texts, table=table)
    columns = _table(tmp_path / "texts" / "metadata" / f"metadata_0.{table}")
    assert columns["caption"] == [texts[0]] * 5 + [texts[1]] * 3
    assert columns["word"] == list("01234012")
    assert len(np.load(tmp_path / "texts" / "text_emb" / "text_emb_0.npy")) == 8


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("make_model", [hashed_model, words_model])
@pytest.mark.parametrize("a_file", [2, 10_000])
def test_an_index_of_the_folders_is_the_index_of_the_model(
    tmp_path, monkeypatch, table, make_model, a_file
):
    monkeypatch.setattr(embedding_folder, "_ENTRIES_A_FILE", a_file)
    model, texts = make_model(), ["a dog", "a cat", "b"]
    paths = write_files(tmp_path, [b"a", b"ab", b"abc", b"d", b"e"])
    write_embeddings(tmp_path / "images", model, paths, table=table)
    write_embeddings(tmp_path / "texts", model, sentences=texts, table=table)
    lines = []
    for folder in ("images", "texts", "images", "texts"):
        index_embeddings(tmp_path / "index", tmp_path / folder, say=lines.append)
    assert [line.replace(str(tmp_path / "index"), "INDEX") for line in lines] == [
        "added 5 images to INDEX; 0 were there",
        "added 3 sentences to INDEX; 0 were there",
        "added 0 images to INDEX; 5 were there",
        "added 0 sentences to INDEX; 3 were there",
    ]
    build_index(tmp_path / "direct", model, paths, texts)
    found, expected = (SearchIndex(tmp_path / name) for name in ("index", "direct"))
    for target in ("images", "sentences"):
        for query in ("a dog", paths[1].encode() and b"ab"):
            hits = [index.search(model, query, 9, target) for index in (found, expected)]
            assert len(hits[0]) == {"images": 5, "sentences": 3}[target]
            for own, other in zip(*hits, strict=True):
                assert (own.entry, own.box) == (other.entry, other.box)
                # Sums over blocks of other sizes.
                assert own.score == pytest.approx(other.score, abs=1e-5)
    # What the folder has brought is not embedded again, and the model goes on with it.
    lines.clear()
    build_index(tmp_path / "index", model, paths, texts, say=lines.append)
    assert [line.rpartition("; ")[2] for line in lines] == ["5 were there", "3 were there"]


def test_parts_are_numbered_alike_so_that_they_sort(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_folder, "_ENTRIES_A_FILE", 16)
    texts = [f"text {number}" for number in range(16 * 10 + 1)]
    write_embeddings(tmp_path / "out", hashed_model(), sentences=texts, table="csv")
    names = sorted(os.listdir(tmp_path / "out" / "text_emb"))
    assert names == [f"text_emb_{number:02d}.npy" for number in range(11)]
    _, parts = read_embeddings(tmp_path / "out")
    assert [text for columns, _ in parts for text in columns["sentence"]] == texts


def test_bad_files_are_lines_and_the_others_are_written(tmp_path):
    lines, paths = [], [*write_files(tmp_path, [b"good", b"bad"]), str(tmp_path / "missing.jpg")]
    odd = os.fsdecode(os.fsencode(tmp_path / "odd") + b"\xff.jpg")
    with open(odd, "wb") as file:
        file.write(b"odd")
    write_embeddings(tmp_path / "out", hashed_model(), [*paths, odd], table="csv", say=lines.append)
    reasons = {json.loads(line)["image"]: json.loads(line)["error"] for line in lines[:3]}
    assert reasons[paths[1]] == "not an image"
    assert reasons[odd] == "its name is not UTF-8, as a table's text is"
    assert set(reasons) == {*paths[1:], odd}
    assert lines[3:] == [
        f"wrote 1 images, 1 vectors, to {tmp_path / 'out'}",
        "3 of 4 images could not be read; see their lines",
    ]
    with pytest.raises(VsaTfError, match="1 of 1 images"):
        write_embeddings(tmp_path / "none", hashed_model(), [paths[1]])
    assert not (tmp_path / "none").exists() and not (tmp_path / "none.partial").exists()


def test_what_cannot_be_written_is_refused_before_the_model_is_asked(tmp_path, monkeypatch):
    model = hashed_model()
    for given in ({}, {"images": ["a.jpg"], "sentences": ["a dog"]}):
        with pytest.raises(VsaTfError, match="images or sentences, one of them"):
            write_embeddings(tmp_path / "out", model, **given)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(VsaTfError, match="output_dir to be new or empty. Received: .*full"):
        write_embeddings(tmp_path / "full", model, sentences=["a dog"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(embedding_folder.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VsaTfError, match=r"table=parquet needs pyarrow.*vsa_tf\[parquet\]"):
        write_embeddings(tmp_path / "out", model, sentences=["a dog"], table="parquet")
    assert model.opened.batches == []
    # Without it a table is CSV.
    write_embeddings(tmp_path / "out", model, sentences=["a dog"])
    assert os.listdir(tmp_path / "out" / "metadata") == ["metadata_0.csv"]


def test_a_stopped_run_leaves_nothing_and_too_large_vectors_are_told(tmp_path):
    model = Model.of(
        GivenSource(
            GivenModel(
                {
                    "embed_image": {"embedding": np.full((1, 2), 1e6, np.float32)},
                    "embed_sentence": {"embedding": np.full((1, 2), 1e6, np.float32)},
                    "score": {"score": np.float32([7])},
                }
            )
        )
    )
    with pytest.raises(VsaTfError, match="too large for float16"):
        write_embeddings(tmp_path / "out", model, sentences=["a dog"], dtype="float16")
    assert os.listdir(tmp_path) == []
    # Its scores are not of its vectors: they are written, and have no index.
    said = []
    write_embeddings(tmp_path / "out", model, sentences=["a dog"], say=said.append)
    reason = "vsa_tf.index does not take these vectors. Expected a model whose vectors"
    assert said[-1].startswith(reason)
    with pytest.raises(VsaTfError, match="without an index. Expected a model whose vectors can be"):
        index_embeddings(tmp_path / "index", tmp_path / "out")
    assert not (tmp_path / "index").exists()


def test_a_split_of_an_encoder_that_is_not_found_is_written_and_says_that_it_has_no_index(
    tmp_path, monkeypatch
):
    def refuse(source):
        raise VsaTfError("--image_encoder is missing: the model reads what lite0 makes")

    def embedded_split(trained, data, target):
        yield {"caption": ["a dog"]}, Embedded("sentences", np.ones((1, 4), np.float32))

    source = types.SimpleNamespace(check=lambda *args: None)
    data = types.SimpleNamespace(records=types.SimpleNamespace(captions=["a dog"]))
    monkeypatch.setattr(embedding_folder, "ModelSource", lambda *args: source)
    monkeypatch.setattr(embedding_folder.Model, "of", refuse)
    monkeypatch.setattr(embedding_folder, "_of_split", embedded_split)
    monkeypatch.setattr("vsa_tf.model_dir.trained_model.TrainedModel", lambda path: None)
    monkeypatch.setattr("vsa_tf.model_dir.load_split.load_split", lambda *args, say: data)
    said, out = [], tmp_path / "out"
    write_split_embeddings(out, "model", "data", "dev", "sentences", table="csv", say=said.append)
    again = "Run vsa_tf.embed again so that it reads photographs, too: --image_encoder is missing"
    assert said[-1].startswith(f"vsa_tf.index does not take these vectors. {again}")
    with pytest.raises(VsaTfError) as error:
        index_embeddings(tmp_path / "index", out)
    assert again in error.value.of_flags


def test_a_folder_of_another_model_or_a_damaged_one_is_refused(tmp_path):
    write_embeddings(tmp_path / "ours", hashed_model(), sentences=["a dog"], table="csv")
    write_embeddings(tmp_path / "other", hashed_model(seed=1), sentences=["a cat"], table="csv")
    index_embeddings(tmp_path / "index", tmp_path / "ours")
    with pytest.raises(VsaTfError, match="Expected vectors of the model of .*index.*other"):
        index_embeddings(tmp_path / "index", tmp_path / "other")
    with pytest.raises(VsaTfError, match="Expected a folder that vsa_tf.embed has written.*absent"):
        index_embeddings(tmp_path / "index", tmp_path / "absent")
    table = tmp_path / "ours" / "metadata" / "metadata_0.csv"
    table.write_text("caption\na fox\n")
    with pytest.raises(VsaTfError, match="metadata_0.csv does not fit its checksum"):
        index_embeddings(tmp_path / "second", tmp_path / "ours")


def test_the_program_says_what_is_missing_or_too_much_before_tensorflow_is_imported(tmp_path):
    for flags, line in (
        ((), "--output_dir is missing"),
        (("--output_dir=x", "--saved_model=m"), "--images, --sentences or --data_dir is missing"),
        (
            ("--output_dir=x", "--saved_model=m", "--sentences=-", "--data_dir=d"),
            "Received: --sentences and --data_dir",
        ),
        (
            ("--output_dir=x", "--saved_model=m", "--sentences=-", "--split=dev"),
            "--split goes with --data_dir",
        ),
        (
            ("--output_dir=x", "--saved_model=m", "--data_dir=d"),
            "Expected --model_dir with --data_dir. Received: m",
        ),
    ):
        done = run_without_tensorflow("vsa_tf.embed", *flags, directory=tmp_path)
        assert line in refusal(done)
