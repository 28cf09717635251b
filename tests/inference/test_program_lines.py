"""What the programs print of a model directory is what Python gets of it."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from tests.inference.given_model import write_files
from tests.inference.program_lines import models_opened_once, program_lines
from tests.inference.small_models import make_model_dir, photographs
from vsa_tf.inference.model import open_model
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings

SENTENCE = "A red dog plays ."
SHORT = {"beam_size": 3, "num_captions": 2, "max_caption_words": 5}
SHORT_FLAGS = ("--beam_size=3", "--num_captions=2", "--max_words=5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the model directories `aligner`, `captioner` and `regions`."""
    folder = tmp_path_factory.mktemp("programs")
    aligner = AlignmentSettings(crop_size=16, joint_size=8)
    make_model_dir(folder / "aligner", "alignment", aligner, detector="grid", num_regions=4)
    make_model_dir(folder / "captioner", "m_rnn", MRnnSettings(crop_size=16))
    regions = DvsaRnnSettings(hidden_size=8, snippets="some", crop_size=16)
    make_model_dir(folder / "regions", "dvsa_rnn", regions, detector="grid")
    with models_opened_once():
        yield folder


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two image files."""
    return write_files(tmp_path_factory.mktemp("photographs"), photographs(2))


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a program; returns its lines, and what else it said."""
    return lambda *arguments: program_lines(monkeypatch, capsys, *arguments)


def _lines(paths, found):
    return [{"image": path, **result.to_dict()} for path, result in zip(paths, found)]


def test_align_prints_alignments_and_draws_one(run, folder, paths, tmp_path):
    model = f"--model_dir={folder / 'aligner'}"
    found = open_model(folder / "aligner").align(paths, SENTENCE)
    lines, _ = run("align", model, f"--sentence={SENTENCE}", *paths)
    assert lines == _lines(paths, found)
    picture = tmp_path / "picture.png"
    (line,), _ = run(
        "align", model, f"--sentence={SENTENCE}", f"--image={paths[1]}", f"--output={picture}"
    )
    assert line["image"] == paths[1]
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), np.asarray(found[1].picture()))


def test_localize_prints_a_line_for_each_image_and_phrase(run, folder, paths, tmp_path):
    model, phrases = open_model(folder / "aligner"), ["a dog", "a cat"]
    flags = [f"--model_dir={folder / 'aligner'}", *(f"--phrase={phrase}" for phrase in phrases)]
    lines, _ = run("localize", *flags, *paths)
    found = zip(*(model.localize(paths, phrase) for phrase in phrases))
    assert lines == [
        {"image": path, **of_phrase.to_dict()}
        for path, of_image in zip(paths, found)
        for of_phrase in of_image
    ]
    picture = tmp_path / "picture.png"
    best = "--phrase=a dog", "--top_k=2", f"--output={picture}"
    (line,), _ = run("localize", flags[0], *best, paths[1])
    (found,) = model.localize([paths[1]], "a dog")
    assert line["boxes"] == found.to_dict()["boxes"][:2]
    drawn = np.asarray(Image.open(picture))
    np.testing.assert_array_equal(drawn, np.asarray(found.picture(top_k=2)))
    boxes = [[0, 0, 0.5, 0.5], [0.25, 0.25, 1, 1]]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    lines, _ = run("localize", *flags, f"--boxes={tmp_path / 'boxes.json'}", paths[0])
    assert lines == [
        {"image": paths[0], **model.localize(paths[0], phrase, boxes).to_dict()}
        for phrase in phrases
    ]


def test_caption_prints_captions_and_those_of_regions(run, folder, paths):
    expected = open_model(folder / "captioner", **SHORT).caption(paths, 2)
    lines, _ = run("caption", f"--model_dir={folder / 'captioner'}", *SHORT_FLAGS, *paths)
    assert lines == _lines(paths, expected)
    assert [len(line["captions"]) for line in lines] == [2, 2]
    expected = open_model(folder / "regions", **SHORT).caption(paths, 2)
    lines, _ = run("caption", f"--model_dir={folder / 'regions'}", *SHORT_FLAGS, *paths)
    assert lines == _lines(paths, expected)
    assert all(len(line["regions"]) > 2 for line in lines)


