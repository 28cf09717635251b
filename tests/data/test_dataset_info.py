import json

import pytest

from tests.data.small_records import change_info, write_info
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError

_SHARD = {"file": "dev-00000-of-00001.tfrecord", "num_records": 2, "sha256": "0" * 64}
_SPLIT = {"num_images": 2, "num_sentences": 10, "num_phrases": 0, "shards": [_SHARD]}


def test_loads_what_the_writer_states(tmp_path):
    write_info(tmp_path, splits={"dev": _SPLIT})
    info = DatasetInfo.load(tmp_path)
    assert (info.num_regions, info.region_feature_size, info.images_stored) == (3, 4, False)
    assert info.split("dev").num_sentences == 10
    assert info.split("dev").shards[0].file == _SHARD["file"]
    assert info.encoder == {"kind": "test"}


def test_directories_of_before_there_were_object_features_have_none(tmp_path):
    write_info(tmp_path, object_features=True)
    assert DatasetInfo.load(tmp_path).object_features
    contents = DatasetInfo.load(tmp_path).contents
    del contents["object_features"]
    (tmp_path / "dataset_info.json").write_text(json.dumps(contents))
    assert not DatasetInfo.load(tmp_path).object_features


def test_missing_directory_says_to_write_records(tmp_path):
    with pytest.raises(FileNotFoundError, match="tfrecords_tools.write"):
        DatasetInfo.load(tmp_path / "absent")


def test_missing_file_says_to_repeat_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="repeat its command"):
        DatasetInfo.load(tmp_path)


def test_other_schema_version_is_refused_before_anything_else(tmp_path):
    (tmp_path / "dataset_info.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(VsaTfError, match="schema_version=99"):
        DatasetInfo.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_what_is_not_a_json_object_is_refused(tmp_path, text):
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(ValueError, match="Expected (a )?JSON.*info.json.*Write the records"):
        DatasetInfo.load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_regions": 0},
        {"num_regions": True},
        {"region_feature_size": -1},
        {"splits": None},
        {"splits": {"dev": {**_SPLIT, "num_images": 3}}},
        {"splits": {"dev": {**_SPLIT, "shards": [{**_SHARD, "file": "../outside"}]}}},
        {"splits": {"dev": {"num_images": 2}}},
    ],
)
def test_an_impossible_entry_is_refused(tmp_path, changes):
    write_info(tmp_path, **changes)
    with pytest.raises(VsaTfError, match="Expected a complete dataset_info.json"):
        DatasetInfo.load(tmp_path)


def test_unknown_split_lists_the_known_ones(tmp_path):
    write_info(tmp_path, splits={"dev": _SPLIT})
    with pytest.raises(VsaTfError, match="one of dev. Received: split=test$"):
        DatasetInfo.load(tmp_path).split("test")


def test_missing_shard_is_named(tmp_path):
    write_info(tmp_path)
    change_info(tmp_path, splits={"dev": _SPLIT})
    with pytest.raises(FileNotFoundError, match=_SHARD["file"]):
        DatasetInfo.load(tmp_path).shard_paths("dev")
