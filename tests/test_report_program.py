"""The program's command line, where importing TensorFlow would fail."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from vsa_tf.config import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.model_settings import MODEL_SETTINGS

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def refused(tmp_path):
    """Runs the program with a TensorFlow that cannot be imported, and returns its one line."""
    for name in ("tensorflow", "keras"):
        folder = tmp_path / "without" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    paths = os.pathsep.join(map(str, (tmp_path / "without", ROOT)))

    def run(*arguments):
        result = subprocess.run(
            [sys.executable, "-m", "vsa_tf.report", *arguments], cwd=tmp_path, capture_output=True,
            text=True, env={**os.environ, "PYTHONPATH": paths}, timeout=60,
        )
        assert result.returncode == 1, result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr
        return result.stderr

    return run


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
    groups = DataSettings(), OptimizerSettings(), TrainingSettings(model=model)
    settings = Settings(*groups, MODEL_SETTINGS[model](**values))
    (tmp_path / "config.json").write_text(settings.to_json({}), encoding="utf-8")
    line = refused("--model_dir=.", "--output_dir=report", "--query=red bus")
    assert re.search(f"--query is not for the model {model}", line)
    assert not (tmp_path / "report").exists()
