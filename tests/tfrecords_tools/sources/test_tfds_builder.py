import pickle

import numpy as np
import pytest
from small_tfds import coco_like_example, coco_like_features, jpeg, prepare, tfds
from source_samples import read_all, skips

from tfrecords_tools.sources.registry import make_source
from tfrecords_tools.sources.tfds_builder import TfdsBuilder
from vsa_tf.data.schema import AnnotatedBox, ObjectClass

TRAIN = [
    coco_like_example(
        9, ["A dog sits.", "A dog on a bench."], [((0.1, 0.25, 0.5, 0.75), 1, False)]
    ),
    coco_like_example(
        4,
        ["Two people."],
        [
            ((0.0, 0.0, 1.0, 0.5), 0, False),
            ((0.0, 0.5, 1.0, 1.0), 0, False),
            ((0.0, 0.0, 1.0, 1.0), 0, True),
        ],
    ),
    coco_like_example(7, ["Nobody at all."]),
]
DEV = [coco_like_example(number, [f"Photograph number {number}."]) for number in range(100, 105)]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    prepare(folder, coco_like_features(), {"train": TRAIN, "val": DEV}, num_shards=2)
    return folder


def test_examples_are_those_of_the_builder_in_its_order(data_dir):
    source = TfdsBuilder("small_captions", data_dir)
    examples = read_all(source)
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["9", "4", "7"],
        "dev": ["100", "101", "102", "103", "104"],
    }
    assert examples["train"]["9"].captions == ("A dog sits.", "A dog on a bench.")
    assert examples["train"]["9"].filename == "000000000009.jpg"
    assert source.name == "tfds:small_captions:1.2.0"
    assert source.official_counts == {"train": 3, "dev": 5}


def test_photographs_are_the_stored_bytes_in_whatever_order_they_are_read(data_dir):
    examples = read_all(TfdsBuilder("small_captions:1.2.0", data_dir))["dev"]
    for number in (103, 101, 102, 100, 104, 104):
        assert examples[str(number)].read_image() == jpeg(number)


def test_examples_read_their_photographs_in_another_process_too(data_dir):
    example = read_all(TfdsBuilder("small_captions", data_dir))["train"]["4"]
    assert pickle.loads(pickle.dumps(example)).read_image() == jpeg(4)


def test_boxes_are_chains_of_their_class_and_crowds_are_left_out(data_dir):
    source = TfdsBuilder("small_captions", data_dir)
    examples = read_all(source)["train"]
    # float32 of tfds.
    assert examples["9"].objects == (
        AnnotatedBox(
            "dog#900",
            tuple(np.float32([0.1, 0.25, 0.5, 0.75]).tolist()),
            ObjectClass(2, "dog"),  # the second of its labels, which are counted from 1
        ),
    )
    assert [item.chain for item in examples["4"].objects] == ["person#400", "person#401"]
    assert examples["7"].objects == ()
    assert skips(source) == [("train", "4", "boxes of crowds are left out: 1")]


def test_what_cannot_be_used_is_skipped_and_listed(tmp_path):
    prepare(
        tmp_path,
        coco_like_features(),
        {
            "train": [
                coco_like_example(1, ["A dog.", "  ", "..."], [((0.5, 0.5, 0.5, 0.9), 1, False)]),
                coco_like_example(2, []),
                coco_like_example(1, ["The number of the first again."]),
            ]
        },
    )
    source = TfdsBuilder("small_captions", tmp_path)
    assert [example.captions for example in source.examples("train")] == [("A dog.",)]
    assert skips(source) == [
        ("train", "1#1", "the caption is empty"),
        ("train", "1#2", "the caption has no word: '...'"),
        ("train", "1", "the box of dog#100 has no area inside the image"),
        ("train", "2", "a photograph without captions"),
        ("train", "1", "a second photograph of this id"),
    ]


def test_checksums_tell_annotations_apart(data_dir, tmp_path):
    def checksums(folder):
        source = TfdsBuilder("small_captions", folder)
        read_all(source)
        return source.checksums()

    assert checksums(data_dir) == checksums(data_dir)
    other = [coco_like_example(9, ["A dog sits.", "A cat on a bench."]), *TRAIN[1:]]
    prepare(tmp_path, coco_like_features(), {"train": other, "val": DEV})
    there, here = checksums(data_dir), checksums(tmp_path)
    assert there.keys() == here.keys() == {"annotations of train", "annotations of dev"}
    assert there["annotations of dev"] == here["annotations of dev"]
    assert there["annotations of train"] != here["annotations of train"]


def test_photographs_without_numbers_are_counted(tmp_path):
    features = {"photo": tfds.features.Image(), "caption": tfds.features.Text()}
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    prepare(
        tmp_path,
        features,
        {"test": [{"photo": pixels, "caption": "One."}, {"photo": pixels, "caption": "Two."}]},
    )
    examples = read_all(make_source("tfds:small_captions", images=tmp_path))["test"]
    assert {name: own.captions for name, own in examples.items()} == {
        "test-000000": ("One.",),
        "test-000001": ("Two.",),
    }
    assert examples["test-000001"].filename == "test-000001"


def test_a_data_set_that_is_not_prepared_says_how_to_prepare_it(tmp_path):
    with pytest.raises(ValueError, match=f"Prepare it: tfds build mnist --data_dir={tmp_path}$"):
        TfdsBuilder("mnist", tmp_path)
    with pytest.raises(ValueError, match="Expected no such name! as"):
        TfdsBuilder("no such name!", tmp_path)


def test_a_version_that_is_not_there_is_not_replaced(data_dir):
    with pytest.raises(ValueError, match="tfds build small_captions:2.0.0"):
        TfdsBuilder("small_captions:2.0.0", data_dir)


def test_two_validation_splits_are_refused(tmp_path):
    prepare(tmp_path, coco_like_features(), {"val": DEV[:1], "validation": DEV[1:2]})
    with pytest.raises(ValueError, match="one split for dev. Received: val and validation"):
        TfdsBuilder("small_captions", tmp_path)


def test_damaged_files_are_one_clear_error(tmp_path):
    folder = prepare(tmp_path, coco_like_features(), {"train": TRAIN})
    (shard,) = folder.glob("*.tfrecord*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(data)
    with pytest.raises(OSError, match="small_captions/1.2.0 cannot be read at . of train"):
        read_all(TfdsBuilder("small_captions", tmp_path))
