import io
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.inference.given_model import GivenModel, GivenSource, write_files
from tests.inference.program_lines import models_opened_once, program_lines
from tests.inference.small_models import make_model_dir, photographs
from tests.search_index.given_embeddings import (
    hashed_model,
    hashed_source,
    images_with_regions,
    sentences_with_words,
    unit,
    write_index,
)
from tfrecords_tools.image_decoding import decode_image
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model import Model, open_model
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.search_index.embedded import Embedded, best_boxes, entry_scores
from vsa_tf.search_index.index_builder import build_index
from vsa_tf.search_index.index_directory import IndexWriter
from vsa_tf.search_index.model_probe import probe
from vsa_tf.search_index.search_index import SearchIndex, answer_lines, answer_query

SENTENCES = ["a red dog plays", "boys play football", "a man rides a bicycle"]


def _part(embedded, rows):
    return embedded.take(np.array(rows))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("top_k", [1, 4, 50])
def test_the_best_of_all_shards_come_in_order_with_their_boxes(tmp_path, dtype, top_k):
    rng = np.random.default_rng(0)
    images = images_with_regions(rng, 12)
    parts = [_part(images, range(5)), _part(images, range(5, 6)), _part(images, range(6, 12))]
    index = SearchIndex(write_index(tmp_path / "index", "max_sum", *parts, dtype=dtype))
    query = sentences_with_words(rng, 1)
    hits = index.nearest(query, "images", top_k)
    stored = Embedded("images", images.vectors.astype(dtype), images.counts, images.boxes)
    scores = entry_scores(query, stored, "max_sum")
    order = np.argsort(-scores, kind="stable")[:top_k]
    assert [hit.entry for hit in hits] == [f"image {number}" for number in order]
    np.testing.assert_allclose([hit.score for hit in hits], scores[order], rtol=1e-6)
    expected = best_boxes(query, stored, "max_sum")[order]
    np.testing.assert_array_equal([hit.box for hit in hits], expected)


def test_sentences_are_found_and_have_no_boxes(tmp_path):
    rng = np.random.default_rng(1)
    parts = [
        sentences_with_words(rng, 4),
        images_with_regions(rng, 3),
        sentences_with_words(rng, 5),
    ]
    index = SearchIndex(write_index(tmp_path / "index", "max_sum", *parts))
    query = images_with_regions(rng, 1)
    scores = np.concatenate(
        [entry_scores(query, part, "max_sum") for part in parts if part.kind == "sentences"]
    )
    hits = index.nearest(query, "sentences", 3)
    order = np.argsort(-scores)[:3]
    assert [hit.entry for hit in hits] == [f"sentence {number}" for number in order]
    assert [hit.box for hit in hits] == [None] * 3
    assert index.nearest(query, "images", 1)[0].box is None


def test_of_equal_scores_the_earlier_entry_is_first(tmp_path):
    same = np.tile(unit(np.random.default_rng(2)), (3, 1))
    parts = [Embedded("images", same), Embedded("images", same)]
    index = SearchIndex(write_index(tmp_path / "index", "distance", *parts))
    hits = index.nearest(Embedded("sentences", same[:1]), "images", 4)
    assert [hit.entry for hit in hits] == [f"image {number}" for number in range(4)]


def test_an_image_that_was_indexed_again_counts_once(tmp_path):
    vectors = unit(np.random.default_rng(3), 4)
    path = write_index(tmp_path / "index", "distance", Embedded("images", vectors[:3]))
    with IndexWriter(path, "float32") as writer:
        # The file of image 1 holds another picture now.
        columns = {"path": ["image 1"], "size": [2], "mtime_ns": [2]}
        writer.add(columns, Embedded("images", vectors[3:]))
    hits = SearchIndex(path).nearest(Embedded("sentences", vectors[1:2]), "images", 10)
    assert sorted(hit.entry for hit in hits) == ["image 0", "image 1", "image 2"]
    (changed,) = [hit for hit in hits if hit.entry == "image 1"]
    expected = -np.sqrt(np.square(vectors[1] - vectors[3]).sum() + 1e-4)
    assert changed.score == pytest.approx(expected, abs=1e-5)


def test_a_directory_without_an_index_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="holds no index"):
        SearchIndex(tmp_path)


