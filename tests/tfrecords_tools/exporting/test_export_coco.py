import json

import numpy as np
import pytest
from exported_records import export_as, records_of
from mini_flickr8k import files, jpeg, write_directories
from source_samples import SAMPLES
from written_records import csv_source, write

from tfrecords_tools.sources.coco import Coco
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.write_settings import WriteSettings

PIXELS = WriteSettings()


def write_pixels(source, output_dir, **options):
    return write(source, output_dir, PIXELS, make_models=None, **options)


def read_back(folder, boxes=True):
    annotations = folder / "annotations"
    return Coco(folder / "images", annotations, annotations if boxes else None)


def content(folder, name):
    return json.loads((folder / "annotations" / name).read_text(encoding="utf-8"))


@pytest.fixture
def flickr8k(tmp_path):
    return Flickr8k(**write_directories(tmp_path / "flickr8k", files()))


def test_captions_pixels_boxes_and_features_come_back(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "first")
    write(read_back(export_as("coco", tmp_path / "first", tmp_path / "coco")), tmp_path / "again")
    first, again = records_of(tmp_path / "first"), records_of(tmp_path / "again")
    assert {split: len(own) for split, own in first.items()} == {"train": 3, "dev": 1}
    for split, records in first.items():
        for before, after in zip(records, again[split], strict=True):
            assert after.captions == before.captions
            assert after.filename == before.filename
            assert after.encoded_image == before.encoded_image
            assert [item.box for item in after.objects] == [item.box for item in before.objects]
            np.testing.assert_array_equal(after.region_features, before.region_features)


def test_boxes_are_pixels_and_have_the_categories_of_their_classes(flickr8k, tmp_path):
    write_pixels(flickr8k, tmp_path / "records")
    folder = export_as("coco", tmp_path / "records", tmp_path / "coco", "--splits=train,dev")
    instances = content(folder, "instances_train.json")
    names = {item["id"]: item["name"] for item in instances["categories"]}
    # Images are 48 x 32. 101: its right half is the dog's, chain 1; its upper left quarter that
    # of the men and of the dog. 102: the left half is the ball's.
    found = [
        (row["image_id"], row["chain"], names[row["category_id"]], row["bbox"], row["area"])
        for row in instances["annotations"]
    ]
    assert found == [
        (1, "1", "animals", [24, 0, 24, 32], 24 * 32),
        (1, "2", "people", [0, 0, 24, 16], 24 * 16),
        (1, "1", "animals", [0, 0, 24, 16], 24 * 16),
        (2, "3", "other", [0, 0, 24, 32], 24 * 32),
    ]
    assert [row["id"] for row in instances["annotations"]] == [1, 2, 3, 4]
    assert {row["iscrowd"] for row in instances["annotations"]} == {0}
    # A category has one number in all files.
    dev = content(folder, "instances_val.json")
    assert dev["categories"][: len(names)] == instances["categories"]
    assert dev["annotations"][0]["id"] == 5


def test_captions_are_in_cocos_form(flickr8k, tmp_path):
    write_pixels(flickr8k, tmp_path / "records")
    folder = export_as("coco", tmp_path / "records", tmp_path / "coco", "--splits=train,dev")
    captions = content(folder, "captions_train.json")
    assert captions["images"][0] == {
        "id": 1,
        "file_name": "101_a.jpg",
        "source_id": "101_a",
        "width": 48,
        "height": 32,
    }
    assert captions["annotations"][:3] == [
        {"image_id": 1, "id": 1, "caption": "A grey dog runs ."},
        {"image_id": 1, "id": 2, "caption": "Two men watch a dog ."},
        {"image_id": 2, "id": 3, "caption": "A red ball ."},
    ]
    assert set(captions) == {"info", "licenses", "images", "annotations"}


