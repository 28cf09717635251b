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