def test_sampled_queries_are_indexed_sentences_where_there_are_any(tmp_path):
    rng = np.random.default_rng(4)
    images, sentences = images_with_regions(rng, 3), sentences_with_words(rng, 6)
    index = SearchIndex(write_index(tmp_path / "both", "max_sum", images, sentences))
    ends = np.cumsum(sentences.counts)
    words = [sentences.vectors[end - count : end] for end, count in zip(ends, sentences.counts)]
    drawn = index.sample("images", 10)
    assert len(drawn) == 6
    for query, expected in zip(drawn, words):
        np.testing.assert_array_equal(query.vectors, expected)
    index = SearchIndex(write_index(tmp_path / "images", "max_sum", images))
    for query in index.sample("images", 2):
        regions = images.vectors[images.region_mask]
        assert (regions == query.vectors).all(axis=1).any()


def _lines(index, source, query, is_image, target, top_k=10, **options):
    output = io.StringIO()
    answer_query(index, source, query, is_image, target, top_k, output=output, **options)
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """An index of a small alignment model: photographs and sentences."""
    folder = tmp_path_factory.mktemp("aligned")
    settings = AlignmentSettings(crop_size=16, joint_size=8)
    make_model_dir(folder / "model", "alignment", settings, detector="grid", num_regions=4)
    source = ModelSource(str(folder / "model"))
    paths = write_files(folder, photographs(4))
    with models_opened_once():
        build_index(folder / "index", Model.of(source), paths, SENTENCES)
        yield folder / "index", source, paths


def test_texts_find_images_as_the_model_scores_them_and_their_boxes(aligned):
    index, source, paths = aligned
    model = LocalModel(source.model_dir)
    lines = _lines(index, source, "a red dog", False, "images")
    scores = {
        path: model.call("score", image_bytes=[image], sentences=["a red dog"])["score"][0]
        for path, image in zip(paths, photographs(4))
    }
    assert [line["rank"] for line in lines] == [1, 2, 3, 4]
    assert {line["path"]: line["score"] for line in lines} == pytest.approx(scores, abs=1e-4)
    assert np.all(np.diff([line["score"] for line in lines]) <= 0)
    for line in lines:
        image = photographs(4)[paths.index(line["path"])]
        best = model.call("localize", image_bytes=[image], phrases=["a red dog"])
        assert line["box"] == pytest.approx(best["boxes"][0, 0].tolist(), abs=1e-5)


def test_images_find_sentences_as_the_model_scores_them(aligned):
    index, source, paths = aligned
    lines = _lines(index, source, paths[1], True, "sentences")
    expected = LocalModel(source.model_dir).call(
        "score", image_bytes=photographs(4)[1:2] * 3, sentences=SENTENCES
    )["score"]
    assert {line["sentence"]: line["score"] for line in lines} == pytest.approx(
        dict(zip(SENTENCES, expected)), abs=1e-4
    )


def test_images_and_sentences_find_themselves(aligned):
    index, source, paths = aligned
    for path in paths:
        (best,) = _lines(index, source, path, True, "images", top_k=1)
        assert best == {"rank": 1, "path": path, "score": pytest.approx(1, abs=1e-5)}
    for sentence in SENTENCES:
        (best,) = _lines(index, source, sentence, False, "sentences", top_k=1)
        best.pop("unknown_words", None)
        assert best == {"rank": 1, "sentence": sentence, "score": pytest.approx(1, abs=1e-5)}


def test_a_query_of_another_model_is_refused(aligned):
    index, _, _ = aligned
    with pytest.raises(VsaTfError, match="Received: stranger, which embeds sentences otherwise"):
        _lines(index, hashed_source(0, "stranger"), "a red dog", False, "images")


def test_python_finds_what_the_program_prints(aligned, monkeypatch, capsys):
    index_dir, source, paths = aligned
    index, model = SearchIndex(index_dir), open_model(source.model_dir)
    # A PNG: its pixels are all there is of it.
    data = pathlib.Path(paths[1]).read_bytes()
    photograph = Image.fromarray(decode_image(data))
    for query, target, forms in (
        ("a red dog", "images", ["a red dog"]),
        ("a red dog", "sentences", ["a red dog"]),
        # A str is a text, a photograph's path is a Path.
        (paths[1], "images", [pathlib.Path(paths[1]), data, photograph, np.asarray(photograph)]),
        (paths[1], "sentences", [pathlib.Path(paths[1]), data, photograph]),
    ):
        arguments = [f"--index_dir={index_dir}", f"--query={query}", f"--target={target}"]
        lines, _ = program_lines(monkeypatch, capsys, "search", *arguments, "--top_k=3")
        assert len(lines) == 3
        for form in forms:
            hits = index.search(model, form, top_k=3, target=target)
            assert [line["rank"] for line in lines] == [1, 2, 3]
            column = "path" if target == "images" else "sentence"
            assert [line[column] for line in lines] == [hit.entry for hit in hits]
            scores = [line["score"] for line in lines]
            assert [hit.score for hit in hits] == pytest.approx(scores, abs=1e-5)
            for hit, line in zip(hits, lines):
                assert ("box" in line) == (hit.box is not None)
                assert hit.box is None or line["box"] == pytest.approx(hit.box, abs=1e-5)
    hits = index.search(model, "a red dog")
    assert len(hits) == 4 and all(len(hit.box) == 4 for hit in hits)


