import pytest
from source_samples import SAMPLES, copy_sample, read_all, skips

from tfrecords_tools.sources.flickr30k import Flickr30k
from tfrecords_tools.sources.source_example import Phrase


def build(folder=SAMPLES / "flickr30k", entities=True):
    return Flickr30k(
        folder / "flickr30k-images", folder / "texts", folder / "entities" if entities else None
    )


def test_photographs_follow_the_lists_of_entities_and_val_is_dev():
    examples = read_all(build())
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["1001", "1002"],
        "dev": ["1003"],
        "test": ["1004"],
    }
    assert examples["test"]["1004"].captions == ("A boat on a lake .", "Somebody rows a boat .")
    assert examples["test"]["1004"].read_image().startswith(b"\xff\xd8")


def test_phrases_and_boxes_are_those_of_entities():
    source = build()
    boat = read_all(source)["test"]["1004"]
    # "[/EN#10/vehicles A boat] on [/EN#11/scene a lake] ."
    assert boat.phrases[:2] == (Phrase(0, 0, 2, "10", "vehicles"), Phrase(0, 3, 2, "11", "scene"))
    # Pixels 121 to 360 of 480 across, 81 to 240 of 320 down, both ends counted.
    assert [(item.chain, item.box) for item in boat.objects] == [("10", (0.25, 0.25, 0.75, 0.75))]
    assert skips(source) == []


def test_lists_may_lie_with_entities(tmp_path):
    folder = copy_sample("flickr30k", tmp_path)
    for name in ("train.txt", "val.txt", "test.txt"):
        (folder / "texts" / name).rename(folder / "entities" / name)
    assert build(folder).splits() == ("train", "dev", "test")
    with pytest.raises(FileNotFoundError, match="train.txt, val.txt or test.txt.*flickr30k_entit"):
        build(folder, entities=False)


def test_missing_parts_are_skipped_and_listed(tmp_path):
    folder = copy_sample("flickr30k", tmp_path)
    (folder / "flickr30k-images" / "1002.jpg").unlink()
    (folder / "entities" / "Annotations" / "1003.xml").unlink()
    assert skips(build(folder)) == [
        ("train", "1002.jpg", "the photograph is not in --images"),
        ("dev", "1003.jpg", "no Annotations file of Flickr30K Entities for image 1003"),
    ]


def test_annotations_of_no_photograph_are_listed_in_one_line(tmp_path):
    folder = copy_sample("flickr30k", tmp_path)
    for kind, ending in (("Annotations", "xml"), ("Sentences", "txt")):
        own = folder / "entities" / kind
        (own / f"9999.{ending}").write_bytes((own / f"1001.{ending}").read_bytes())
    assert skips(build(folder)) == [
        ("", "entities", "2 annotations of no photograph (first: Annotations/9999.xml)")
    ]


def test_missing_token_file_says_what_to_get(tmp_path):
    folder = copy_sample("flickr30k", tmp_path)
    (folder / "texts" / "results_20130124.token").unlink()
    with pytest.raises(FileNotFoundError, match="results_20130124.token.*Get flickr30k.tar.gz"):
        build(folder)


def test_images_without_the_photographs_say_what_to_get(tmp_path):
    folder = SAMPLES / "flickr30k"
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="flickr30k-images.tar.gz"):
        Flickr30k(tmp_path, folder / "texts")
