"""The program's command line, where importing TensorFlow would fail."""

import re

import pytest

from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.settings import Settings


@pytest.fixture
def refused(tmp_path):
    """Runs the program with a TensorFlow that cannot be imported, and returns its one line."""
    return lambda *arguments: refusal(
        run_without_tensorflow("vsa_tf.report", *arguments, directory=tmp_path)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--model_dir is missing"),
        (["--model_dir=m"], "--output_dir is missing"),
        (["--model_dir=m", "--output_dir=report"], "no readable config.json"),
        (["--model_dir=m", "--output_dir=."], "to be new, empty, or an earlier report"),
        (["--model_dir=m", "--output_dir=report", "--images_per_page=0"], "images_per_page"),
        (["--model_dir=m", "--output_dir=report", "--max_images=-1"], "max_images"),
        (["--model_dir=m", "--output_dir=report", "page"], "Received: page"),
    ],
)
def test_wrong_flags_are_refused_before_tensorflow(refused, arguments, message):
    assert re.search(message, refused(*arguments))


def _settings(tmp_path, name, model, **values):
    (tmp_path / name).mkdir()
    settings = Settings.of(model, **values)
    (tmp_path / name / "config.json").write_text(settings.to_json({}), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model_dir=words", "--retrieval_model=words"], "retrieval_model is not for this align"),
        (["--model_dir=words", "--images=nowhere"], "--images=nowhere: .* does not exist"),
        (
            ["--model_dir=words", "--model_dir=captions"],
            "--model_dir=captions with the model m_rnn",
        ),
        (
            ["--model_dir=captions", "--model_dir=words"],
            "--model_dir=captions with the model m_rnn",
        ),
        (
            ["--model_dir=captions", "--retrieval_model=phrases"],
            "model=phrases with the model embed",
        ),
        (["--model_dir=relations", "--query=red bus"], "--query is not for this defrag model"),
        (["--model_dir=relations", "--smoothness=0"], "--smoothness is not .* aligns no words"),
        (
            ["--model_dir=words", "--data_dir=a", "--data_dir=b"],
            "--data_dir once, or once for each",
        ),
    ],
)
def test_what_a_model_has_no_pages_of_is_refused(refused, tmp_path, arguments, message):
    _settings(tmp_path, "words", "alignment")
    _settings(tmp_path, "relations", "defrag")
    _settings(tmp_path, "captions", "m_rnn")
    _settings(tmp_path, "phrases", "embedding", task="region_phrase")
    assert re.search(message, refused(*arguments, "--output_dir=report"))
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("model", "values"),
    [("m_rnn", {}), ("embedding", {}), ("similarity", {"task": "region_phrase"})],
)
def test_queries_are_refused_where_a_model_finds_no_regions(refused, tmp_path, model, values):
    settings = Settings.of(model, **values)
    (tmp_path / "config.json").write_text(settings.to_json({}), encoding="utf-8")
    line = refused("--model_dir=.", "--output_dir=report", "--query=red bus")
    assert re.search(f"--query is not for this {model} model, which finds no regions", line)
    line = refused("--model_dir=.", "--output_dir=report", "--smoothness=0")
    assert re.search(f"--smoothness is not for this {model} model", line)
    assert not (tmp_path / "report").exists()
