import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.training.run_directory import model_dir_lock


def test_a_second_run_is_kept_out_until_the_first_has_ended(tmp_path):
    model_dir = tmp_path / "runs" / "model"
    with model_dir_lock(model_dir):
        assert model_dir.is_dir()
        with pytest.raises(VsaTfError, match=f"Another run is training in {model_dir}"):
            with model_dir_lock(model_dir):
                pass
    with model_dir_lock(model_dir):
        pass
    assert not list(model_dir.iterdir())


def test_the_lock_of_a_killed_run_is_free(tmp_path):
    (tmp_path / ".lock").touch()
    with model_dir_lock(tmp_path):
        pass
