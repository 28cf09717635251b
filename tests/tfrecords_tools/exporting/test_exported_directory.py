import json
import os
import types

import pytest
from exported_records import records_of
from mini_flickr8k import files, write_directories
from written_records import write

from tfrecords_tools.exporting.exported_directory import ImageFolder, left_out, whole_directory
from tfrecords_tools.sources.flickr_captions import Flickr8k
from vsa_tf.files import read_sealed

SPLITS = {
    name: types.SimpleNamespace(num_images=number, num_phrases=10 * number)
    for name, number in {"train": 3, "dev": 1}.items()
}
SHARD = "train-00000-of-00001.tfrecord"


def test_directory_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "out"
    with whole_directory(f"{path}/") as folder:
        (folder / "a").write_text("a")
        assert not path.exists()
    assert [item.name for item in path.iterdir()] == ["a"]
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_a_link_to_an_empty_directory_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with whole_directory(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
    assert (tmp_path / "out").is_symlink() and (tmp_path / "disk" / "a").exists()


def test_nothing_is_left_of_a_directory_that_failed(tmp_path):
    with pytest.raises(OSError, match="full"):
        with whole_directory(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise OSError("full")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    (tmp_path / ".out.partial" / "images").mkdir(parents=True)
    (tmp_path / ".out.partial" / "half").write_text("half")
    (tmp_path / "out").mkdir()
    with whole_directory(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
    assert os.listdir(tmp_path / "out") == ["a"] and os.listdir(tmp_path) == ["out"]


def test_what_is_there_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("out", "file"):
        with pytest.raises(FileExistsError, match=f"empty or not there. Received: .*{name}"):
            with whole_directory(tmp_path / name):
                raise AssertionError("it was given to be filled")
    assert (tmp_path / "out" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"


def test_two_runs_do_not_fill_one_directory(tmp_path):
    with whole_directory(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        with pytest.raises(OSError, match="Another run is writing"):
            with whole_directory(tmp_path / "out"):
                raise AssertionError("it was given to be filled")
    assert os.listdir(tmp_path / "out") == ["a"]


def add_image(folder, filename, data=b"x"):
    return folder.add(types.SimpleNamespace(filename=filename, encoded_image=data))


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("dog.jpg", "dog.jpg"),
        ("dog.JPEG", "dog.JPEG"),
        ("dog", "dog.jpg"),
        ("dog.png", "dog.jpg"),
        ("dog.v2.png", "dog.v2.jpg"),
        (".dog.jpg", "dog.jpg"),
        ("../dog.jpg", "_dog.jpg"),
        ("a\\b.jpg", "a_b.jpg"),
        ("a\nb\0.jpg", "a_b_.jpg"),
        (" a\u2028 b .jpg", "a b.jpg"),
        ("", "image.jpg"),
        ("..", "image.jpg"),
        ("犬.jpg", "犬.jpg"),
    ],
)
def test_files_have_safe_names_that_end_as_jpegs(tmp_path, filename, expected):
    assert add_image(ImageFolder(tmp_path / "images"), filename) == expected
    assert (tmp_path / "images" / expected).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x/y/dog.png", "x/y/dog.jpg"),
        ("/x//dog.jpg", "x/dog.jpg"),
        ("../../dog.jpg", "dog.jpg"),
        ("a\\b/c\nd/", "a_b/c_d/image.jpg"),
    ],
)
def test_folders_are_kept_within_the_folder(tmp_path, path, expected):
    record = types.SimpleNamespace(filename="x", encoded_image=b"x")
    assert ImageFolder(tmp_path / "images").add(record, path) == expected
    assert [item.name for item in tmp_path.iterdir()] == ["images"]
    assert (tmp_path / "images" / expected).read_bytes() == b"x"


def test_long_names_are_cut_between_characters(tmp_path):
    # Three bytes each: 66 of them are the most of 200 bytes.
    assert add_image(ImageFolder(tmp_path), "犬" * 100 + ".jpg") == "犬" * 66 + ".jpg"


def test_no_image_replaces_another(tmp_path):
    folder = ImageFolder(tmp_path)
    names = [
        add_image(folder, name, bytes([index]))
        for index, name in enumerate(["a.jpg", "a-3.jpg", "a.jpg", "a.png", "b.jpg"])
    ]
    assert names == ["a.jpg", "a-3.jpg", "a-4.jpg", "a-5.jpg", "b.jpg"]
    assert [(tmp_path / name).read_bytes() for name in names] == [
        bytes([index]) for index in range(5)
    ]


def dataset_info(**changes):
    entries = {
        "images_stored": True,
        "num_regions": 4,
        "region_feature_size": 8,
        "object_features": True,
    }
    return types.SimpleNamespace(**(entries | changes), split=SPLITS.__getitem__)


def test_what_records_hold_is_named_with_its_counts():
    assert left_out(dataset_info(), ["train"], annotated_boxes=7, dependency_relations=0) == [
        "regions, at most 4 an image",
        "features of 8 numbers",
        "features of annotated boxes",
        "7 annotated boxes",
        "30 phrases",
    ]


def test_what_a_format_carries_is_not_named():
    lines = left_out(
        dataset_info(object_features=False),
        ["train", "dev"],
        images_carried=False,
        features_carried=True,
    )
    assert lines == ["4 images", "40 phrases"]


def test_nothing_is_left_out_of_records_that_hold_no_more():
    SPLITS["test"] = types.SimpleNamespace(num_images=2, num_phrases=0)
    info = dataset_info(num_regions=1, region_feature_size=0, object_features=False)
    assert left_out(info, ["test"], annotated_boxes=0) == []


@pytest.fixture
def data_dir(tmp_path):
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", files()))
    write(source, tmp_path / "records")
    return tmp_path / "records"


def test_records_come_in_the_order_they_were_written(data_dir):
    assert [record.source_id for record in records_of(data_dir)["train"]] == [
        "101_a",
        "102_b",
        "103_c",
    ]


def test_damaged_shard_is_named(data_dir):
    data = bytearray((data_dir / SHARD).read_bytes())
    data[-20] ^= 1
    (data_dir / SHARD).write_bytes(data)
    with pytest.raises(ValueError, match=f"{SHARD}: damaged; .* --check` tells more"):
        records_of(data_dir)


def test_record_that_does_not_fit_is_named(data_dir):
    path = data_dir / "dataset_info.json"
    info = read_sealed(path)
    path.write_text(json.dumps(info | {"region_feature_size": 4}))
    with pytest.raises(ValueError, match=r"0-of-00001.tfrecord: 30 bytes of image/region/feature"):
        records_of(data_dir)


def test_missing_records_are_noticed(data_dir):
    import tensorflow as tf

    records = [row.numpy() for row in tf.data.TFRecordDataset(str(data_dir / SHARD))]
    with tf.io.TFRecordWriter(str(data_dir / SHARD)) as writer:
        for record in records[:2]:
            writer.write(record)
    with pytest.raises(ValueError, match="Expected 3 records of split 'train'. Received: 2"):
        records_of(data_dir)