def test_words_of_a_query_that_the_model_does_not_know_are_said(aligned, monkeypatch, capsys):
    index_dir, source, _ = aligned
    for query, unknown, note in (
        ("ein brauner Hund", ["ein", "brauner", "hund"], "knows no word of this text"),
        ("ein red dog", ["ein"], "the model does not know ein"),
    ):
        arguments = [f"--index_dir={index_dir}", f"--query={query}"]
        lines, said = program_lines(monkeypatch, capsys, "search", *arguments)
        assert [line["unknown_words"] for line in lines] == [unknown] * 4
        assert note in said
        with pytest.warns(UserWarning, match=note):
            SearchIndex(index_dir).search(open_model(source.model_dir), query)
    lines, said = program_lines(monkeypatch, capsys, "search", *arguments[:1], "--query=a red dog")
    assert not said and not any("unknown_words" in line for line in lines)
    said = []
    build_index(index_dir, Model.of(source), [], ["Ein Hund", "a dog"], say=said.append)
    assert said[0].startswith("the model knows no word of 1 sentences, such as 'Ein Hund'")


def test_python_is_told_what_does_not_go_with_an_index(aligned, tmp_path):
    index = SearchIndex(aligned[0])
    other = hashed_model(0, "stranger")
    with pytest.raises(VsaTfError, match="^Expected query to be a text with words. Received: ' '"):
        index.search(other, " ")
    with pytest.raises(VsaTfError, match="^Expected top_k of 1 or more. Received: top_k=0"):
        index.search(other, "a red dog", top_k=0)
    for query in ("a red dog", b"a photograph"):
        with pytest.raises(ValueError, match="Received: stranger, which embeds .* otherwise"):
            index.search(other, query)
    captioner = Model.of(GivenSource(GivenModel({"caption": {}, "log_prob": {}})))
    for query, signature in (("a red dog", "embed_sentence"), (b"a photograph", "embed_image")):
        with pytest.raises(VsaTfError, match=f"signature {signature}. Received: .* caption"):
            index.search(captioner, query)
    with pytest.raises(VsaTfError, match="signature embed_image. Received: .* caption"):
        build_index(tmp_path / "index", captioner, sentences=SENTENCES)
    build_index(tmp_path / "index", other, sentences=SENTENCES)
    with pytest.raises(VsaTfError, match="^target=images: .* holds no images"):
        SearchIndex(tmp_path / "index").search(other, "a red dog")
    with pytest.raises(VsaTfError, match="^missing.jpg: No such file"):
        SearchIndex(aligned[0]).search(
            Model.of(aligned[1]), pathlib.Path("missing.jpg"), target="sentences"
        )


def test_a_missing_approximate_index_is_refused_before_the_model_is_opened(tmp_path):
    pytest.importorskip("faiss", reason="faiss is an extra")
    build_index(tmp_path / "index", Model.of(hashed_source()), sentences=SENTENCES)
    with pytest.raises(VsaTfError, match="no approximate index of sentences"):
        answer_query(tmp_path / "index", None, SENTENCES[0], False, "sentences", 1, True)


def test_approximate_search_is_for_texts_and_single_vectors(aligned, tmp_path):
    index, source, paths = aligned
    with pytest.raises(VsaTfError, match="images of .* are searched exactly by images"):
        _lines(index, source, paths[0], True, "images", approximate=True)
    with pytest.raises(VsaTfError, match="sentences of .* are searched exactly by sentences"):
        _lines(index, source, "a dog", False, "sentences", approximate=True)
    pytest.importorskip("faiss", reason="faiss is an extra")
    build_index(
        tmp_path / "index", Model.of(hashed_source()), sentences=SENTENCES, approximate=True
    )
    (best,) = _lines(
        tmp_path / "index", hashed_source(), SENTENCES[2], False, "sentences", 1, approximate=True
    )
    assert best.pop("candidates") == 3  # there are no more
    # A distance of 0 is the root of 1e-4, see `two_branch_loss.pairwise_distances`.
    assert best == {"rank": 1, "sentence": SENTENCES[2], "score": pytest.approx(-0.01, abs=1e-3)}
    # What is indexed later is scored besides.
    build_index(tmp_path / "index", Model.of(hashed_source()), sentences=["a cat", "a cow"])
    (best,) = _lines(
        tmp_path / "index", hashed_source(), "a cow", False, "sentences", 1, approximate=True
    )
    assert (best["sentence"], best["candidates"]) == ("a cow", 5)


