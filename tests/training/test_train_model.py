import keras
import pytest

from tests import keras_hub_presets
from tests.data.small_records import NUM_REGIONS, write_records
from vsa_tf.errors import VsaTfError
from vsa_tf.settings import Settings
from vsa_tf.training import compiling
from vsa_tf.training.train_model import train_model


def _settings(data_dir, **values):
    places = {"data_dir": str(data_dir), "model_dir": str(data_dir / "model")}
    return Settings.of("alignment", **places, **values)


@pytest.mark.parametrize(
    ("splits", "received"),
    [
        ({}, "dev_split=dev"),
        ({"train_split": "night", "dev_split": "train"}, "train_split=night"),
        # Not at the end of the training.
        ({"dev_split": "train", "test_split": "night"}, "test_split=night"),
    ],
)
def test_a_split_that_there_is_not_is_refused_by_its_setting(tmp_path, splits, received):
    write_records(tmp_path)
    setting = received.partition("=")[0]
    message = f"Expected {setting} to be a split of .*, one of train. Received: {received}"
    lines = []
    with pytest.raises(VsaTfError, match=message):
        train_model(_settings(tmp_path, **splits), lines.append)
    assert not lines  # nothing was read
    assert not (tmp_path / "model").exists()


def test_whole_frames_alone_have_no_regions_beside_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.data.small_records.NUM_REGIONS", 1)
    write_records(tmp_path)
    values = {"dev_split": "train", "test_split": "train", "image_context": "mean"}
    places = {"data_dir": str(tmp_path), "model_dir": str(tmp_path / "model")}
    message = "image_context=mean is of the regions.*holds whole frames alone"
    with pytest.raises(VsaTfError, match=message):
        train_model(Settings.of("m_rnn", **places, **values))
    assert not (tmp_path / "model").exists()


def test_features_are_not_augmented(tmp_path):
    write_records(tmp_path, images_stored=True)
    lines, message = [], "augmentation=mirror changes photographs.*image_encoder=pixels"
    with pytest.raises(VsaTfError, match=message):
        train_model(_settings(tmp_path, dev_split="train", augmentation="mirror"), lines.append)
    assert not lines  # nothing was read
    assert not (tmp_path / "model").exists()


def test_a_single_photograph_cannot_be_told_from_others(tmp_path):
    write_records(tmp_path, 1, num_shards=1)
    message = "model=alignment learns by .*two or more in split train. Received: 1"
    splits, lines = {"dev_split": "train", "test_split": "train"}, []
    with pytest.raises(VsaTfError, match=message):
        train_model(_settings(tmp_path, **splits, num_regions=50), lines.append)
    assert not (tmp_path / "model").exists()
    # On the way there: a setting that the records cannot fill is no silent one.
    fewer = f"{tmp_path} holds {NUM_REGIONS} regions of an image, fewer than --num_regions=50: all"
    assert lines[0].startswith(fewer)
    with pytest.raises(VsaTfError, match=message):
        train_model(_settings(tmp_path, **splits, num_regions=NUM_REGIONS), lines.append)
    assert sum("fewer than" in line for line in lines) == 1


def test_a_batch_that_devices_cannot_share_is_refused_before_the_directory_is_begun(
    tmp_path, monkeypatch
):
    write_records(tmp_path)
    monkeypatch.setattr(compiling, "this_host", lambda: (0, 1, 3))
    with pytest.raises(VsaTfError, match="batch_size to be a multiple of the 3 devices"):
        train_model(_settings(tmp_path, dev_split="train", test_split="train", batch_size=20))
    assert not (tmp_path / "model").exists()


def test_what_comes_after_a_run_has_not_its_precision(tmp_path):
    write_records(tmp_path, 1, num_shards=1)
    before = keras.config.dtype_policy().name
    assert before != "mixed_bfloat16"
    with pytest.raises(VsaTfError, match="two or more"):
        train_model(
            _settings(tmp_path, dev_split="train", test_split="train", mixed_precision="true")
        )
    assert keras.config.dtype_policy().name == before


def test_executions_that_do_not_fill_the_steps_between_checkpoints_are_refused(tmp_path):
    write_records(tmp_path, 4, num_shards=1)
    with pytest.raises(VsaTfError, match="divide the 1 steps .*steps_per_execution=2"):
        train_model(
            _settings(
                tmp_path,
                dev_split="train",
                test_split="train",
                steps_per_execution=2,
                batch_size=100,
            )
        )
    assert not (tmp_path / "model").exists()


def test_records_that_there_are_not_are_named(tmp_path):
    with pytest.raises(VsaTfError, match="dataset_info.json in data_dir"):
        train_model(_settings(tmp_path))


def test_a_preset_without_a_text_tower_is_refused_before_records_are_read(tmp_path, monkeypatch):
    pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")
    spec = f"keras_hub:{keras_hub_presets.save('bert', tmp_path / 'bert')}"
    write_records(tmp_path)
    places = {"data_dir": str(tmp_path), "model_dir": str(tmp_path / "model")}
    settings = Settings.of("embedding", text=spec, dev_split="train", **places)
    monkeypatch.setattr("vsa_tf.training.train_model.read_records", lambda *_: 1 / 0)
    with pytest.raises(VsaTfError, match="^text=keras_hub:.* cannot be read as CLIPTokenizer"):
        train_model(settings)
