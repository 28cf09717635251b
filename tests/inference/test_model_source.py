import json

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "one of --model_dir, --saved_model and --server. Received: none"),
        ({"model_dir": "a", "saved_model": "b"}, "--model_dir and --saved_model"),
        ({"saved_model": "a", "image_encoder": "b"}, "--image_encoder goes with --model_dir"),
        ({"server": "h:1", "model_name": "m", "detector": "b"}, "--detector goes with"),
        ({"server": "localhost:8501"}, "--server and --model_name go together"),
        ({"model_dir": "a", "model_name": "m"}, "--server and --model_name go together"),
        ({"server": "localhost", "model_name": "m"}, "--server=HOST:PORT"),
        ({"server": "http://localhost:8501", "model_name": "m"}, "--server=HOST:PORT"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(VsaTfError) as refused:
        ModelSource(**fields)
    assert message in refused.value.of_flags


def _write_model_dir(path, model, **values):
    path.mkdir()
    settings = Settings(
        DataSettings(),
        OptimizerSettings(),
        TrainingSettings(model=model),
        MODELS[model].settings(**values),
    )
    (path / "config.json").write_text(settings.to_json({}), encoding="utf-8")
    return ModelSource(str(path))


def test_a_model_directory_is_checked_by_its_settings(tmp_path):
    aligner = _write_model_dir(tmp_path / "aligner", "alignment")
    aligner.check("align", "aligns sentences")
    with pytest.raises(VsaTfError, match="that writes captions. Received: .*aligner, alignment"):
        aligner.check("caption", "writes captions")
    phrases = _write_model_dir(tmp_path / "phrases", "embedding", task="region_phrase")
    phrases.check("localize", "finds phrases")
    with pytest.raises(VsaTfError, match="embedding"):
        phrases.check("score", "scores")
    with pytest.raises(VsaTfError, match="no readable config.json"):
        ModelSource(str(tmp_path / "nowhere")).check("align", "aligns sentences")


def test_a_saved_model_is_checked_by_the_card_of_its_newest_version(tmp_path):
    for version, signature in (("9", "align"), ("10", "caption")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").write_bytes(b"")
        card = {"model": f"model {version}", "signatures": {signature: {}}}
        (tmp_path / version / "model_card.json").write_text(json.dumps(card))
    ModelSource(saved_model=str(tmp_path)).check("caption", "writes captions")
    with pytest.raises(VsaTfError, match="model 10, which answers caption alone"):
        ModelSource(saved_model=str(tmp_path)).check("align", "aligns sentences")
    ModelSource(saved_model=str(tmp_path / "9")).check("align", "aligns sentences")
    with pytest.raises(VsaTfError, match="holds no SavedModel"):
        ModelSource(saved_model=str(tmp_path / "8")).check("align", "aligns sentences")


def test_it_is_the_same_from_another_directory(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    fields = ModelSource("model", image_encoder="keras:MobileNetV2").to_dict()
    assert fields == {"model_dir": str(tmp_path / "model"), "image_encoder": "keras:MobileNetV2"}
    served = ModelSource(server="localhost:8501", model_name="m")
    assert ModelSource(**served.to_dict()) == served
    assert str(served) == "m of localhost:8501"


def test_handles_that_cannot_be_used_are_refused_before_the_model_is_opened():
    with pytest.raises(
        VsaTfError, match="image_encoder: .*Received: keras_hub:no/such, which is no"
    ):
        ModelSource(model_dir="any", image_encoder="keras_hub:no/such")
