import os

import numpy as np
import pytest
import tensorflow as tf

from tests.data import small_records
from tests.data.small_records import (
    chain_features,
    change_info,
    png_image,
    region_boxes,
    region_count,
    region_features,
    write_records,
)
from vsa_tf.data import schema
from vsa_tf.data.parsed_record import AnnotatedChain, ParsedRecord
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase
from vsa_tf.errors import VsaTfError


def _flip_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


def test_annotations_come_in_record_order(tmp_path):
    write_records(tmp_path, num_images=5, num_shards=2)
    split = RecordSplit(tmp_path, "train")
    assert (split.num_images, split.num_captions) == (5, 25)
    assert split.source_ids == [f"image{i}" for i in range(5)]
    assert split.filenames[3] == "image3.png"
    assert split.captions == [small_records.caption_text(m) for m in range(25)]
    assert split.image_of_caption.dtype == np.int32
    assert split.image_of_caption.tolist() == [m // 5 for m in range(25)]
    assert split.first_caption.tolist() == [0, 5, 10, 15, 20, 25]
    assert split.image_sizes.tolist() == [[6, 4]] * 5
    assert split.objects[4] == (AnnotatedBox("7", (0.25, 0.0, 0.75, 0.5)),)
    assert split.phrases[4] == (AnnotatedPhrase(2, 0, 1, "7", "people"),)


def test_images_may_have_different_numbers_of_captions(tmp_path):
    def edit(image, values):
        values[schema.CAPTION_RAW] = values[schema.CAPTION_RAW][: 3 + image]

    write_records(tmp_path, num_images=3, edit=edit)
    split = RecordSplit(tmp_path, "train")
    assert split.image_of_caption.tolist() == [0] * 3 + [1] * 4 + [2] * 5


def test_regions_are_padded_and_masked(tmp_path):
    write_records(tmp_path)
    split = RecordSplit(tmp_path, "train")
    assert split.region_boxes.dtype == np.float32
    for image in range(8):
        count = region_count(image)
        assert split.region_mask[image].tolist() == [region < count for region in range(3)]
        np.testing.assert_array_equal(split.region_boxes[image, :count], region_boxes(image))
        assert not split.region_boxes[image, count:].any()
        assert not split.region_scores[image, count:].any()


@pytest.mark.parametrize("feature_cache_bytes", [0, 2**20])
def test_features_are_the_stored_float16_from_memory_or_file(tmp_path, feature_cache_bytes):
    write_records(tmp_path)
    split = RecordSplit(tmp_path, "train", feature_cache_bytes)
    assert split.features_cached == (feature_cache_bytes > 0)
    images = [6, 0, 7, 0]
    features = split.read_region_features(images)
    assert features.dtype == np.float16
    assert features.shape == (4, 3, 4)
    for row, image in enumerate(images):
        count = region_count(image)
        np.testing.assert_array_equal(features[row, :count], region_features(image))
        assert not features[row, count:].any()
    for num_regions in (1, 2, 3):
        first = split.read_region_features(images, num_regions)
        np.testing.assert_array_equal(first, features[:, :num_regions])


def test_features_in_the_files_are_read_without_parsing_records_again(tmp_path, monkeypatch):
    write_records(tmp_path, images_stored=True)
    split = RecordSplit(tmp_path, "train", feature_cache_bytes=0)
    monkeypatch.setattr(ParsedRecord, "parse", lambda *_: pytest.fail("a record was parsed"))
    features = split.read_region_features(np.array([5, 2, 5]), 2)
    for row, image in zip(features, (5, 2, 5)):
        np.testing.assert_array_equal(row, region_features(image)[:2])


def _several_chains(image, values):
    """Gives image i the chains 0 to i % 3 - 1, the last of them with a second box."""
    names = [str(chain) for chain in range(image % 3)]
    values[schema.OBJECT_CHAIN] = [*names, *names[-1:]]
    for key, first, second in zip(schema.OBJECT_BOX, (0.25, 0.0, 0.5, 0.5), (0.0, 0.25, 0.25, 1.0)):
        values[key] = [first] * len(names) + [second] * bool(names)
    values[schema.OBJECT_CHAIN_FEATURE] = [chain_features(image, len(names)).tobytes()]


def test_chains_have_the_box_around_all_their_boxes_in_the_order_of_their_first(tmp_path):
    write_records(tmp_path, num_images=5, object_features=True, edit=_several_chains)
    split = RecordSplit(tmp_path, "train")
    one, union = (0.25, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 1.0)
    assert split.chains[1] == (AnnotatedChain("0", union),)
    assert split.chains == [
        (),
        split.chains[1],
        (AnnotatedChain("0", one), AnnotatedChain("1", union)),
        (),
        split.chains[1],
    ]
    assert split.first_chain.tolist() == [0, 0, 1, 3, 3, 4]


# Four chains of four numbers of two bytes: 32 bytes are all, 31 are not.
@pytest.mark.parametrize("feature_cache_bytes", [0, 31, 32, 2**20])
def test_chain_features_are_the_stored_float16_from_memory_or_file(tmp_path, feature_cache_bytes):
    write_records(tmp_path, num_images=5, object_features=True, edit=_several_chains)
    split = RecordSplit(tmp_path, "train", feature_cache_bytes)
    stored = np.concatenate([chain_features(image, image % 3) for image in range(5)])
    rows = [3, 0, 2, 2, 1]
    features = split.read_chain_features(rows)
    assert features.dtype == np.float16
    np.testing.assert_array_equal(features, stored[rows])
    assert split.read_chain_features([]).shape == (0, 4)


def test_reading_chain_features_that_are_not_stored_says_how_to_write_them(tmp_path):
    write_records(tmp_path)
    with pytest.raises(ValueError, match="--object_features"):
        RecordSplit(tmp_path, "train").read_chain_features([0])


def test_the_cache_is_used_only_when_all_features_fit(tmp_path):
    write_records(tmp_path)
    num_bytes = 8 * 3 * 4 * 2
    assert RecordSplit(tmp_path, "train", num_bytes).features_cached
    assert not RecordSplit(tmp_path, "train", num_bytes - 1).features_cached


def test_records_are_read_by_position(tmp_path):
    write_records(tmp_path, num_images=7, num_shards=3)
    records = RecordSplit(tmp_path, "train").read_records([6, 2, 3])
    assert records == [
        small_records.serialize(small_records.record_values(image)) for image in (6, 2, 3)
    ]


def test_images_are_read_by_position(tmp_path):
    write_records(tmp_path, images_stored=True)
    split = RecordSplit(tmp_path, "train")
    assert split.read_encoded_images([5, 1]) == [png_image(5), png_image(1)]
    image = split.read_image(5)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.full([6, 4, 3], 50))


