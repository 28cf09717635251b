"""Features of annotated boxes, and annotations as they should not be."""

import json

import fake_models
import numpy as np
import pytest
from mini_flickr8k import files, jpeg, write_directories
from source_samples import SAMPLES
from written_records import SETTINGS, contents, csv_source, write

from tfrecords_tools.record_checking import check_records
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.sources.region_descriptions import RegionDescriptions
from tfrecords_tools.write_settings import WriteSettings
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.record_views import DescribedRegions
from vsa_tf.data.schema import AnnotatedBox
from vsa_tf.files import read_sealed

WITH_OBJECTS = WriteSettings(detector="fake", image_encoder="fake", object_features=True)


def write_boxes(source, output_dir, settings=WITH_OBJECTS, **options):
    """Writes features that tell of which box they are."""
    return write(source, output_dir, settings, fake_models.make_box_features, **options)


@pytest.fixture
def flickr8k(tmp_path):
    return Flickr8k(**write_directories(tmp_path / "flickr8k", files()))


def test_each_chain_has_the_feature_of_the_box_around_all_its_boxes(flickr8k, tmp_path):
    info = write_boxes(flickr8k, tmp_path / "out").info
    assert info["object_features"] and check_records(tmp_path / "out") == []
    split = RecordSplit(tmp_path / "out", "train")
    # Of 101, chain 1 has a box alone and one that it shares with chain 2; of 102, chain 4 is a
    # scene; 103 has no box at all.
    assert [[chain.name for chain in chains] for chains in split.chains] == [["1", "2"], ["3"], []]
    boxes = [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 1, 0.5]]
    features = split.read_chain_features([0, 1, 2])
    np.testing.assert_array_equal(features[:, :4], boxes)
    # Each of its own image, as its regions are.
    whole_frames = split.read_region_features([0, 0, 1])[:, 0, 4]
    np.testing.assert_array_equal(features[:, 4], whole_frames)


def test_a_described_region_is_a_phrase_with_the_feature_of_its_box(tmp_path):
    sample = SAMPLES / "regions"
    write_boxes(RegionDescriptions(sample / "images", sample / "regions.csv"), tmp_path / "out")
    split = RecordSplit(tmp_path / "out", "train")
    assert [[own.type for own in phrases] for phrases in split.phrases] == [
        ["region"] * 2,
        ["region"],
    ]
    regions = DescribedRegions(split)
    clock, man = [0.1, 0.1, 0.6, 0.6], [0.1, 0.25, 1, 0.75]
    np.testing.assert_array_equal(regions.region_boxes[:, 0], np.float32([clock, man]))
    features = regions.read_region_features([0, 1])[:, 0]
    np.testing.assert_array_equal(features[:, :4], np.float16([clock, man]))
    assert regions.captions == ["a clock on a pole", "a green clock, high up", "a man in sneakers"]
    assert regions.image_of_caption.tolist() == [0, 0, 1]


def test_phrase_without_a_box_stays_a_phrase_without_a_chain(flickr8k, tmp_path):
    write_boxes(flickr8k, tmp_path / "out")
    split = RecordSplit(tmp_path / "out", "train")
    assert {phrase.chain for phrase in split.phrases[1]} == {"3", "4"}
    assert {phrase.chain for phrase in split.phrases[2]} == {"5"} and not split.chains[2]


def test_annotation_of_a_missing_photograph_is_skipped_with_the_photograph(tmp_path):
    of_files = files()
    del of_files["images"]["Flicker8k_Dataset/101_a.jpg"]
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", of_files))
    info = write_boxes(source, tmp_path / "out").info
    assert {
        "split": "train",
        "source_id": "101_a.jpg",
        "reason": "the photograph is not in --images",
    } in info["skipped"]
    assert RecordSplit(tmp_path / "out", "train").source_ids == ["102_b", "103_c"]


def test_box_without_area_skips_its_photograph_before_anything_is_cut_out(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg(seed=1), "b.jpg": jpeg(seed=2)})
    examples = list(source.examples("train"))
    for example, box in zip(examples, ((0.5, 0.5, 0.5, 1.0), (0.0, 0.0, 0.5, 1.0))):
        object.__setattr__(example, "objects", (AnnotatedBox("1", box),))
    source.examples = lambda split: examples
    info = write_boxes(source, tmp_path / "out").info
    assert [item["source_id"] for item in info["skipped"]] == ["a.jpg"]
    assert "no area" in info["skipped"][0]["reason"]


def test_features_of_objects_change_nothing_else(flickr8k, tmp_path):
    write_boxes(flickr8k, tmp_path / "with")
    write_boxes(flickr8k, tmp_path / "without", SETTINGS)
    for name in ("train", "dev"):
        one, other = (RecordSplit(tmp_path / folder, name) for folder in ("with", "without"))
        images = np.arange(one.num_images)
        np.testing.assert_array_equal(
            one.read_region_features(images), other.read_region_features(images)
        )
        assert (one.chains, one.phrases) == (other.chains, other.phrases)


def test_directory_of_before_there_were_such_features_is_still_complete(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    path = tmp_path / "out" / "dataset_info.json"
    info = read_sealed(path)
    del info["object_features"]
    for split in info["splits"].values():
        del split["num_with_fewer_regions"]
    path.write_text(json.dumps(info))
    before = contents(tmp_path / "out")
    assert write(flickr8k, tmp_path / "out").num_images == 0
    assert contents(tmp_path / "out") == before
    assert "object_features" not in info["settings"]


def test_records_with_and_without_are_never_mixed(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    with pytest.raises(ValueError, match="object_features is absent there and True now"):
        write(flickr8k, tmp_path / "out", WITH_OBJECTS)


def test_data_set_without_annotated_boxes_has_none_to_compute(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg()})
    with pytest.raises(ValueError, match="without any. Give --entities"):
        write_boxes(source, tmp_path / "out")


def test_two_hundred_regions_are_written_checked_and_read(flickr8k, tmp_path):
    settings = WriteSettings(
        detector="fake", image_encoder="fake", num_regions=201, object_features=True
    )
    info = write(flickr8k, tmp_path / "out", settings, fake_models.make_many_boxes).info
    assert info["num_regions"] == 201 and check_records(tmp_path / "out") == []
    assert [split["num_with_fewer_regions"] for split in info["splits"].values()] == [0, 0]
    split = RecordSplit(tmp_path / "out", "train")
    features = split.read_region_features([0, 1, 2])
    assert features.shape == (3, 201, 5) and split.region_mask.all()
    np.testing.assert_array_equal(features[..., :4], split.region_boxes.astype(np.float16))


def test_fewer_regions_than_asked_are_counted(flickr8k, tmp_path):
    settings = WriteSettings(detector="fake", image_encoder="fake", num_regions=400)
    info = write(flickr8k, tmp_path / "out", settings, fake_models.make_many_boxes).info
    assert info["num_regions"] == 301
    assert {name: split["num_with_fewer_regions"] for name, split in info["splits"].items()} == {
        "train": 3,
        "dev": 1,
    }
