import pickle

import numpy as np
import pytest
from feature_files import BOXES, features_of, row, write_arrays_of
from source_samples import SAMPLES, read_all, skips

from tfrecords_tools.sources.bottom_up import BottomUpFeatures, BottomUpSource, feature_files
from tfrecords_tools.sources.registry import brings_photographs, check_source, make_source
from tfrecords_tools.sources.source import Source, SourceExample

FLICKR30K = {
    "captions": str(SAMPLES / "flickr30k" / "texts"),
    "entities": str(SAMPLES / "flickr30k" / "entities"),
}


class Photographs(Source):
    """Photographs of given paths, all in train."""

    name = "photographs"

    def __init__(self, *paths, source_ids=None):
        self._examples = [
            SourceExample(source_id, path, ("A dog .",), path=path)
            for source_id, path in zip(source_ids or paths, paths)
        ]

    def splits(self):
        return ("train",)

    def examples(self, split):
        yield from self._examples

    def checksums(self):
        return {}


def features_in(folder, text, name="features.tsv"):
    (folder / name).write_text(text)
    return BottomUpFeatures(f"bottom_up:{folder / name}")


def matched(source, features):
    """Returns `{source_id: the first feature of its first region}`."""
    examples = read_all(BottomUpSource(source, features, False))["train"]
    return {name: own.read_features().features[1, 0] for name, own in examples.items()}


@pytest.mark.parametrize("sample", ["bottom_up", "bottom_up_arrays"])
def test_captions_have_the_features_of_their_photographs(sample):
    source = make_source("flickr30k", **FLICKR30K, features=f"bottom_up:{SAMPLES / sample}")
    examples = read_all(source)
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["1001", "1002"],
        "dev": ["1003"],
        "test": ["1004"],
    }
    assert (source.name, source.feature_size, source.features_of) == ("flickr30k", 4, "bottom_up")
    first = examples["train"]["1001"]
    assert first.read_image is None and len(first.objects) == 3 and len(first.captions) == 2
    regions = first.read_features()
    np.testing.assert_array_equal(regions.features[1:], features_of(1001))
    assert regions.size == (320, 480) and len(regions.boxes) == 4
    assert skips(source) == [("", "", "features of no photograph of the data set: 1")]
    assert source.notes == ["features of other photographs: 1"]
    assert "features" in source.checksums()


@pytest.mark.parametrize(
    ("name", "images", "captions"),
    [
        ("flickr30k", "flickr30k/flickr30k-images", "flickr30k/texts"),
        ("coco", "coco", "coco/annotations"),
        ("karpathy_json", "coco", "karpathy_json/dataset_coco.json"),
        ("pascal1k", "pascal1k/dataset", "pascal1k/sentence"),
        ("pascal1k", "pascal1k/dataset", "pascal1k/pascal-sentences.html"),
        ("iapr_tc12", "iapr_tc12", "iapr_tc12"),
        ("csv", "coco", "captions.csv"),
    ],
)
def test_captions_are_the_same_without_photographs(tmp_path, name, images, captions):
    (tmp_path / "captions.csv").write_text("train2014/COCO_train2014_000000000009.jpg,A bowl\n")
    captions = tmp_path / captions if name == "csv" else SAMPLES / captions
    whole = read_all(make_source(name, images=str(SAMPLES / images), captions=str(captions)))
    paths = [own.path.rsplit(".", 1)[0] for examples in whole.values() for own in examples.values()]
    (tmp_path / "all.tsv").write_text("".join(row(1).replace("1", path, 1) for path in paths))
    bare = make_source(name, captions=str(captions), features=f"bottom_up:{tmp_path / 'all.tsv'}")
    found = {
        split: {key: own.captions for key, own in examples.items()}
        for split, examples in read_all(bare).items()
    }
    assert found == {
        split: {key: own.captions for key, own in examples.items()}
        for split, examples in whole.items()
    }