def test_records_replaced_by_name_are_not_read(tmp_path):
    path = write_records(tmp_path, num_shards=1)[0]
    split = RecordSplit(tmp_path, "train", feature_cache_bytes=0)
    with open(path + ".new", "wb") as file:
        file.write(bytes(os.path.getsize(path)))
    os.replace(path + ".new", path)
    np.testing.assert_array_equal(split.read_region_features([5])[0], region_features(5))


def test_a_file_that_shrinks_later_is_an_error(tmp_path):
    path = write_records(tmp_path, num_shards=1)[0]
    split = RecordSplit(tmp_path, "train", feature_cache_bytes=0)
    os.truncate(path, 100)
    with pytest.raises(ValueError, match="record 8 of .*changed"):
        split.read_records([7])
    with pytest.raises(ValueError, match="record 8 of .*changed"):
        split.read_region_features([7])


def test_progress_ends_with_every_image(tmp_path):
    write_records(tmp_path)
    calls = []
    RecordSplit(tmp_path, "train", progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (8, 8)


def test_a_truncated_shard_names_its_record(tmp_path):
    path = write_records(tmp_path, num_shards=2)[1]
    os.truncate(path, os.path.getsize(path) - 3)
    with pytest.raises(ValueError, match="record 4 of .*train-00001-of-00002.*truncated"):
        RecordSplit(tmp_path, "train")


def test_a_shard_cut_between_records_is_an_error(tmp_path):
    path = write_records(tmp_path, num_shards=2)[1]
    last = len(small_records.serialize(small_records.record_values(7))) + 16
    os.truncate(path, os.path.getsize(path) - last)
    with pytest.raises(ValueError, match="Expected 4 records in .*train-00001.*only 3"):
        RecordSplit(tmp_path, "train")


@pytest.mark.parametrize("offset", [0, 9, 200])
def test_a_flipped_bit_names_its_record(tmp_path, offset):
    # Of the length, of the length's checksum, and of the data of the second record.
    path = write_records(tmp_path, num_shards=1)[0]
    first = len(small_records.serialize(small_records.record_values(0))) + 16
    _flip_bit(path, first + offset)
    with pytest.raises(ValueError, match="record 2 of .*train-00000-of-00001.*corrupted"):
        RecordSplit(tmp_path, "train")


def test_an_empty_shard_file_is_an_error(tmp_path):
    path = write_records(tmp_path)[0]
    os.truncate(path, 0)
    with pytest.raises(ValueError, match="Expected 4 records.*only 0"):
        RecordSplit(tmp_path, "train")


def test_more_records_than_stated_are_an_error(tmp_path):
    paths = write_records(tmp_path)
    with open(paths[0], "rb") as first, open(paths[1], "ab") as second:
        second.write(first.read())
    with pytest.raises(ValueError, match="Expected 4 records in .*train-00001.*more"):
        RecordSplit(tmp_path, "train")


def test_a_missing_shard_is_an_error(tmp_path):
    os.remove(write_records(tmp_path)[1])
    with pytest.raises(FileNotFoundError, match="train-00001-of-00002"):
        RecordSplit(tmp_path, "train")


@pytest.mark.parametrize("key", ["num_sentences", "num_phrases"])
def test_other_counts_than_stated_are_an_error(tmp_path, key):
    write_records(tmp_path)
    split = RecordSplit(tmp_path, "train").info.contents["splits"]["train"]
    received = split[key]
    change_info(tmp_path, splits={"train": {**split, key: 3}})
    with pytest.raises(ValueError, match=f"Expected {key}=3.*Received: {received}"):
        RecordSplit(tmp_path, "train")


def test_other_schema_version_is_an_error(tmp_path):
    write_records(tmp_path)
    change_info(tmp_path, schema_version=schema.SCHEMA_VERSION + 1)
    with pytest.raises(ValueError, match="Expected records of schema version"):
        RecordSplit(tmp_path, "train")


def test_an_empty_split_is_an_error(tmp_path):
    write_records(tmp_path, num_images=0, num_shards=1)
    with pytest.raises(VsaTfError, match="'train'.*num_images=0"):
        RecordSplit(tmp_path, "train")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_names_its_record(tmp_path, number):
    def edit(image, values):
        if image == 5:
            features = region_features(5)
            features[1, 2] = number
            values[schema.REGION_FEATURE] = [features.tobytes()]

    write_records(tmp_path, edit=edit)
    with pytest.raises(
        ValueError, match="record 2 of .*train-00001.*not finite, of photograph 'image5.png'"
    ):
        RecordSplit(tmp_path, "train")


def test_the_largest_float16_is_finite(tmp_path):
    def edit(image, values):
        features = np.full_like(region_features(image), -65504)
        values[schema.REGION_FEATURE] = [features.tobytes()]

    write_records(tmp_path, edit=edit)
    assert RecordSplit(tmp_path, "train").read_region_features([0])[0, 0, 0] == -65504


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({schema.REGION_FEATURE: []}, "0 bytes of image/region/feature"),
        ({schema.REGION_FEATURE: [b"123"]}, "3 bytes of image/region/feature"),
        ({schema.REGION_YMIN: [0.0, 0.0, 0.0, 0.0]}, "values of"),
        ({key: [0.0] * 4 for key in schema.REGION_BOX}, "4 regions where 1 to 3"),
        ({key: [] for key in schema.REGION_BOX}, "0 regions where 1 to 3"),
        ({schema.REGION_XMAX: [float("nan")]}, "not finite"),
        ({schema.REGION_SCORE: [0.5, 0.5]}, "2 region scores for 1"),
        ({schema.CAPTION_RAW: [b"\xff\xfe"]}, "caption/raw that is not UTF-8"),
        ({schema.IMAGE_SOURCE_ID: []}, "0 values of image/source_id"),
        ({schema.OBJECT_CHAIN: ["1", "2"]}, "2 values of image/object/chain for 1"),
        ({schema.OBJECT_CLASS_LABEL: [3]}, "1 labels and 0 classes of 1 boxes"),
        ({schema.OBJECT_CHAIN_FEATURE: []}, "0 bytes of image/object/chain_feature"),
        ({schema.OBJECT_CHAIN_FEATURE: [b"\0\x7e" * 4]}, "image/object/chain_feature that is not"),
        ({schema.PHRASE_CAPTION_INDEX: [5]}, "a phrase of caption 5 where there are 5"),
        ({schema.PHRASE_TYPE: []}, "values of the caption/phrase keys"),
    ],
)
def test_parts_that_do_not_fit_name_the_record(tmp_path, changes, message):
    def edit(image, values):
        if image == 0:
            values.update(changes)

    write_records(tmp_path, object_features=True, edit=edit)
    with pytest.raises(ValueError, match=f"record 1 of .*train-00000.*{message}"):
        RecordSplit(tmp_path, "train")


