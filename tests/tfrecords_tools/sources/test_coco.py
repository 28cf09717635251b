import math
import pathlib
import pickle
import shutil

import pytest
from source_samples import SAMPLES, change_json, copy_sample, read_all, skips

from tfrecords_tools.sources.coco import Coco

CASES = pathlib.Path(__file__).parents[4] / "shared" / "cases" / "not_text"


def build(folder=SAMPLES / "coco", boxes=False):
    return Coco(folder, folder / "annotations", folder / "annotations" if boxes else None)


def test_official_splits_have_the_captions_of_each_photograph_in_order():
    source = build()
    examples = read_all(source)
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["9", "25"],
        "dev": ["42", "73"],
    }
    assert examples["train"]["9"].captions == (
        "A dog sits on a bench.",
        "A bench with a dog on it.",
    )
    assert examples["dev"]["73"].filename == "COCO_val2014_000000000073.jpg"
    assert skips(source) == []
    assert source.official_counts["dev"] == 40_504


def test_boxes_come_when_instances_are_given():
    source = build(boxes=True)
    examples = read_all(source)
    assert [item.chain for item in examples["train"]["25"].objects] == ["person#3", "person#4"]
    assert [row[:2] for row in skips(source)] == [("train", "25")] * 2
    assert set(source.checksums()) == {
        "captions_train2014.json",
        "captions_val2014.json",
        "instances_train2014.json",
        "instances_val2014.json",
    }


def test_boxes_of_no_image_are_listed_in_one_line(tmp_path):
    folder = copy_sample("coco", tmp_path)
    before = skips(build(folder, boxes=True))

    def stray(content):
        content["annotations"].append({**content["annotations"][0], "id": 99, "image_id": 404})

    change_json(folder / "annotations" / "instances_val2014.json", stray)
    assert skips(build(folder, boxes=True)) == [
        ("", "entities", "1 boxes of no image in the instances files (first: of 404)"),
        *before,
    ]


def test_bad_rows_are_skipped_and_listed(tmp_path):
    folder = copy_sample("coco", tmp_path)

    def spoil(content):
        content["images"].append({**content["images"][0], "file_name": "other.jpg"})
        content["images"].append({**content["images"][0], "id": 5})
        content["annotations"] += [
            {"id": 101, "image_id": 9, "caption": "A second caption of the number."},
            {"id": 300, "image_id": 404, "caption": "Of no photograph."},
            {"id": 301, "image_id": 25, "caption": " "},
            {"id": 302, "image_id": 25, "caption": None},
            {"id": 303, "image_id": 25, "caption": "half a character \ud83d"},
        ]

    change_json(folder / "annotations" / "captions_train2014.json", spoil)
    (folder / "val2014" / "COCO_val2014_000000000042.jpg").unlink()
    source = build(folder)
    assert list(read_all(source)["train"]) == ["9", "25"]
    found = skips(source)
    assert found[:6] == [
        ("train", "9", "a second photograph of this id"),
        ("train", "9#101", "a second caption of this id"),
        ("train", "404#300", "a caption of no photograph in the file"),
        ("train", "25#301", "the caption is empty"),
        ("train", "25#302", "the caption is empty"),
        ("train", "25#303", found[5][2]),
    ]
    assert "not UTF-8" in found[5][2]
    assert found[6:] == [
        ("train", "5", "a photograph without captions"),
        ("dev", "42", "COCO_val2014_000000000042.jpg is not in --images"),
    ]