@pytest.mark.parametrize(
    ("path", "source_id", "name"),
    [
        ("train2014/COCO_train2014_000000000009.jpg", "9", "9"),
        ("COCO_train2014_000000000009.jpg", "9", "000000000009"),
        ("000000000009.jpg", "000000000009", "COCO_val2014_000000000009"),
        ("000000000009.jpg", "9", "COCO_val2014_000000000009.jpg"),
        ("flickr30k-images/1001.jpg", "1001", "1001"),
        ("1000268201_693b08cb0e.jpg", "1000268201_693b08cb0e", "1000268201"),
        ("some/folder/dog.png", "some/folder/dog.png", "folder/dog"),
        ("dog.png", "dog.png", "some/folder/dog"),
    ],
)
def test_photographs_are_known_by_name_or_number(tmp_path, path, source_id, name):
    features = features_in(tmp_path, row(1).replace("1", name, 1) + row(7))
    found = matched(Photographs(path, source_ids=[source_id]), features)
    assert found == {source_id: features_of(1)[0, 0]}


def test_names_with_folders_tell_photographs_apart(tmp_path):
    for number, name in enumerate(("a/1.jpg.npz", "b/1.jpg.npz")):
        write_arrays_of(tmp_path / name, features=features_of(number))
    features = BottomUpFeatures(f"bottom_up:{tmp_path}")
    found = matched(Photographs("x/b/1.jpg", "x/a/1.jpg", "c/1.jpg"), features)
    assert found == {"x/b/1.jpg": features_of(1)[0, 0], "x/a/1.jpg": features_of(0)[0, 0]}


def test_features_that_may_be_of_two_photographs_are_refused(tmp_path):
    features = features_in(tmp_path, row(1))
    with pytest.raises(ValueError, match="Received: '1', which may be 'a/1.jpg' or 'b/1.jpg'"):
        BottomUpSource(Photographs("a/1.jpg", "b/1.jpg"), features, False)


def test_features_of_others_alone_are_refused(tmp_path):
    features = features_in(tmp_path, row(7) + row(8))
    with pytest.raises(
        ValueError, match="such as '1.jpg'. Received: those of 2 others, such as '7'"
    ):
        BottomUpSource(Photographs("1.jpg"), features, False)


def test_what_does_not_fit_is_listed_and_counted(tmp_path):
    lines = [
        row(1),
        row(2, count=4),
        row(3, features=features_of(3, 2)),
        row(4, boxes=[*BOXES[:2], [0, 0, 600, 10]]),
        row(1, features=features_of(9)),
        "cut off\n",
        row(5),
    ]
    features = features_in(tmp_path, "".join(lines))
    source = BottomUpSource(Photographs(*(f"{k}.jpg" for k in range(1, 6))), features, False)
    assert list(read_all(source)["train"]) == ["1.jpg", "5.jpg"]
    found = read_all(source)["train"]["1.jpg"].read_features()
    np.testing.assert_array_equal(found.features[1:], features_of(1))
    missing = "no features of this photograph"
    assert skips(source) == [
        ("train", "2.jpg", missing),
        ("train", "3.jpg", missing),
        ("train", "4.jpg", missing),
        ("", "features.tsv:2", "features: 3 boxes where num_boxes is 4"),
        (
            "",
            "features.tsv:3",
            "features: 8 numbers in the features of 3 regions, where others have 4 a region",
        ),
        (
            "",
            "features.tsv:4",
            "features: the box [0.0, 0.0, 600.0, 10.0] is outside the image of 480 x 320 pixels",
        ),
        ("", "1", "features: second features of this photograph"),
        (
            "",
            "features.tsv:6",
            "features: 1 columns where there are image_id, image_w, image_h, num_boxes, boxes, "
            "features",
        ),
    ]
    assert source.notes == [
        "photographs without features: 3",
        "rows or files of features that cannot be used: 5",
    ]


@pytest.mark.parametrize("count", [0, 7])
def test_a_first_row_without_whole_features_leaves_the_others(tmp_path, count):
    features = features_in(tmp_path, row(1, features=features_of(1, 1, count)) + row(2))
    assert features.faults == [("features.tsv:1", f"{count} numbers in the features of 3 regions")]
    assert (features.names, features.feature_size) == (["2"], 4)