def test_cocos_own_ids_and_categories_are_kept(tmp_path):
    sample = SAMPLES / "coco"
    source = Coco(sample, sample / "annotations", sample / "annotations")
    write_pixels(source, tmp_path / "records")
    folder = export_as("coco", tmp_path / "records", tmp_path / "coco")
    again = read_back(folder)
    for split in ("train", "dev"):
        for before, after in zip(source.examples(split), again.examples(split), strict=True):
            assert (after.source_id, after.filename) == (before.source_id, before.filename)
            assert after.captions == before.captions
            # Their labels, too: COCO's own, which leave out numbers.
            assert [item.object_class for item in after.objects] == [
                item.object_class for item in before.objects
            ]
            np.testing.assert_allclose(
                [item.box for item in after.objects],
                [item.box for item in before.objects],
                rtol=1e-6,
            )
    # No photograph of the sample's boxes is of another size than the instances file says.
    assert again.skipped == []


def test_a_test_split_comes_back_and_splits_without_boxes_have_no_instances(tmp_path):
    (tmp_path / "images").mkdir()
    for name in "ab":
        (tmp_path / "images" / f"{name}.jpg").write_bytes(jpeg(seed=ord(name)))
    table = tmp_path / "captions.csv"
    table.write_text('a.jpg,"A ""dog"", wet ü",train\nb.jpg,A cat,test\n', encoding="utf-8")
    from tfrecords_tools.sources.csv_captions import CsvCaptions

    write_pixels(CsvCaptions(tmp_path / "images", table), tmp_path / "records")
    folder = export_as("coco", tmp_path / "records", tmp_path / "coco")
    assert sorted(path.name for path in (folder / "annotations").iterdir()) == [
        "captions_test.json",
        "captions_train.json",
    ]
    source = read_back(folder, boxes=False)
    assert [source.splits(), source.official_counts] == [("train", "test"), {}]
    assert [next(source.examples(split)).captions for split in source.splits()] == [
        ('A "dog", wet ü',),
        ("A cat",),
    ]


def test_image_ids_are_counted_unless_all_are_numbers(tmp_path):
    # A source id of this table is its path.
    source = csv_source(tmp_path, {"7": jpeg(seed=7), "5": jpeg(seed=5)})
    write_pixels(source, tmp_path / "numbers")
    folder = export_as("coco", tmp_path / "numbers", tmp_path / "coco")
    assert [image["id"] for image in content(folder, "captions_train.json")["images"]] == [7, 5]
    (tmp_path / "more").mkdir()
    source = csv_source(tmp_path / "more", {"7": jpeg(seed=7), "05": jpeg(seed=5)})
    write_pixels(source, tmp_path / "texts")
    folder = export_as("coco", tmp_path / "texts", tmp_path / "coco_of_texts")
    images = content(folder, "captions_train.json")["images"]
    assert [(image["id"], image["source_id"]) for image in images] == [(1, "7"), (2, "05")]


def test_what_coco_has_no_place_for_is_said(flickr8k, tmp_path, capsys):
    write(flickr8k, tmp_path / "records")
    export_as("coco", tmp_path / "records", tmp_path / "coco", "--splits=train,dev")
    printed = capsys.readouterr().out
    assert "train: 3 images, 6 sentences\ndev: 1 images, 2 sentences\n" in printed
    # As in the annotations: 3 and 3 phrases, 2 and 2.
    assert "not in coco: 10 phrases\n" in printed
    assert "not in coco: features of 5 numbers\n" in printed
    assert "not in coco: regions, at most 3 an image\n" in printed
    assert "boxes" not in printed


def test_records_without_images_name_them(tmp_path, capsys):
    from tfrecords_tools.sources.neuraltalk import Neuraltalk
    from tfrecords_tools.write_settings import GIVEN

    settings = WriteSettings(detector=GIVEN, image_encoder=GIVEN, store_images=False)
    write(Neuraltalk(SAMPLES / "neuraltalk"), tmp_path / "records", settings, make_models=None)
    folder = export_as("coco", tmp_path / "records", tmp_path / "coco")
    record = records_of(tmp_path / "records")["train"][0]
    image = content(folder, "captions_train.json")["images"][0]
    assert image["file_name"] == record.filename and "width" not in image
    assert not (folder / "images").exists()
    assert "the records do not hold them, only their names" in capsys.readouterr().out