@pytest.mark.parametrize(("program", "flag"), [("align", "sentence"), ("localize", "phrase")])
def test_words_that_the_model_does_not_know_are_in_the_lines_and_warned_of_once(
    run, folder, paths, program, flag
):
    source = f"--model_dir={folder / 'aligner'}"
    lines, said = run(program, source, f"--{flag}=Ein brauner Hund", *paths)
    assert [line["unknown_words"] for line in lines] == [["ein", "brauner", "hund"]] * 2
    assert said.count("warning: the model knows no word of this text") == 1
    lines, said = run(program, source, f"--{flag}=A red dog", *paths)
    assert len(lines) == 2 and not any("unknown_words" in line for line in lines)
    assert "warning" not in said


def test_caption_warns_of_words_that_the_model_does_not_know(run, folder, paths):
    source = f"--model_dir={folder / 'captioner'}"
    lines, said = run("caption", source, "--max_words=5", "--prefix=A zebra", *paths)
    assert all(line["captions"][0]["text"].startswith("a zebra") for line in lines)
    assert len(lines) == 2 and "warning: the model does not know zebra\n" in said
    _, said = run("caption", source, "--max_words=5", "--prefix=A dog", *paths)
    assert "warning" not in said
    lines, error = run("caption", source, "--max_words=5", "--prefix=a b c d e", *paths)
    assert not lines and error.startswith("error: --prefix has 5 words")


def test_samples_are_the_same_for_a_seed_however_many_photographs(run, folder, tmp_path):
    # Three batches: they are drawn for in the order of the files.
    paths = write_files(tmp_path, photographs(33))
    arguments = ["--seed=2", "--sample", "--max_words=5", "--temperature=2", *paths]
    settings = {"sample": True, "num_captions": 1, "max_caption_words": 5, "temperature": 2.0}
    lines, _ = run("caption", f"--model_dir={folder / 'captioner'}", *arguments)
    assert lines == _lines(
        paths, open_model(folder / "captioner", seed=2, **settings).caption(paths)
    )


@pytest.mark.parametrize(
    ("program", "name", "flags"),
    [
        ("align", "aligner", ["--sentence=A red dog"]),
        ("localize", "aligner", ["--phrase=a dog"]),
        ("caption", "captioner", ["--beam_size=1", "--max_words=5"]),
    ],
)
def test_bad_files_are_lines_and_counted_when_the_others_are_done(
    run, folder, paths, tmp_path, program, name, flags
):
    bad, missing = tmp_path / "bad.jpg", tmp_path / "missing.jpg"
    bad.write_text("no image")
    lines, error = run(
        program, f"--model_dir={folder / name}", *flags, str(bad), paths[0], str(missing)
    )
    assert [line["image"] for line in lines] == [str(bad), paths[0], str(missing)]
    assert "not an image" in lines[0]["error"]
    assert lines[1].keys() & {"score", "boxes", "captions"}
    assert lines[2]["error"] == "No such file or directory"
    assert "2 of 3 images could not be read; see their lines" in error and "error:" not in error


def test_lines_of_standard_input_have_the_answers_of_files(run, folder, paths, monkeypatch):
    lines = [paths[0], f"{paths[1]}\tein Hund", "missing.jpg"]
    for program, name, flag in (
        ("align", "aligner", "--sentence=A red dog"),
        ("localize", "aligner", "--phrase=A red dog"),
    ):
        source = f"--model_dir={folder / name}"
        given = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
        monkeypatch.setattr(sys, "stdin", given)
        found, said = run(program, source, flag, "-")
        (first,), _ = run(program, source, flag, paths[0])
        (second,), _ = run(program, source, f"{flag.partition('=')[0]}=ein Hund", paths[1])
        missing = {"image": "missing.jpg", "error": "No such file or directory"}
        assert found == [first, second, missing]
        assert second["unknown_words"] == ["ein", "hund"]
        assert said.count("warning: the model knows no word of this text") == 1
        assert "1 of 3 lines could not be answered; see theirs" in said and "error:" not in said
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"missing.jpg")))
        assert "error: 1 of 1 lines could not be" in run(program, source, flag, "-")[1]
