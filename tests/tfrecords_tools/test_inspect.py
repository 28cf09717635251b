import functools
import json
import re

import fake_models
import pytest
import tensorflow as tf
from mini_flickr8k import files, write_directories
from program_runs import run_program

from tfrecords_tools import inspect
from tfrecords_tools.record_checking import check_records
from tfrecords_tools.record_rendering import render_records
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.write_settings import WriteSettings
from tfrecords_tools.writer import write_records
from vsa_tf.data import schema
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed

SHARD = "train-00000-of-00001.tfrecord"
run = functools.partial(run_program, inspect)


def write_sample(tmp_path, **settings):
    contents = files()
    token = contents["captions"]["Flickr8k.token.txt"]
    contents["captions"]["Flickr8k.token.txt"] = token.replace(
        b"A house .", b"A house <script>alert('&')</script> ."
    )
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", contents))
    write_records(
        source,
        tmp_path / "records",
        WriteSettings(detector="fake", image_encoder="fake", **settings),
        make_models=fake_models.make_models,
        stream=None,
    )
    return tmp_path / "records"


@pytest.fixture
def data_dir(tmp_path):
    return write_sample(tmp_path)


def rewrite(data_dir, change):
    """Changes the second record and states the shard's new checksum."""
    import hashlib

    path = data_dir / SHARD
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    example = tf.train.Example.FromString(records[1])
    change(example.features.feature)
    records[1] = example.SerializeToString()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    info = read_sealed(data_dir / schema.DATASET_INFO)
    info["splits"]["train"]["shards"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (data_dir / schema.DATASET_INFO).write_text(json.dumps(info))


def test_what_is_skipped_is_counted_as_the_records_say(data_dir, capsys):
    path = data_dir / schema.DATASET_INFO
    info = read_sealed(path)
    info["skipped"] = [{"split": "dev", "source_id": "", "reason": "7 more", "count": 7}]
    path.write_text(json.dumps({**info, "num_skipped": 7}))
    run(f"--data_dir={data_dir}")
    assert "skipped: 7\n  dev : 7 more\n" in capsys.readouterr().out


def test_sound_records_have_no_problem(data_dir):
    assert check_records(data_dir) == []


def test_flipped_bit_and_truncation_name_shard_and_record(data_dir):
    data = (data_dir / SHARD).read_bytes()
    # The first record's length is its first 8 bytes; it is framed by 16 more.
    place = 16 + int.from_bytes(data[:8], "little") + 40
    flipped = bytearray(data)
    flipped[place] ^= 1
    for damaged in (bytes(flipped), data[:place]):
        (data_dir / SHARD).write_bytes(damaged)
        problems = check_records(data_dir)
        assert len(problems) == 2 and all(SHARD in problem for problem in problems)
        assert "SHA-256" in problems[0] and "record 2: damaged" in problems[1]


def setter(key, place, value, kind="float_list"):
    def change(features):
        getattr(features[key], kind).value[place] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (setter(schema.REGION_XMAX, 1, 1.5), "region box outside 0..1"),
        (setter(schema.REGION_YMAX, 0, 0.5), "not the whole frame"),
        (setter(schema.REGION_SCORE, 1, float("nan")), "score that is not finite"),
        (setter(schema.OBJECT_XMAX, 0, 0.0), "object box"),
        (setter(schema.PHRASE_NUM_WORDS, 0, 90, "int64_list"), "words 0 to 90"),
        (setter(schema.PHRASE_CAPTION_INDEX, 0, 9, "int64_list"), "a phrase of caption 9"),
        (setter(schema.CAPTION_RAW, 0, b"  ", "bytes_list"), "an empty one"),
        (setter(schema.CAPTION_RAW, 0, b"\xff", "bytes_list"), "not UTF-8"),
        (setter(schema.REGION_FEATURE, 0, b"\0\x7e" * 15, "bytes_list"), "not finite"),
        (setter(schema.REGION_FEATURE, 0, b"\0\0" * 14, "bytes_list"), "28 bytes"),
        (setter(schema.IMAGE_FEATURE, 0, b"\0\0" * 5, "bytes_list"), "not the feature of region 0"),
        (setter(schema.IMAGE_ENCODED, 0, b"\xff\xd8", "bytes_list"), "image/encoded"),
        (setter(schema.IMAGE_HEIGHT, 0, 7, "int64_list"), "48 x 7 are stated"),
        (setter(schema.IMAGE_SOURCE_ID, 0, b"101_a", "bytes_list"), "a second record of '101_a'"),
    ],
)
def test_wrong_record_is_named_with_what_is_wrong(data_dir, change, reason):
    rewrite(data_dir, change)
    (problem,) = check_records(data_dir)
    assert problem.startswith(f"{SHARD}, record 2: ") and re.search(reason, problem)