def test_bytes_that_are_no_example_name_the_record(tmp_path):
    path = write_records(tmp_path, num_images=1, num_shards=1)[0]
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="record 1 of .*not a tf.train.Example"):
        RecordSplit(tmp_path, "train")


def test_an_image_that_should_be_stored_names_its_record(tmp_path):
    def edit(image, values):
        if image == 6:
            values[schema.IMAGE_ENCODED] = []

    write_records(tmp_path, images_stored=True, edit=edit)
    with pytest.raises(ValueError, match="stored image in record 3 of .*train-00001"):
        RecordSplit(tmp_path, "train")


def test_reading_images_that_are_not_stored_is_an_error(tmp_path):
    write_records(tmp_path)
    with pytest.raises(ValueError, match="stored image in record 1 of"):
        RecordSplit(tmp_path, "train").read_image(0)


def test_an_image_that_does_not_decode_is_named(tmp_path):
    def edit(image, values):
        values[schema.IMAGE_ENCODED] = [b"no image"]

    write_records(tmp_path, images_stored=True, edit=edit)
    with pytest.raises(ValueError, match="'image2.png' in record 3 of"):
        RecordSplit(tmp_path, "train").read_image(2)


def test_reading_features_that_are_not_stored_is_an_error(tmp_path):
    write_records(tmp_path)
    change_info(tmp_path, region_feature_size=0)
    with pytest.raises(ValueError, match="region_feature_size=0"):
        RecordSplit(tmp_path, "train").read_region_features([0])
