import dataclasses
import json

import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.text.vocabulary import Vocabulary
from vsa_tf.training.run_directory import (
    begin_model_dir,
    check_model_dir,
    going_on,
    model_dir_lock,
    settings_difference,
)

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


def test_differences_are_named_but_for_what_may_change():
    settings = Settings.of()
    other = Settings.of(
        model_dir="elsewhere",
        joint_size=7,
        clip_norm=2.0,
        export_dir="out",
        export_detector="grid",
        report_dir="pages",
        num_epochs=3,
        num_pictures=0,
        steps_per_checkpoint=5,
        test_split="dev",
    )
    assert settings_difference(settings, settings) == ""
    assert settings_difference(settings, other) == (
        "--clip_norm is 0.0 here and 2.0 there; --joint_size is 512 here and 7 there"
    )


def test_settings_of_another_model_differ():
    difference = settings_difference(Settings.of(), Settings.of("m_rnn"))
    assert "--model is 'alignment' here and 'm_rnn' there" in difference


def test_a_run_that_goes_on_has_what_it_began_with_where_nothing_is_given():
    stored = Settings.of(num_epochs=7, batch_size=32, hardness_warmup_epochs=5.0)
    given = Settings.of(num_epochs=9)
    assert going_on(given, stored).training.num_epochs == 9
    assert going_on(given, stored).data.batch_size == 32
    assert going_on(given, stored).model.hardness_warmup_epochs == 5.0
    assert going_on(given, Settings.of("m_rnn")) == given


def test_a_run_that_goes_on_computes_as_it_began_on_whatever_machine():
    stored, given = Settings.of(mixed_precision="true"), Settings.of(mixed_precision="auto")
    assert going_on(given, stored).training.mixed_precision == "true"
