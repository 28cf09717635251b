import dataclasses
import json

import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.text.vocabulary import Vocabulary
from vsa_tf.training.run_directory import begin_model_dir, check_model_dir, model_dir_lock

SETTINGS = Settings(
    DataSettings(), OptimizerSettings(), TrainingSettings(), AlignmentSettings(joint_size=8)
)


def _text(*words):
    return CaptionText(Vocabulary.from_sentences([words]), "word")


@pytest.fixture
def run(tmp_path):
    """`(inputs, text)` of a run that has begun in `tmp_path`."""
    text = _text("a", "dog")
    inputs = {"records": "of these features", **text.fingerprints()}
    begin_model_dir(SETTINGS, tmp_path, inputs, text)
    return inputs, text


def test_a_run_is_told_by_its_settings_inputs_and_words(run, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "flagfile",
        "vocabulary.txt",
    ]
    assert Settings.load(tmp_path) == SETTINGS
    assert Settings.load_inputs(tmp_path) == run[0]
    assert "--joint_size=8" in (tmp_path / "flagfile").read_text().splitlines()


def test_the_same_run_goes_on_and_writes_nothing_anew(run, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    check_model_dir(SETTINGS, tmp_path, *run)
    begin_model_dir(SETTINGS, tmp_path, *run)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_an_empty_directory_is_free(tmp_path):
    check_model_dir(SETTINGS, tmp_path / "none", {}, _text("a"))


def test_other_settings_records_and_words_are_refused(run, tmp_path):
    inputs, text = run
    wider = dataclasses.replace(SETTINGS, model=AlignmentSettings(joint_size=9))
    with pytest.raises(VsaTfError, match="another run: joint_size is 9 here and 8 there"):
        check_model_dir(wider, tmp_path, inputs, text)
    with pytest.raises(VsaTfError, match="another run: the records of train are other ones"):
        check_model_dir(SETTINGS, tmp_path, {**inputs, "records": "others"}, text)
    with pytest.raises(VsaTfError, match="vocabulary.txt is not the one it was trained with"):
        check_model_dir(SETTINGS, tmp_path, inputs, _text("a", "cat"))


def test_what_an_earlier_version_did_not_store_is_not_known_to_differ(run, tmp_path):
    inputs, text = run
    stored = read_sealed(tmp_path / "config.json")
    del stored["inputs"]["records"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    check_model_dir(SETTINGS, tmp_path, inputs, text)


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
