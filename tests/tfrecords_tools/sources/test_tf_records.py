import dataclasses
import pickle
import subprocess
import sys

import pytest
import tensorflow as tf
from mini_flickr8k import jpeg
from source_samples import SAMPLES, copy_sample, read_all, skips

from tfrecords_tools.sources.tf_records import TfRecords, split_files

SAMPLE = str(SAMPLES / "tf_records")


def feature(values):
    kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
    return tf.train.Feature(**{kinds[type(values[0])]: {"value": values}} if values else {})


def write_records(path, *records):
    """Writes dicts of key to list of values as records; each has a photograph and a caption."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, record in enumerate(records):
            record = {
                "image/source_id": [f"{number}".encode()],
                "image/filename": [f"{number}.jpg".encode()],
                "image/encoded": [jpeg(seed=number)],
                "image/caption": [b"A dog ."],
            } | record
            features = {key: feature(values) for key, values in record.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


def boxes(*rows):
    names = ("ymin", "xmin", "ymax", "xmax")
    return {f"image/object/bbox/{name}": list(column) for name, column in zip(names, zip(*rows))}


def test_records_of_model_garden_are_photographs_with_captions_and_boxes():
    examples = read_all(TfRecords(SAMPLE))
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["9", "25"],
        "dev": ["2008_000001"],
    }
    first = examples["train"]["9"]
    assert first.filename == "000000000009.jpg"
    assert first.captions == ("A bowl of food .", "Two bowls on a table .")
    assert [item.chain for item in first.objects] == ["bowl#0", "dining table#1"]
    # As float32 has 0.1.
    assert first.objects[0].box == pytest.approx((0.1, 0.25, 0.5, 0.75), abs=1e-7)
    dev = examples["dev"]["2008_000001"]
    assert dev.captions == ("Ein Hund läuft .", "A dog runs .")
    assert tf.io.decode_jpeg(dev.read_image()).shape == (24, 24, 3)


def test_what_is_left_out_is_listed_and_counted():
    source = TfRecords(SAMPLE)
    name = "coco_train.record-00001-of-00002#2"
    reason = "it has no captions (caption/raw, image/caption, image/captions)"
    assert skips(source) == [
        ("train", "25", "boxes of crowds are left out: 1"),
        ("train", name, reason),
    ]
    (note,) = source.notes
    assert note.startswith("records left out: 1, first record 2 of coco_train.record-00001")


def test_the_photograph_is_the_stored_bytes_in_another_process_too(tmp_path):
    path = write_records(tmp_path / "train.tfrecord", {}, {})
    example = read_all(TfRecords(path))["train"]["1"]
    data = pickle.dumps(example)
    assert len(data) < 1000
    assert pickle.loads(data).read_image() == jpeg(seed=1)


@pytest.mark.parametrize("key", ["caption/raw", "image/caption", "image/captions"])
@pytest.mark.parametrize("captions", [[b"A dog ."], [b"A dog .", b"Two dogs ."]])
def test_captions_go_by_three_names(tmp_path, key, captions):
    path = write_records(tmp_path / "train.tfrecord", {"image/caption": [], key: captions})
    (example,) = read_all(TfRecords(path))["train"].values()
    assert example.captions == tuple(caption.decode() for caption in captions)


def test_captions_that_cannot_be_used_are_listed_and_phrases_keep_to_theirs(tmp_path):
    phrases = {
        "caption/phrase/caption_index": [0, 2],
        "caption/phrase/first_word": [0, 1],
        "caption/phrase/num_words": [1, 2],
        "caption/phrase/chain": [b"1", b"2"],
        "caption/phrase/type": [b"other", b"people"],
    }
    captions = {"caption/raw": [b"\xff\xfe", b"A dog .", b"See a man ."]}
    source = TfRecords(write_records(tmp_path / "test.tfrecord", captions | phrases))
    (example,) = read_all(source)["test"].values()
    assert example.captions == ("A dog .", "See a man .")
    (phrase,) = example.phrases
    assert (phrase.caption_index, phrase.first_word, phrase.chain) == (1, 1, "2")
    assert skips(source)[0][1:] == ("0#0", r"the caption is not UTF-8 (byte 0 of b'\xff\xfe')")


def test_records_without_a_photograph_and_second_ones_are_listed(tmp_path):
    path = write_records(
        tmp_path / "train.tfrecord", {}, {"image/encoded": []}, {"image/source_id": [b"0"]}
    )
    source = TfRecords(path)
    assert list(read_all(source)["train"]) == ["0"]
    assert skips(source) == [
        ("train", "train.tfrecord#2", "it has no photograph (image/encoded)"),
        ("train", "train.tfrecord#3", "a second photograph of the id '0'"),
    ]


def test_without_an_id_the_name_or_the_place_is_one(tmp_path):
    nameless = {"image/source_id": [], "image/filename": []}
    path = write_records(
        tmp_path / "train.tfrecord",
        {"image/source_id": []},
        nameless,
        {"image/source_id": [77], "image/filename": [b"0.jpg"]},
    )
    examples = read_all(TfRecords(path))["train"]
    assert [(own.source_id, own.filename) for own in examples.values()] == [
        ("0", "0"),  # two are called 0.jpg
        ("train-000001", "train-000001"),
        ("77", "77"),
    ]


def test_boxes_that_cannot_be_used_are_listed(tmp_path):
    source = TfRecords(
        write_records(
            tmp_path / "train.tfrecord",
            boxes((0.5, 0.0, 0.5, 1.0), (0.0, -0.01, 1.0, 1.01), (float("nan"), 0.0, 1.0, 1.0))
            | {"image/object/class/label": [3, 4, 5]},
            boxes((0.0, 0.0, 1.0, 1.0)) | {"image/object/bbox/ymin": [0.0, 0.5]},
        )
    )
    first, second = read_all(source)["train"].values()
    assert [(item.chain, item.box) for item in first.objects] == [("4#1", (0.0, 0.0, 1.0, 1.0))]
    assert second.objects == ()
    assert [reason for _, _, reason in skips(source)] == [
        "the box of 3#0 has no area inside the image",
        "the box of 5#2 has no area inside the image",
        "boxes of 2, 1, 1, 1 ymin, xmin, ymax, xmax",
    ]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ({}, [(1, "thing"), (1, "thing")]),
        ({"text": [b"dog", b"cat"]}, [(2, "dog"), (1, "cat")]),
        ({"label": [3, 7]}, [(3, "3"), (7, "7")]),
        ({"label": [0, 7], "text": [b"dog", b"cat"]}, [(1, "dog"), (8, "cat")]),
        ({"label": [1.0, 2.0], "text": [b"dog", b"cat"]}, [(1, "dog"), (2, "cat")]),
        ({"label": [1, 1], "text": [b"", b"dog"]}, [(1, "dog"), (1, "dog")]),
    ],
)
def test_boxes_have_the_classes_of_the_records(tmp_path, classes, expected):
    classes = {f"image/object/class/{name}": values for name, values in classes.items()}
    frame = (0.0, 0.0, 1.0, 1.0)
    path = write_records(tmp_path / "train.tfrecord", boxes(frame, frame) | classes)
    (example,) = read_all(TfRecords(path))["train"].values()
    found = [item.object_class for item in example.objects]
    assert [(own.label, own.name) for own in found] == expected


def test_classes_of_another_number_than_boxes_are_listed(tmp_path):
    frame = (0.0, 0.0, 1.0, 1.0)
    classes = {"image/object/class/text": [b"dog"], "image/object/class/label": [3, 4]}
    path = write_records(tmp_path / "train.tfrecord", boxes(frame, frame) | classes)
    source = TfRecords(path)
    (example,) = read_all(source)["train"].values()
    assert [item.object_class.label for item in example.objects] == [3, 4]
    reason = "1 values of image/object/class/text for 2 boxes"
    assert skips(source) == [("train", "0", reason)]


def test_one_label_of_several_names_is_refused(tmp_path):
    classes = [{"image/object/class/label": [1], "image/object/class/text": [b"dog"]}]
    classes += [{**classes[0], "image/object/class/text": [name]} for name in (b"Dog", b"cat")]
    records = [boxes((0.0, 0.0, 1.0, 1.0)) | own for own in classes]
    path = write_records(tmp_path / "train.tfrecord", *records)
    with pytest.raises(ValueError, match="class/text. Received: 1 for 'Dog', 'cat', 'dog'"):
        TfRecords(path)


def test_numbers_that_are_no_whole_ones_cost_their_boxes_and_phrases_alone(tmp_path):
    frame = (0.0, 0.0, 1.0, 1.0)
    phrases = {
        "caption/phrase/caption_index": [0.0, 0.0],
        "caption/phrase/first_word": [1.0, 0.5],
        "caption/phrase/num_words": [1.0, 1.0],
        "caption/phrase/chain": [b"dog#0", b"cat#1"],
        "caption/phrase/type": [b"animals", b"animals"],
    }
    labels = {
        "image/object/class/label": [1.0, 2.5, float("nan")],
        "image/object/class/text": [b"dog", b"cat", b"bird"],
    }
    uneven = {**phrases, "caption/phrase/type": [b"animals"]}
    records = boxes(frame, frame, frame) | labels | phrases, uneven
    source = TfRecords(write_records(tmp_path / "train.tfrecord", *records))
    first, second = read_all(source)["train"].values()
    assert [item.object_class.label for item in first.objects] == [1]
    assert type(first.objects[0].object_class.label) is int
    ((*numbers, chain, _),) = map(dataclasses.astuple, first.phrases)
    assert numbers == [0, 1, 1] and set(map(type, numbers)) == {int} and chain == "dog#0"
    assert second.phrases == ()
    assert [reason for _, _, reason in skips(source)] == [
        "the box of cat#1 has a label that is no whole number, 2.5",
        "the box of bird#2 has a label that is no whole number, nan",
        "a phrase of cat#1 whose numbers are no whole ones",
        "phrases of 2, 2, 2, 2, 1 values of caption/phrase",
    ]


def test_damage_costs_its_own_record(tmp_path):
    path = tmp_path / "train.tfrecord"
    write_records(path, {}, {}, {}, {})
    data = bytearray(path.read_bytes())
    whole = TfRecords(str(path))
    offset, length = read_all(whole)["train"]["1"].read_image.args[1:]
    data[offset - 12] ^= 1
    path.write_bytes(data[:-10])
    source = TfRecords(str(path))
    assert list(read_all(source)["train"]) == ["0", "2"]
    (_, first, reason), (_, last, ending) = skips(source)
    assert (first, last) == ("train.tfrecord#2", "train.tfrecord#4")
    assert reason == f"the bytes {offset - 12} to {offset + length + 4} are damaged"
    assert ending.startswith("the file ends within it")
    assert source.notes == [f"records left out: 2, first record 2 of train.tfrecord: {reason}"]


def test_a_photograph_whose_bytes_have_changed_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "train.tfrecord"
    write_records(path, {})
    data = path.read_bytes()
    path.write_bytes(data.replace(jpeg(seed=0)[-40:-20], bytes(20)))
    (example,) = read_all(TfRecords(str(path)))["train"].values()
    with pytest.raises(OSError, match="another checksum"):
        example.read_image()


@pytest.mark.parametrize(
    ("names", "pattern", "expected"),
    [
        (
            ("coco_train.record-00000-of-00002", "coco_train.record-00001-of-00002", "val.record"),
            "{}",
            {"train": 2, "dev": 1},
        ),
        (("train2017-00000-of-00001.tfrecord", "notes.txt"), "{}", {"train": 1}),
        (
            ("test/part-00000-of-00001", "validation/part-00000-of-00001"),
            "{}",
            {"dev": 1, "test": 1},
        ),
        (("a.tfrecord", "b.tfrecord"), "dev={0}/b*,train={0}/a*", {"train": 1, "dev": 1}),
        (("a.tfrecord", "b.tfrecord"), "mine={}", {"mine": 2}),
        (("train_a", "val_b", "val_c"), "{0}/train_a,{0}/val*", {"train": 1, "dev": 2}),
        (("restval-00000-of-00001.tfrecord",), "{}", {"restval": 1}),
        (
            ("train.record", "train.tfrecords", "train.record.bak", "train_records.csv")
            + ("test.record.gz", "test-00000-of-00001.json"),
            "{}",
            {"train": 2, "test": 1},
        ),
        (("date=2020/train.record",), "{}/date=2020/train.record", {"train": 1}),
        (("date=2020/train.record",), "dev={}/date=2020", {"dev": 1}),
    ],
)
def test_splits_are_named_by_files_or_by_the_pattern(tmp_path, names, pattern, expected):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = split_files(pattern.format(tmp_path))
    assert {split: len(own) for split, own in found.items()} == expected
    assert list(found) == list(expected)


def test_a_folder_with_an_equals_sign_is_no_split(tmp_path, monkeypatch):
    (tmp_path / "date=2020").mkdir()
    (tmp_path / "date=2020" / "train.record").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for pattern in ("date=2020", "date=2020/train.record", "date=*/*.record"):
        assert list(split_files(pattern)) == ["train"]


@pytest.mark.parametrize(
    ("names", "pattern", "message"),
    [
        ((), "{}", "Expected TFRecords.*names none"),
        (("train",), "{0}/train,{0}/vel*", r"Received: '.*/vel\*', which names none"),
        (("some.tfrecord",), "{}", "Received: .*some.tfrecord. Name it: .*train=.*some.tfrecord"),
        (("train_val.tfrecord",), "{}", "Expected a split in the name of each file"),
        (("train.tfrecord",), "{0}/train*,dev={0}", "train.tfrecord in train and dev"),
        ((), ",", "Received: ',', which names none"),
    ],
)
def test_files_without_a_clear_split_are_refused(tmp_path, names, pattern, message):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        split_files(pattern.format(tmp_path))


@pytest.mark.parametrize("data", [b"", b"no record", b"\x1f\x8b packed"])
def test_files_without_a_usable_record_are_refused(tmp_path, data):
    (tmp_path / "train.tfrecord").write_bytes(data)
    with pytest.raises(ValueError, match="Expected records with image/encoded"):
        TfRecords(str(tmp_path))


def test_it_is_read_without_tensorflow(tmp_path):
    folder = copy_sample("tf_records", tmp_path)
    program = (
        "import sys; from tfrecords_tools.sources.registry import check_paths, make_source; "
        f"name = 'tf_records:{folder}'; "
        "check_paths(dataset=name, images=None, captions=None, entities=None); "
        "print(len(list(make_source(name).examples('train')))); "
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=SAMPLES.parents[1], capture_output=True, text=True
    )
    assert done.stdout == "2\n", done.stderr
