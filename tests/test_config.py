import dataclasses

import pytest

from vsa_tf.config import (
    AlignmentSettings,
    DataSettings,
    OptimizerSettings,
    Settings,
    TrainingSettings,
    check,
)
from vsa_tf.program import ProgramError


def _settings(tmp_path, **values):
    values = {"data_dir": str(tmp_path), "model_dir": str(tmp_path / "model"), **values}
    groups = []
    for group in (DataSettings, OptimizerSettings, TrainingSettings, AlignmentSettings):
        names = {field.name for field in dataclasses.fields(group)}
        groups.append(group(**{name: values.pop(name) for name in names & values.keys()}))
    assert not values
    return Settings(*groups)


def test_json_round_trips(tmp_path):
    settings = _settings(
        tmp_path, joint_size=7, dropout=0.25, optimizer="adam", num_epochs=3, frame_context=True
    )
    (tmp_path / "config.json").write_text(settings.to_json({"num_regions": 5}), encoding="utf-8")
    assert Settings.load(tmp_path) == settings
    assert Settings.load_inputs(tmp_path) == {"num_regions": 5}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"training": {"model": "other"}}'])
def test_a_config_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ProgramError, match="config.json is not a settings file of this version"):
        Settings.load(tmp_path)


def test_a_config_with_an_unknown_setting_is_refused(tmp_path):
    text = _settings(tmp_path).to_json({}).replace('"joint_size"', '"joint_width"')
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ProgramError, match="joint_width"):
        Settings.load(tmp_path)


def test_a_missing_config_is_refused(tmp_path):
    with pytest.raises(ProgramError, match="no readable config.json"):
        Settings.load(tmp_path / "nowhere")


def test_differences_are_named_but_for_paths(tmp_path):
    settings = _settings(tmp_path)
    other = _settings(tmp_path, model_dir="elsewhere", joint_size=7, clip_norm=2.0)
    assert settings.difference(settings) == ""
    difference = settings.difference(other)
    assert "--joint_size is 1000 here and 7 there" in difference
    assert "--clip_norm is 0.0 here and 2.0 there" in difference
    assert "model_dir" not in difference


def test_defaults_are_the_papers():
    model, optimizer = AlignmentSettings(), OptimizerSettings()
    assert (model.joint_size, model.word_embedding_size, model.cell) == (1000, 300, "relu")
    assert (model.similarity, model.negatives, model.margin) == ("inner", "sum", 1.0)
    assert not (model.frame_context or model.length_normalization or model.region_geometry)
    assert (optimizer.optimizer, optimizer.momentum) == ("sgd", 0.9)
    assert (DataSettings().batch_size, DataSettings().min_count) == (100, 5)


def test_whole_settings_pass(tmp_path):
    check(_settings(tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_dir": ""}, "--model_dir is missing"),
        ({"data_dir": ""}, "--data_dir is missing"),
        ({"data_dir": "nowhere"}, "--data_dir=nowhere is not a directory"),
        ({"clip_value": 1.0, "clip_norm": 1.0}, "--clip_value and --clip_norm"),
        ({"word_vectors": "nowhere.txt"}, "--word_vectors=nowhere.txt is not a file"),
        ({"train_word_vectors": False}, "--notrain_word_vectors needs --word_vectors"),
        ({"cnn": "ResNet50"}, "Expected --cnn=small or --cnn=keras:NAME.*ResNet50"),
        ({"hardness_warmup_epochs": 1.0}, "no meaning with --negatives=sum"),
        ({"num_examples": "10,5"}, "three counts above 0.*'10,5'"),
        ({"num_examples": "10,5,0"}, "three counts above 0.*'10,5,0'"),
        ({"num_examples": "10,5,many"}, "three counts above 0"),
    ],
)
def test_contradictions_are_refused(tmp_path, values, message):
    with pytest.raises(ProgramError, match=message):
        check(_settings(tmp_path, **values))