def test_two_stages_say_how_many_photographs_were_scored(aligned, tmp_path):
    made, source, paths = aligned
    for options in ({"candidates": 2}, {"approximate": True}):
        with pytest.raises(VsaTfError, match="has no first stage of a search: run vsa_tf.index"):
            _lines(made, source, "a red dog", False, "images", **options)
    index = shutil.copytree(made, tmp_path / "index")
    build_index(index, approximate=True)  # without faiss
    exact = _lines(index, source, "a red dog", False, "images", candidates=0)
    assert exact == _lines(made, source, "a red dog", False, "images")
    said = [{**line, "candidates": 4} for line in exact]
    assert _lines(index, source, "a red dog", False, "images") == said
    assert _lines(index, source, "a red dog", False, "images", approximate=True) == said
    few = _lines(index, source, "a red dog", False, "images", 1, candidates=2)
    assert [line["candidates"] for line in few] == [2]
    # A photograph is compared with every other one.
    assert "candidates" not in _lines(index, source, paths[0], True, "images")[0]
    with pytest.raises(VsaTfError, match="sentences of .* are searched exactly by images"):
        _lines(index, source, paths[0], True, "sentences", candidates=2)


def test_a_large_index_is_searched_in_two_stages_by_itself(aligned, tmp_path, monkeypatch):
    made, source, paths = aligned
    monkeypatch.setattr("vsa_tf.search_index.index_builder.TWO_STAGE_IMAGES", 4)
    index, lines = tmp_path / "index", []
    for given in (paths[:3], paths):
        build_index(index, Model.of(source), given, say=lines.append)
    said = "searches for photographs are in two stages: 4 of 4 are scored exactly"
    assert [line for line in lines if "stages" in line] == [said]
    (first, *_) = _lines(index, source, "a red dog", False, "images")
    assert first.pop("candidates") == 4
    assert first == _lines(made, source, "a red dog", False, "images")[0]


def test_lines_are_answered_by_one_model(aligned, monkeypatch, capsys):
    index, source, paths = aligned
    opened = []
    open_model = Model.of
    monkeypatch.setattr(Model, "of", lambda *given: opened.append(given) or open_model(*given))
    output = io.StringIO()
    lines = ["a red dog", paths[2], "missing"]

    def is_image(line):
        if line == "missing":
            raise VsaTfError("--query=missing is a file, but no image")
        return line in paths

    answer_lines(index, source, lines, is_image, "images", 2, output=output)
    assert "1 of 3 lines could not be answered; see theirs\n" in capsys.readouterr().err
    assert len(opened) == 1
    found = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["query"] for line in found] == [lines[0]] * 2 + [lines[1]] * 2 + [lines[2]]
    assert found[2]["path"] == paths[2]  # itself
    assert found[4] == {"query": "missing", "error": "--query=missing is a file, but no image"}
    with pytest.raises(VsaTfError, match="1 of 3 lines could not be answered"):
        answer_lines(index, source, lines, is_image, "images", 2, output=io.StringIO(), strict=True)
    alone = _lines(index, source, "a red dog", False, "images", 2)
    assert [{"query": "a red dog", **line} for line in alone] == found[:2]


def test_lines_say_which_words_the_model_does_not_know(tmp_path, capsys):
    known = {"a dog": ([""], 2), "a Hund": (["Hund"], 1), "ein Hund": (["ein", "Hund"], 0)}

    def embed(sentences):
        rows = [known.get(sentence, ([""], 1)) for sentence in sentences]
        return {
            "embedding": unit(np.random.default_rng(0), len(sentences)),
            "unknown_words": np.array([words for words, _ in rows], object),
            "num_known_words": np.array([number for _, number in rows]),
        }

    answers = {
        "embed_sentence": embed,
        "embed_image": {"embedding": unit(np.random.default_rng(1), 1)},
        "score": {"score": np.float32([0])},
    }
    source = GivenSource(GivenModel(answers))
    index = tmp_path / "index"
    probes = {"sentences": probe(source.open(), "sentences").summaries()[0].tolist()}
    images = Embedded("images", unit(np.random.default_rng(2), 3))
    write_index(index, "distance", images, probes=probes)
    output = io.StringIO()
    answer_lines(index, source, list(known), lambda line: False, "images", 1, output=output)
    found = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["query"] for line in found] == list(known)
    assert [line.get("unknown_words") for line in found] == [None, ["Hund"], ["ein", "Hund"]]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0] == "warning: the model does not know Hund"
    assert said[1].startswith("warning: the model knows no word of this text")
