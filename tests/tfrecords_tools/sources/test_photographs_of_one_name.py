"""Photographs that share a name are told apart by their paths, or refused, by every source."""

import json
import pathlib

import numpy as np
import pytest
from mini_flickr8k import files, jpeg, write_directories
from scipy.io import savemat
from source_samples import copy_sample, read_all

from tfrecords_tools.sources.coco import Coco
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.sources.iapr_tc12 import IaprTc12
from tfrecords_tools.sources.karpathy_json import KarpathyJson
from tfrecords_tools.sources.neuraltalk import Neuraltalk
from tfrecords_tools.sources.pascal1k import Pascal1k

CASES = pathlib.Path(__file__).parents[4] / "shared" / "cases"
NAMES = ("a/1.jpg", "b/1.jpg", "b/2.jpg")


@pytest.fixture
def images(tmp_path):
    return photographs(tmp_path / "images", *NAMES)


def photographs(folder, *names):
    """Writes photographs that differ; returns their folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph(name))
    return folder


def photograph(name):
    return jpeg(seed=sum(name.encode()))


def coco(folder, images, names):
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": number, "image_id": number, "caption": f"This is {name} ."}
            for number, name in enumerate(names)
        ],
    }
    path = folder / "captions_train.json"
    path.write_text(json.dumps(content))
    return Coco(images, path)


def karpathy(folder, images, names, **fields):
    """A file whose photographs, with `filepath`, have their folders in an entry of their own."""
    entries = []
    for number, name in enumerate(names):
        sentence = {"raw": f"This is {name} .", "imgid": number, "sentid": number}
        entry = {"filename": name, "imgid": number, "split": "train", "sentences": [sentence]}
        if fields.get("filepath"):
            entry["filepath"], entry["filename"] = name.rsplit("/", 1)
        if fields.get("cocoid"):
            entry["cocoid"] = 100 + number
        entries.append(entry)
    path = folder / "dataset.json"
    path.write_text(json.dumps({"dataset": "mine", "images": entries}))
    if images is None:
        savemat(folder / "vgg_feats.mat", {"feats": np.ones((3, 1)) * np.arange(len(names))})
        return Neuraltalk(folder)
    return KarpathyJson(images, path)


def table(folder, images, names):
    path = folder / "captions.csv"
    path.write_text("path,caption\n" + "".join(f"{name},This is {name} .\n" for name in names))
    return CsvCaptions(images, path)


SOURCES = {
    "coco": coco,
    "csv": table,
    "filename": karpathy,
    "filepath": lambda *arguments: karpathy(*arguments, filepath=True),
    "cocoid": lambda *arguments: karpathy(*arguments, cocoid=True),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_each_caption_goes_with_the_photograph_of_its_path(tmp_path, images, make):
    source = make(tmp_path, images, NAMES)
    examples = read_all(source)["train"].values()
    assert [example.captions[0] for example in examples] == [f"This is {name} ." for name in NAMES]
    assert [example.read_image() for example in examples] == [photograph(name) for name in NAMES]
    # A name that two have is no name.
    assert [example.filename for example in examples] == ["a/1.jpg", "b/1.jpg", "2.jpg"]
    assert [example.path for example in examples] == list(NAMES)
    assert list(source.skipped) == []


@pytest.mark.parametrize("make", [coco, karpathy])
def test_a_bare_name_that_two_photographs_have_is_refused_with_both_paths(tmp_path, images, make):
    with pytest.raises(ValueError, match="'1.jpg', which may be 'a/1.jpg' or 'b/1.jpg'"):
        read_all(make(tmp_path, images, ["2.jpg", "1.jpg"]))
    examples = read_all(make(tmp_path, images, ["2.jpg"]))["train"].values()
    assert [example.read_image() for example in examples] == [photograph("b/2.jpg")]


def test_a_row_of_a_bare_name_that_two_photographs_have_is_listed_with_both_paths(tmp_path, images):
    source = table(tmp_path, images, ["b/2.jpg", "1.jpg"])
    assert [example.path for example in source.examples("train")] == ["b/2.jpg"]
    (skip,) = source.skipped
    assert "'a/1.jpg'" in skip.reason and "'b/1.jpg'" in skip.reason


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_a_photograph_that_is_missing_is_not_another_of_its_name(tmp_path, images, make):
    (images / "a" / "1.jpg").unlink()
    source = make(tmp_path, images, NAMES)
    assert [own.path for own in read_all(source)["train"].values()] == ["b/1.jpg", "b/2.jpg"]
    assert len(source.skipped) == 1 and "is not in --images" in source.skipped[0].reason


def test_a_copy_without_folders_serves_where_names_are_unique(tmp_path):
    images = photographs(tmp_path / "images", "1.jpg", "2.jpg")
    source = karpathy(tmp_path, images, ["train/1.jpg", "val/2.jpg"], filepath=True)
    assert [own.path for own in read_all(source)["train"].values()] == ["1.jpg", "2.jpg"]


def test_names_that_differ_in_their_endings_are_two(tmp_path):
    names = ["a.jpg", "a.png", "b.jpg"]
    images = photographs(tmp_path / "images", *names)
    examples = read_all(karpathy(tmp_path, images, names))["train"]
    assert {key: own.read_image() for key, own in examples.items()} == {
        "a.jpg": photograph("a.jpg"),
        "a.png": photograph("a.png"),
        "b": photograph("b.jpg"),
    }


@pytest.mark.parametrize(
    ("names", "ids"),
    [(NAMES, ["a/1", "b/1", "2"]), (("a.jpg", "a.png", "b.jpg"), ["a.jpg", "a.png", "b"])],
)
def test_features_keep_all_photographs_of_a_name(tmp_path, names, ids):
    source = karpathy(tmp_path, None, names)
    examples = read_all(source)["train"]
    assert list(examples) == ids and list(source.skipped) == []
    assert [own.read_features().features[0, 0] for own in examples.values()] == [0, 1, 2]


def test_flickr_s_names_of_two_photographs_are_refused(tmp_path):
    contents = files()
    contents["images"]["copies/101_a.jpg"] = jpeg(seed=99)
    with pytest.raises(ValueError, match="'Flicker8k_Dataset/101_a.jpg' or 'copies/101_a.jpg'"):
        Flickr8k(**write_directories(tmp_path, contents))


def test_iapr_s_names_of_two_photographs_are_refused(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    photographs(folder / "copies" / "images" / "00", "25.jpg")
    with pytest.raises(ValueError, match="copies/images/00/25.jpg' or"):
        read_all(IaprTc12(folder.parent, folder))


class TestPascal:
    def test_the_page_s_folders_tell_photographs_apart(self, tmp_path):
        images = photographs(tmp_path / "images", *NAMES)
        page = tmp_path / "page.html"
        page.write_text(
            "".join(f'<img src="http://x/{name}"><td>This is {name}</td>' for name in NAMES)
        )
        source = Pascal1k(images, page)
        examples = read_all(source)["train"]
        assert {key: own.path for key, own in examples.items()} == {
            "2": "b/2.jpg",
            "a/1": "a/1.jpg",
            "b/1": "b/1.jpg",
        }
        for own in examples.values():
            assert own.captions == (f"This is {own.path}",)
        assert list(source.skipped) == []

    def test_a_text_goes_with_the_photograph_of_its_folder_or_is_refused(self, tmp_path):
        images = photographs(tmp_path / "images", *NAMES)
        text = tmp_path / "texts" / "b" / "1.txt"
        text.parent.mkdir(parents=True)
        text.write_text("This is b/1 .\n")
        examples = read_all(Pascal1k(images, tmp_path / "texts"))["train"].values()
        assert [own.path for own in examples] == ["b/1.jpg"]
        text.rename(tmp_path / "texts" / "1.txt")
        with pytest.raises(ValueError, match="'a/1.jpg' and 'b/1.jpg'"):
            Pascal1k(images, tmp_path / "texts")


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here (../shared)")
@pytest.mark.parametrize(
    ("case", "file", "make"),
    [
        ("coco_same_names", "captions_train.json", Coco),
        ("karpathy_same_names", "b_cocoid_in_filename.json", KarpathyJson),
        ("karpathy_same_names", "c_filename_only.json", KarpathyJson),
    ],
)
def test_the_known_cases_keep_three_photographs(case, file, make):
    source = make(CASES / case / "images", CASES / case / file)
    examples = [own for split in read_all(source).values() for own in split.values()]
    captions = {own.captions[0]: own.path.split("/", 1)[0] for own in examples}
    first, second = ("camera_a", "camera_b") if make is Coco else ("train", "val")
    assert captions == {"colour one": first, "colour two": second, "colour three": second}
    assert list(source.skipped) == []
