import pytest
from source_samples import SAMPLES, change_json, copy_sample, read_all, skips

from tfrecords_tools.sources.karpathy_json import KarpathyJson

COCO_FILE = SAMPLES / "karpathy_json" / "dataset_coco.json"


def test_restval_is_a_split_of_its_own_or_joins_train():
    alone = KarpathyJson(SAMPLES / "coco", COCO_FILE)
    assert {split: list(own) for split, own in read_all(alone).items()} == {
        "train": ["9"],
        "restval": ["42"],
        "dev": ["73"],
        "test": ["25"],
    }
    joined = KarpathyJson(SAMPLES / "coco", COCO_FILE, restval_in_train=True)
    assert {split: list(own) for split, own in read_all(joined).items()} == {
        "train": ["9", "42"],
        "dev": ["73"],
        "test": ["25"],
    }
    # As papers count them.
    assert joined.official_counts == {"train": 113_287, "dev": 5000, "test": 5000}


def test_coco_takes_boxes_by_cocoid():
    source = KarpathyJson(SAMPLES / "coco", COCO_FILE, SAMPLES / "coco" / "annotations")
    examples = read_all(source)
    assert [item.chain for item in examples["test"]["25"].objects] == ["person#3", "person#4"]
    # The raw sentence ends in a line end.
    assert examples["test"]["25"].captions[1] == "People are walking."


def test_flickr30k_takes_phrases_and_boxes_of_entities():
    folder = SAMPLES / "flickr30k"
    source = KarpathyJson(
        folder / "flickr30k-images",
        SAMPLES / "karpathy_json" / "dataset_flickr30k.json",
        folder / "entities",
    )
    kite = read_all(source)["dev"]["1003"]
    assert [(phrase.chain, phrase.type) for phrase in kite.phrases] == [
        ("8", "people"),
        ("9", "other"),
        ("8", "people"),
        ("9", "other"),
    ]
    # Pixels 1 to 120 of 480 and 161 to 320 of 320; 361 to 480 and 1 to 80.
    assert [item.box for item in kite.objects] == [(0.5, 0.0, 1.0, 0.25), (0.0, 0.75, 0.25, 1.0)]
    assert skips(source) == []


def test_annotations_of_no_photograph_are_listed_in_one_line(tmp_path):
    folder = copy_sample("flickr30k", tmp_path)
    path = folder / "entities" / "Sentences" / "1001.txt"
    path.with_name("9999.txt").write_bytes(path.read_bytes())
    source = KarpathyJson(
        folder / "flickr30k-images",
        SAMPLES / "karpathy_json" / "dataset_flickr30k.json",
        folder / "entities",
    )
    assert skips(source) == [
        ("", "entities", "annotations of no photograph: 1, first Sentences/9999.txt")
    ]


def test_several_files_must_be_told_apart_by_path():
    with pytest.raises(FileNotFoundError, match="dataset_coco.json, dataset_flickr30k.json"):
        KarpathyJson(SAMPLES / "coco", SAMPLES / "karpathy_json")


def test_missing_file_says_what_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match="caption_datasets.zip"):
        KarpathyJson(SAMPLES / "coco", tmp_path)


def test_images_of_another_data_set_are_refused():
    with pytest.raises(ValueError, match="COCO_train2014_000000000009.jpg"):
        KarpathyJson(SAMPLES / "flickr30k", COCO_FILE)


def test_bad_rows_are_skipped_and_listed(tmp_path):
    path = copy_sample("karpathy_json", tmp_path) / "dataset_coco.json"

    def spoil(content):
        first, second, third, _ = content["images"]
        first["sentences"][0]["imgid"] = 77
        second["sentences"] = []
        third["filename"] = "absent.jpg"
        content["images"].append({**first, "cocoid": 10})

    change_json(path, spoil)
    source = KarpathyJson(SAMPLES / "coco", path)
    assert read_all(source)["train"]["9"].captions == ("A bench with a dog on it.",)
    assert skips(source) == [
        ("train", "COCO_train2014_000000000009#0", "a caption of another imgid"),
        ("train", "COCO_train2014_000000000009#0", "a caption of another imgid"),
        ("train", "10", "a second photograph of this name or imgid 0"),
        ("restval", "42", "absent.jpg is not in --images"),
        ("test", "25", "a photograph without captions"),
    ]


def test_captions_that_are_no_text_and_ids_that_are_no_numbers_are_listed(tmp_path):
    path = copy_sample("karpathy_json", tmp_path) / "dataset_coco.json"

    def spoil(content):
        first, second, third, fourth = content["images"]
        first["sentences"][0]["raw"] = 17
        second["sentences"][0]["sentid"] = 0.5
        third["cocoid"] = 1.5
        fourth["imgid"] = 2.5
        content["images"].append({**fourth, "filename": 3, "imgid": 9})

    change_json(path, spoil)
    source = KarpathyJson(SAMPLES / "coco", path)
    examples = read_all(source)
    assert examples["train"]["9"].captions == ("A bench with a dog on it.",)
    assert examples["test"]["25"].captions == ("People are walking.",)
    assert list(examples) == ["train", "test"]
    reasons = sorted(row[2] for row in skips(source))
    assert reasons == [
        "the caption is no text: 17",
        "the filename is no text",
        "the imgid or the cocoid is no whole number: 2, 1.5",
        "the imgid or the cocoid is no whole number: 2.5, 73",
        "the sentid is no whole number",
    ]


@pytest.mark.parametrize("name", ["validation", "dev"])
def test_other_names_of_val_are_dev(tmp_path, name):
    path = copy_sample("karpathy_json", tmp_path) / "dataset_coco.json"
    text = path.read_text()
    assert '"val"' in text
    path.write_text(text.replace('"val"', f'"{name}"'))
    assert list(read_all(KarpathyJson(SAMPLES / "coco", path))["dev"]) == ["73"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("dataset"), "no entry 'dataset'"),
        (lambda content: content["images"][0].update(split="extra"), "the split 'extra'"),
        (lambda content: content["images"][0].pop("sentences"), "no entry 'sentences'"),
        (lambda content: content.update(images=[]), "Expected images"),
    ],
)
def test_another_form_is_one_clear_error(tmp_path, change, message):
    path = copy_sample("karpathy_json", tmp_path) / "dataset_coco.json"
    change_json(path, change)
    with pytest.raises(ValueError, match=message):
        KarpathyJson(SAMPLES / "coco", path)
