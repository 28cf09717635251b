import numpy as np
import pytest
import tensorflow as tf

from tests.data.small_records import change_info, png_image, write_records
from vsa_tf.data.image_input import ENCODED_IMAGES, Pixels, RegionFeatures
from vsa_tf.data.record_split import RecordSplit

IMAGES = np.array([6, 0, 7, 0])


@pytest.mark.parametrize("feature_cache_bytes", [0, 2**20])
@pytest.mark.parametrize("num_regions", [1, 2])
def test_the_first_regions_are_read_and_no_others(tmp_path, feature_cache_bytes, num_regions):
    write_records(tmp_path)
    split = RecordSplit(tmp_path, "train", feature_cache_bytes)
    first = RegionFeatures(split, num_regions).entries(IMAGES)
    every = {
        "region_features": split.read_region_features(IMAGES),
        "region_boxes": split.region_boxes[IMAGES],
        "region_mask": split.region_mask[IMAGES],
    }
    assert first.keys() == every.keys()
    for name, value in every.items():
        assert value.shape[:2] == (4, 3)
        np.testing.assert_array_equal(first[name], value[:, :num_regions])


@pytest.mark.parametrize("num_regions", [0, 3, 20])
def test_no_more_regions_are_read_than_there_are(tmp_path, num_regions):
    write_records(tmp_path)
    images = RegionFeatures(RecordSplit(tmp_path, "train"), num_regions)
    assert images.num_regions == 3
    assert images.entries(IMAGES)["region_features"].shape == (4, 3, 4)


@pytest.mark.parametrize("cache_bytes", [8 * 5 * 5 * 3, 8 * 5 * 5 * 3 - 1])
def test_pixels_are_kept_only_when_all_fit(tmp_path, cache_bytes):
    write_records(tmp_path, images_stored=True)
    images = Pixels(RecordSplit(tmp_path, "train"), 5, cache_bytes=cache_bytes)
    assert images.decodes == (cache_bytes < 600)
    entries = images.entries(IMAGES)
    if images.decodes:
        assert entries.pop(ENCODED_IMAGES).tolist() == [png_image(image) for image in IMAGES]
    else:
        # Image i is of one grey level, 10 * i.
        grey = np.tile(10 * IMAGES[:, None, None, None], [5, 5, 3])
        np.testing.assert_array_equal(entries.pop("images"), grey)
    assert entries.keys() == {"region_boxes", "region_mask"}


def test_shapes_are_those_of_entries(tmp_path):
    write_records(tmp_path, images_stored=True)
    split = RecordSplit(tmp_path, "train")
    for images in (RegionFeatures(split, 2), Pixels(split, 5, 2), Pixels(split, 5, 2, 0)):
        shapes = {name: list(value.shape) for name, value in images.entries(IMAGES).items()}
        assert images.shapes(4) == shapes
        assert images.shapes(None, 7)["region_boxes"] == [None, 7, 4]


def test_encoded_images_are_decoded_and_other_batches_stay(tmp_path):
    write_records(tmp_path, images_stored=True)
    images = Pixels(RecordSplit(tmp_path, "train"), 5, cache_bytes=0)
    batch = {"image_id": tf.constant(IMAGES)}
    assert images.decode(batch) is batch
    encoded = tf.constant([png_image(image) for image in IMAGES])
    decoded = images.decode({**batch, ENCODED_IMAGES: encoded})
    assert decoded.keys() == {"image_id", "images"}
    assert decoded["images"][:, 4, 4, 0].numpy().tolist() == [60, 0, 70, 0]


def test_a_split_without_images_cannot_give_pixels(tmp_path):
    write_records(tmp_path)
    with pytest.raises(ValueError, match="Expected records with stored images"):
        Pixels(RecordSplit(tmp_path, "train"), 5)


def test_a_split_without_features_cannot_give_features(tmp_path):
    write_records(tmp_path, images_stored=True)
    change_info(tmp_path, region_feature_size=0)
    with pytest.raises(ValueError, match="Set image_size to read the images"):
        RegionFeatures(RecordSplit(tmp_path, "train"))


def test_a_side_below_one_pixel_is_refused(tmp_path):
    write_records(tmp_path, images_stored=True)
    with pytest.raises(ValueError, match="image_size=-1"):
        Pixels(RecordSplit(tmp_path, "train"), -1)