@pytest.mark.parametrize(
    ("data", "reason"),
    # 102 has one chain, whose feature is five numbers of two bytes.
    [
        (b"\0\x7e" * 5, "a image/object/chain_feature that is not finite"),
        (b"\0\0" * 10, "20 bytes of image/object/chain_feature where 1 features of 5 .* 10"),
        (b"", "0 bytes of image/object/chain_feature"),
    ],
)
def test_wrong_features_of_annotated_boxes_are_found(tmp_path, capsys, data, reason):
    data_dir = write_sample(tmp_path, object_features=True)
    run(f"--data_dir={data_dir}", "--check")
    assert "annotated boxes: features of each chain stored" in capsys.readouterr().out
    rewrite(data_dir, setter(schema.OBJECT_CHAIN_FEATURE, 0, data, "bytes_list"))
    (problem,) = check_records(data_dir)
    assert problem.startswith(f"{SHARD}, record 2: ") and re.search(reason, problem)


def test_counts_are_compared(data_dir):
    info = read_sealed(data_dir / schema.DATASET_INFO)
    info["splits"]["train"]["num_sentences"] += 1
    (data_dir / schema.DATASET_INFO).write_text(json.dumps(info))
    assert check_records(data_dir) == [
        "dataset_info.json: num_sentences of train is 7, the records hold 6"
    ]


def test_missing_shard_is_a_problem(data_dir):
    (data_dir / SHARD).unlink()
    assert check_records(data_dir) == [f"{SHARD}: cannot be read (No such file or directory)"]


def test_page_is_self_contained_and_escapes_what_people_wrote(data_dir):
    page = render_records(data_dir)
    assert page.count("<article>") == 4 and page.count("data:image/jpeg;base64,") == 4
    assert "<script" not in page and "http" not in page
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page
    # Three boxes of 101, one of 102 and of 104; two regions besides the frame in each of four.
    assert page.count('class="object"') == 5 and page.count('class="region"') == 8
    # Three phrases of 101 and of 102, two of 103 and of 104.
    assert page.count("<mark") == page.count("</mark>") == 10
    assert ">A grey dog</mark> runs ." in page


def test_program_prints_checks_and_renders(data_dir, tmp_path, capsys):
    page = tmp_path / "samples.html"
    run(f"--data_dir={data_dir}", "--check", f"--render={page}", "--num_samples=1")
    printed = capsys.readouterr().out
    assert "train: 3 images, 6 sentences, 8 phrases, 1 shards" in printed
    assert "checked: 4 records, no problem" in printed
    assert page.read_text().count("<article>") == 2


def test_program_fails_where_there_are_problems(data_dir, capsys):
    (data_dir / SHARD).write_bytes(b"")
    with pytest.raises(VsaTfError, match="2 problems"):
        run(f"--data_dir={data_dir}", "--check")
    assert f"problem: {SHARD}: 0 records, dataset_info.json has 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data_dir is missing"),
        (["--data_dir=/absent"], "not a directory"),
        (["--data_dir=/"], "dataset_info.json"),
        (["--data_dir=/", "--render=/absent/x.html"], "directory does not exist"),
    ],
)
def test_wrong_flags_are_one_clear_error(arguments, message):
    with pytest.raises(VsaTfError, check=lambda error: re.search(message, error.of_flags)):
        run(*arguments)
