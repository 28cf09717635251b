"""The flags of `vsa_tf.serve` that are the page's."""

import pytest

from tests.demo.small_index import write_small_index
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.search_index.index_directory import IndexManifest

_MODEL = ("--model_name=m", "--model_base_path=.")


@pytest.fixture
def refused(tmp_path):
    """Runs the program with a TensorFlow that cannot be imported, and returns its one line."""
    return lambda *arguments: refusal(
        run_without_tensorflow("vsa_tf.serve", *_MODEL, *arguments, directory=tmp_path)
    )


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
