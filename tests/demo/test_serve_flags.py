"""The flags of `vsa_tf.serve` that are the page's."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.demo.small_index import write_small_index
from vsa_tf.search_index.index_manifest import IndexManifest

ROOT = pathlib.Path(__file__).parents[2]
_MODEL = ("--model_name=m", "--model_base_path=.")


@pytest.fixture
def refused(tmp_path):
    """Runs the program with a TensorFlow that cannot be imported, and returns its one line."""
    folder = tmp_path / "without" / "tensorflow"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('tensorflow was imported')\n")
    paths = os.pathsep.join(map(str, (tmp_path / "without", ROOT)))

    def run(*arguments):
        result = subprocess.run(
            [sys.executable, "-m", "vsa_tf.serve", *_MODEL, *arguments], cwd=tmp_path,
            capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, timeout=60,
        )
        assert result.returncode == 1, result.stderr
        assert len(result.stderr.splitlines()) == 1, result.stderr
        return result.stderr

    return run


def test_a_directory_that_is_no_index_is_refused_before_tensorflow(refused):
    assert "--index_dir=nowhere holds no index" in refused("--index_dir=nowhere")


def test_an_index_without_photographs_is_refused_before_tensorflow(refused, tmp_path):
    (tmp_path / "index").mkdir()
    IndexManifest({}, "distance", "float32", {}).save(tmp_path / "index")
    assert "holds no photographs" in refused("--index_dir=index")


def test_an_index_needs_the_page(refused, tmp_path):
    index_dir = write_small_index(tmp_path)
    assert "leave out --nodemo" in refused(f"--index_dir={index_dir}", "--nodemo")


def test_an_index_of_photographs_passes(refused, tmp_path):
    # The next check is what fails: both ports are one.
    index_dir = write_small_index(tmp_path)
    assert "are both 8501" in refused(f"--index_dir={index_dir}", "--port=8501")