def test_an_example_sent_to_another_process_is_a_place_not_an_array():
    source = make_source("flickr30k", **FLICKR30K, features=f"bottom_up:{SAMPLES / 'bottom_up'}")
    example = read_all(source)["dev"]["1003"]
    data = pickle.dumps(example)
    assert features_of(1003).tobytes()[:8] not in data
    found = pickle.loads(data).read_features()
    np.testing.assert_array_equal(found.features, example.read_features().features)


def test_the_first_row_may_name_the_columns(tmp_path):
    names = "image_id\timage_w\timage_h\tnum_boxes\tboxes\tfeatures\n"
    features = features_in(tmp_path, "\ufeff" + names + row(1))
    assert features.names == ["1"] and features.faults == []


def test_photographs_of_fewer_regions_are_counted(tmp_path):
    features = features_in(tmp_path, row(1) + row(2, BOXES[:2], features_of(2, 2)) + row(3))
    source = BottomUpSource(Photographs("1.jpg", "2.jpg", "3.jpg"), features, False)
    assert [len(own.read_features().boxes) for own in source.examples("train")] == [4, 3, 4]
    assert source.notes == ["photographs of fewer than 3 regions: 1"]


def test_boxes_of_another_order_are_refused(tmp_path):
    swapped = np.float32(BOXES)[:, [1, 0, 3, 2]]
    text = "".join(row(number, boxes=swapped) for number in range(1, 4))
    with pytest.raises(ValueError, match="boxes that look like ymin, xmin, ymax, xmax"):
        features_in(tmp_path, text)
    for number in range(3):
        write_arrays_of(tmp_path / "arrays" / f"{number}.npz", boxes=swapped)
    with pytest.raises(ValueError, match="boxes that look like ymin, xmin, ymax, xmax"):
        BottomUpFeatures(f"bottom_up:{tmp_path / 'arrays'}")


def test_two_directories_hold_features_and_boxes(tmp_path):
    for number in (1, 2):
        (tmp_path / "att").mkdir(exist_ok=True)
        (tmp_path / "box").mkdir(exist_ok=True)
        np.savez(tmp_path / "att" / f"{number}.npz", feat=features_of(number))
        np.save(tmp_path / "box" / f"{number}.npy", np.float32(BOXES))
    features = BottomUpFeatures(f"bottom_up:{tmp_path / 'att'},{tmp_path / 'box'}")
    (example,) = read_all(BottomUpSource(Photographs("2.jpg"), features, True))["train"].values()
    regions = example.read_features((320, 480))
    np.testing.assert_array_equal(regions.features[1:], features_of(2))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("/absent.tsv", "Expected --features=bottom_up:PATH"),
        ("bottom_up:", "Expected --features=bottom_up:PATH"),
        ("bottom_up:/absent.tsv", "'/absent.tsv' is none"),
        ("vinvl:/absent.tsv", "Received: 'vinvl:/absent.tsv'"),
    ],
)
def test_what_names_no_files_is_refused_before_any_is_read(spec, message):
    with pytest.raises(ValueError, match=message):
        feature_files(spec)


@pytest.mark.parametrize("text", ["", "path,caption\n", "image_id\timage_w\n"])
def test_files_of_no_features_are_refused(tmp_path, text):
    with pytest.raises(ValueError, match="Expected features of photographs. Received: .* of none"):
        features_in(tmp_path, text)


def test_directories_of_no_features_are_refused(tmp_path):
    np.savez(tmp_path / "1.npz", other=np.ones(3))
    with pytest.raises(ValueError, match="Expected features and boxes. Received: Expected x or"):
        BottomUpFeatures(f"bottom_up:{tmp_path}")


def test_which_data_sets_have_them():
    check_source("coco", captions="a", features="bottom_up:b")
    for dataset in ("precomp", "neuraltalk"):
        with pytest.raises(ValueError, match=f"no --features for --dataset={dataset}"):
            check_source(dataset, captions="a", features="bottom_up:b")
    assert not brings_photographs("coco", None, "bottom_up:b")
    assert brings_photographs("coco", "images", "bottom_up:b")
    assert brings_photographs("tf_records:a", None, "bottom_up:b")
    assert not brings_photographs("precomp", None, None)
