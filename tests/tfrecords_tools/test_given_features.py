"""Records of data sets that bring features in place of photographs."""

import dataclasses

import numpy as np
import pytest
from source_samples import SAMPLES, copy_sample
from written_records import contents, csv_source, write

from tfrecords_tools.record_checking import check_records
from tfrecords_tools.record_rendering import render_records
from tfrecords_tools.sources.neuraltalk import Neuraltalk
from tfrecords_tools.sources.precomp import Precomp
from tfrecords_tools.write_settings import GIVEN, WriteSettings
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.record_split import RecordSplit

SETTINGS = WriteSettings(detector=GIVEN, image_encoder=GIVEN, store_images=False)


def write_given(source, output_dir, store_images=False, **options):
    settings = dataclasses.replace(SETTINGS, store_images=store_images)
    return write(source, output_dir, settings, make_models=None, **options)


def test_features_are_written_as_the_data_set_has_them(tmp_path):
    write_given(Precomp(SAMPLES / "precomp"), tmp_path)
    info = DatasetInfo.load(tmp_path)
    assert (info.num_regions, info.region_feature_size, info.image_feature_size) == (1, 4, 4)
    assert not info.images_stored and info.detector == {"spec": "given"}
    assert info.encoder == {"spec": "given", "dataset": "precomp", "feature_size": 4}
    assert check_records(tmp_path) == []
    split = RecordSplit(tmp_path, "train")
    assert split.captions[5] == "second picture number 0 ."
    features = split.read_region_features([1, 0])
    np.testing.assert_array_equal(features, [[[5, 6, 7, 8]], [[1, 2, 3, 4]]])


def test_all_regions_are_kept_each_as_the_whole_frame(tmp_path):
    write_given(Precomp(SAMPLES / "precomp_regions"), tmp_path)
    assert DatasetInfo.load(tmp_path).num_regions == 4
    assert check_records(tmp_path) == []
    split = RecordSplit(tmp_path, "test")
    np.testing.assert_array_equal(
        split.read_region_features([0])[0], [[3, 4], [1, 2], [3, 6], [5, 4]]
    )
    np.testing.assert_array_equal(split.region_boxes[0], np.tile([0, 0, 1, 1], (4, 1)))
    assert "test-000000" in render_records(tmp_path)


def test_the_bytes_do_not_depend_on_the_process(tmp_path):
    source = Neuraltalk(SAMPLES / "neuraltalk")
    write_given(source, tmp_path / "here", splits=["train"])
    write_given(source, tmp_path / "there", splits=["train"], num_workers=1)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_features_that_are_not_finite_are_skipped_and_listed(tmp_path):
    folder = copy_sample("precomp", tmp_path)
    rows = np.repeat(np.array([[1, 2, 3, np.nan], [1, 2, 3, 4]], np.float32), 5, axis=0)
    np.save(folder / "train_ims.npy", rows)
    result = write_given(Precomp(folder), tmp_path / "out", splits=["train"])
    assert result.info["splits"]["train"]["num_images"] == 1
    assert result.info["skipped"] == [
        {
            "split": "train",
            "source_id": "train-000000",
            "reason": "the feature of region 0 holds NaN or infinity",
        }
    ]


def test_sources_and_settings_must_agree(tmp_path):
    with pytest.raises(ValueError, match="image_encoder='given' for sources that bring features"):
        write(Precomp(SAMPLES / "precomp"), tmp_path, WriteSettings())
    photographs = csv_source(tmp_path, {"a.jpg": b""})
    with pytest.raises(ValueError, match="Received: image_encoder='given' for csv"):
        write_given(photographs, tmp_path / "out")


@pytest.mark.parametrize(
    "other", [{"detector": "none"}, {"image_encoder": "pixels"}, {"object_features": True}]
)
def test_given_features_exclude_networks(other):
    settings = {"detector": GIVEN, "image_encoder": GIVEN, "store_images": False}
    with pytest.raises(ValueError, match="there is no network|--store_images"):
        WriteSettings(**{**settings, **other})


def test_photographs_that_nobody_has_are_not_stored(tmp_path):
    with pytest.raises(ValueError, match="store_images=False for precomp"):
        write_given(Precomp(SAMPLES / "precomp"), tmp_path, store_images=True)