def test_captions_that_are_no_text_and_ids_that_are_no_numbers_are_listed(tmp_path):
    folder = copy_sample("coco", tmp_path)

    def spoil(content):
        content["images"] += [{"id": 1.5, "file_name": "a.jpg"}, {"id": 6, "file_name": None}]
        content["annotations"] += [
            {"id": 300, "image_id": 25, "caption": math.nan},
            {"id": 301, "image_id": 25, "caption": ["a", "dog"]},
            {"id": 302.5, "image_id": 25, "caption": "Of no number."},
            {"id": 303, "image_id": 1.5, "caption": "Of no image."},
            {"id": True, "image_id": 25, "caption": "Of no number either."},
            {"id": 304, "image_id": math.inf, "caption": "Of no image either."},
        ]

    before = read_all(build(folder))["train"]
    change_json(folder / "annotations" / "captions_train2014.json", spoil)
    source = build(folder)
    assert {key: own.captions for key, own in read_all(source)["train"].items()} == {
        key: own.captions for key, own in before.items()
    }
    found = [row[1:] for row in skips(source)]
    assert [where for where, _ in found] == [
        *["1.5", "6", "25#302.5", "1.5#303", "25#true", "Infinity#304", "25#300", "25#301"]
    ]
    assert [reason for _, reason in found[-2:]] == [
        "the caption is no text: NaN",
        'the caption is no text: ["a", "dog"]',
    ]


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here (../shared)")
def test_the_known_case_has_five_captions_that_are_no_text():
    source = Coco(CASES / "images", CASES / "captions_train.json")
    assert read_all(source) == {"train": {}}
    reasons = [skip.reason for skip in source.skipped if "no text" in skip.reason]
    assert len(reasons) == 5


def test_a_photograph_in_two_files_stays_in_the_first(tmp_path):
    folder = copy_sample("coco", tmp_path)
    change_json(
        folder / "annotations" / "captions_val2014.json",
        lambda content: content["images"].append({"id": 9, "file_name": "again.jpg"}),
    )
    examples = read_all(build(folder))
    assert list(examples["train"]) == ["9", "25"] and list(examples["dev"]) == ["42", "73"]
    assert skips(build(folder)) == [("dev", "9", "a second photograph of this id")]


def test_missing_photographs_are_advised_on_if_they_are_coco_s(tmp_path):
    folder, empty = copy_sample("coco", tmp_path), tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="none of them. Get train2014.zip and val2014.zip"):
        Coco(empty, folder / "annotations")
    for split in ("train", "val"):
        file = folder / "annotations" / f"captions_{split}2014.json"
        file.rename(file.with_name(f"captions_{split}.json"))
    with pytest.raises(ValueError, match="which holds none of them.$"):
        Coco(empty, folder / "annotations")


def test_captions_of_two_years_are_refused(tmp_path):
    folder = copy_sample("coco", tmp_path) / "annotations"
    shutil.copy(folder / "captions_val2014.json", folder / "captions_val2017.json")
    with pytest.raises(ValueError, match="one year.*captions_val2014.json, captions_val2017.json"):
        build(folder.parent)
    # One of the files by itself is clear.
    assert Coco(folder.parent, folder / "captions_val2017.json").splits() == ("dev",)


def test_files_may_be_given_one_by_one_and_validation_is_dev(tmp_path):
    folder = copy_sample("coco", tmp_path)
    val = folder / "annotations" / "captions_val2014.json"
    val = val.rename(val.with_name("captions_validation2014.json"))
    source = Coco(folder, [folder / "annotations" / "captions_train2014.json", val])
    assert source.splits() == ("train", "dev")
    with pytest.raises(ValueError, match="each split once"):
        Coco(folder, [val, folder / "annotations"])


def test_missing_files_say_what_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match="annotations_trainval2014.zip"):
        Coco(SAMPLES / "coco", tmp_path)
    with pytest.raises(FileNotFoundError, match="--dataset=karpathy_json"):
        Coco(SAMPLES / "coco", SAMPLES / "karpathy_json")
    with pytest.raises(ValueError, match="Get train2014.zip and val2014.zip"):
        Coco(tmp_path, SAMPLES / "coco" / "annotations")


def test_another_form_is_one_clear_error(tmp_path):
    folder = copy_sample("coco", tmp_path)
    change_json(
        folder / "annotations" / "captions_val2014.json",
        lambda content: content["annotations"][0].pop("image_id"),
    )
    with pytest.raises(ValueError, match="captions_val2014.json.*no entry 'image_id'"):
        build(folder)


def test_examples_can_be_sent_to_another_process():
    example = read_all(build())["dev"]["42"]
    assert pickle.loads(pickle.dumps(example)).read_image() == example.read_image()
