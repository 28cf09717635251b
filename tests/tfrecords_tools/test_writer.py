import dataclasses
import io
import json
import os
import re

import fake_models
import numpy as np
import pytest
import tensorflow as tf
from mini_flickr8k import files, jpeg, write_directories, write_zips
from program_runs import run_program
from written_records import SETTINGS, contents, csv_source, write

from tests.forked_programs import tensorflow_forks
from tfrecords_tools import write as write_program
from tfrecords_tools.record_checking import check_records
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.write_settings import WriteSettings
from tfrecords_tools.writer import write_records
from vsa_tf.data.parsed_record import ParsedRecord
from vsa_tf.files import read_sealed


@pytest.fixture
def flickr8k(tmp_path):
    return Flickr8k(**write_directories(tmp_path / "flickr8k", files()))


def test_records_are_what_the_source_and_the_models_gave(flickr8k, tmp_path):
    info = write(flickr8k, tmp_path / "out").info
    assert info["splits"]["train"]["num_images"] == 3
    assert info["splits"]["train"]["num_sentences"] == 6
    assert info["splits"]["train"]["num_phrases"] == sum(
        len(example.phrases) for example in flickr8k.examples("train")
    )
    assert (info["num_regions"], info["region_feature_size"]) == (3, fake_models.FEATURE_SIZE)
    assert check_records(tmp_path / "out") == []
    data = tf.data.TFRecordDataset(str(tmp_path / "out" / "train-00000-of-00001.tfrecord"))
    records = [ParsedRecord.parse(row.numpy(), 3, fake_models.FEATURE_SIZE) for row in data]
    for record, example in zip(records, flickr8k.examples("train"), strict=True):
        assert record.source_id == example.source_id and record.captions == example.captions
        assert record.encoded_image == example.read_image()
        np.testing.assert_array_equal(
            record.region_boxes, [[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.5, 0.5, 1]]
        )
        assert record.region_features[:, 4].tolist() == [0, 1, 2]
        pixels = tf.io.decode_jpeg(record.encoded_image).numpy()
        assert record.region_features[0, 0] == pytest.approx(pixels.mean(), rel=1e-2)


def test_info_says_nothing_of_places_and_times(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    text = (tmp_path / "out" / "dataset_info.json").read_text()
    assert str(tmp_path) not in text
    assert set(json.loads(text)) == {
        "schema_version",
        "dataset",
        "splits",
        "num_regions",
        "object_classes",
        "region_feature_size",
        "image_feature_size",
        "images_stored",
        "object_features",
        "encoder",
        "detector",
        "settings",
        "sources",
        "skipped",
        "num_skipped",
        "sealed_by",
        "content_sha256",
    }


def test_directories_and_zips_give_the_same_bytes(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "a")
    write(Flickr8k(**write_zips(tmp_path, files())), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_shards_are_contiguous_and_nothing_else_stays(flickr8k, tmp_path):
    info = write(flickr8k, tmp_path / "out", dataclasses.replace(SETTINGS, num_shards=2)).info
    assert [shard["num_records"] for shard in info["splits"]["train"]["shards"]] == [1, 2]
    assert sorted(contents(tmp_path / "out")) == [
        "dataset_info.json",
        "dev-00000-of-00002.tfrecord",
        "dev-00001-of-00002.tfrecord",
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]


def test_splits_can_be_chosen_and_must_exist(flickr8k, tmp_path):
    assert list(write(flickr8k, tmp_path / "out", splits=["dev"]).info["splits"]) == ["dev"]
    with pytest.raises(ValueError, match="Received: test"):
        write(flickr8k, tmp_path / "other", splits=["dev", "test"])


def test_unusable_images_are_skipped_with_their_reasons(tmp_path):
    good = jpeg(seed=1)
    source = csv_source(
        tmp_path,
        {
            "a_good.jpg": good,
            "b_empty.jpg": b"",
            "c_cut.jpg": good[:-200],
            "d_text.jpg": b"<html>",
            "e_tiny.jpg": jpeg(1, 1),
            "f_large.png": large_png(),
            "g_nan.jpg": jpeg(40, 30),
            "h_good.jpg": jpeg(seed=2),
        },
    )
    info = write(source, tmp_path / "out").info
    assert info["splits"]["train"]["num_images"] == 2
    reasons = {item["source_id"]: item["reason"] for item in info["skipped"]}
    assert (
        list(reasons)
        == ["b_empty.jpg", "c_cut.jpg", "d_text.jpg", "e_tiny.jpg", "f_large.png", "g_nan.jpg"]
        and info["num_skipped"] == 6
    )
    for name, part in zip(reasons, ("empty", "decoded", "not an image", "1 x 1", "20000", "NaN")):
        assert part in reasons[name]
    assert check_records(tmp_path / "out") == []


def large_png():
    data = bytearray(png())
    data[16:24] = (20000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def png():
    import io

    from PIL import Image

    data = io.BytesIO()
    Image.open(io.BytesIO(jpeg())).save(data, "PNG")
    return data.getvalue()


def test_image_that_vanishes_is_skipped(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg(), "b.jpg": jpeg()})
    os.remove(tmp_path / "images" / "a.jpg")
    info = write(source, tmp_path / "out").info
    assert info["skipped"] == [
        {
            "split": "train",
            "source_id": "a.jpg",
            "reason": "the image cannot be read: No such file or directory",
        }
    ]


def test_detector_that_gives_nan_skips_the_image_and_an_empty_split_is_an_error(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg()})
    with pytest.raises(ValueError, match="No photograph of split 'train'.*detector: .*NaN"):
        write(source, tmp_path / "out", make_models=fake_models.make_not_a_number)
    assert "dataset_info.json" not in contents(tmp_path / "out")


def test_an_encoder_that_looks_wrong_is_told_of(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg()})
    stream = io.StringIO()
    options = {"make_models": fake_models.make_models, "stream": stream}
    write_records(source, tmp_path / "out", SETTINGS, **options)
    # The mean and extremes of all pixels are alike in all photographs.
    assert stream.getvalue().startswith("warning: fake makes little difference")


def test_an_encoder_that_gives_nan_is_refused_before_anything_is_written(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg()})
    with pytest.raises(ValueError, match="Received: fake, whose features of a test image hold nan"):
        write(source, tmp_path / "out", make_models=fake_models.make_not_a_number_encoder)
    assert not [name for name in contents(tmp_path / "out") if "tfrecord" in name]


def test_other_settings_in_the_directory_are_refused_by_name(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    before = contents(tmp_path / "out")
    for settings, named in (
        (dataclasses.replace(SETTINGS, num_regions=7), "num_regions is 20 there and 7 now"),
        (dataclasses.replace(SETTINGS, num_shards=2), "splits.dev is 1 there and 2 now"),
    ):
        with pytest.raises(ValueError, match=named):
            write(flickr8k, tmp_path / "out", settings)
    with pytest.raises(ValueError, match="encoder.spec is fake there and pixels now"):
        write(flickr8k, tmp_path / "out", make_models=fake_models.make_pixels)
    assert contents(tmp_path / "out") == before


def test_a_directory_without_a_shard_takes_other_settings(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "expected")
    with pytest.raises(ValueError, match="No proposals"):
        write(flickr8k, tmp_path / "out", make_models=fake_models.make_refusing, num_workers=1)
    assert sorted(contents(tmp_path / "out")) == [".write_settings.json"]
    with pytest.raises(RuntimeError, match="exit code -9.*Run the same command again"):
        write(flickr8k, tmp_path / "out", make_models=fake_models.make_dying, num_workers=1)
    assert sorted(contents(tmp_path / "out")) == [".write_settings.json"]
    write(flickr8k, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_a_directory_with_a_shard_does_not(flickr8k, tmp_path):
    settings = dataclasses.replace(SETTINGS, num_shards=2)
    with pytest.raises(ValueError, match="No proposals"):
        write(flickr8k, tmp_path / "out", settings, make_models=fake_models.make_refusing_balls)
    before = contents(tmp_path / "out")
    assert [name for name in sorted(before) if name.endswith(".tfrecord")] == [
        "train-00000-of-00002.tfrecord"
    ]
    with pytest.raises(ValueError, match="detector.spec is refusing there and fake now"):
        write(flickr8k, tmp_path / "out", settings)
    assert contents(tmp_path / "out") == before


def test_captions_that_changed_between_two_runs_are_refused(tmp_path):
    places = write_directories(tmp_path / "flickr8k", files())

    def run():
        settings = dataclasses.replace(SETTINGS, num_shards=2)
        make_models = fake_models.make_refusing_balls
        write(Flickr8k(**places), tmp_path / "out", settings, make_models=make_models)

    with pytest.raises(ValueError, match="No proposals"):
        run()
    before = contents(tmp_path / "out")
    (captions,) = (tmp_path / "flickr8k").rglob("Flickr8k.token.txt")
    captions.write_text(captions.read_text().replace("dog", "cat"))
    with pytest.raises(ValueError, match="sources.*token.* there and .* now"):
        run()
    assert contents(tmp_path / "out") == before


def proposals(tmp_path, names):
    path = tmp_path / "proposals.json"
    path.write_text(json.dumps({name: {"boxes": [[0, 0, 1, 0.5]]} for name in names}))
    return WriteSettings(detector=f"proposals:{path}")


def test_images_without_proposals_are_named_before_anything_is_written(flickr8k, tmp_path):
    with pytest.raises(ValueError, match="no proposals for 102_b.jpg, 104_d.jpg$"):
        write(
            flickr8k,
            tmp_path / "out",
            proposals(tmp_path, ["101_a.jpg", "103_c.jpg"]),
            make_models=None,
        )
    assert contents(tmp_path / "out") == {}
    with pytest.raises(ValueError, match="101_a comes without proposals"):
        write(flickr8k, tmp_path / "out", WriteSettings(detector="proposals"), make_models=None)
    assert contents(tmp_path / "out") == {}


def test_images_that_cannot_be_decoded_need_no_proposals(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg(), "b.jpg": b"<html>"})
    info = write(source, tmp_path / "out", proposals(tmp_path, ["a.jpg"]), make_models=None).info
    assert [item["source_id"] for item in info["skipped"]] == ["b.jpg"]


def test_splits_that_come_out_empty_are_told_with_their_reasons(tmp_path):
    contents = files()
    del contents["images"]["Flicker8k_Dataset/104_d.jpg"]
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", contents))
    reason = "the photograph is not in --images"
    # Written, and found complete.
    for _ in range(2):
        result = write(source, tmp_path / "out")
        assert list(result.info["splits"]) == ["train"]
        assert result.empty_splits == {"dev": reason}
        entry = {"split": "dev", "source_id": "104_d.jpg", "reason": reason}
        assert result.info["skipped"] == [entry] and result.info["num_skipped"] == 1
    chosen = write(source, tmp_path / "train", splits=["train"])
    assert chosen.empty_splits == {} and chosen.info["skipped"] == []


def test_splits_of_unusable_rows_are_empty_ones(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg())
    (tmp_path / "captions.csv").write_text("a.jpg,A dog,train\nb.jpg,A cat,dev\nb.jpg,,dev\n")
    source = CsvCaptions(tmp_path / "images", tmp_path / "captions.csv")
    result = write(source, tmp_path / "out")
    assert result.empty_splits == {"dev": "'b.jpg' is not in --images"}
    assert result.info["num_skipped"] == 2


def test_other_schema_version_in_the_directory_is_refused(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    path = tmp_path / "out" / "dataset_info.json"
    path.write_text(json.dumps({**read_sealed(path), "schema_version": 0}))
    with pytest.raises(ValueError, match="schema_version is 0 there and 1 now"):
        write(flickr8k, tmp_path / "out")


def test_other_peoples_records_are_left_alone(flickr8k, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.tfrecord").write_bytes(b"x")
    with pytest.raises(ValueError, match="train.tfrecord but no dataset_info.json"):
        write(flickr8k, tmp_path / "out")


def test_finished_directory_is_left_as_it_is(flickr8k, tmp_path):
    first = write(flickr8k, tmp_path / "out")
    before = contents(tmp_path / "out")
    again = write(flickr8k, tmp_path / "out")
    assert (first.num_images, again.num_images) == (4, 0)
    assert again.info == read_sealed(tmp_path / "out" / "dataset_info.json")
    assert contents(tmp_path / "out") == before


def test_damaged_shard_of_a_finished_directory_is_written_again(flickr8k, tmp_path):
    write(flickr8k, tmp_path / "out")
    before = contents(tmp_path / "out")
    shard = tmp_path / "out" / "train-00000-of-00001.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert write(flickr8k, tmp_path / "out").num_images == 3
    assert contents(tmp_path / "out") == before


class FullDisk:
    """A `TFRecordWriter` whose disk is full after so many records."""

    room = 2

    def __init__(self, path):
        self.writer = self.original(path)
        self.written = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.writer.close()

    def write(self, record):
        self.written += 1
        if self.written > self.room:
            raise tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")
        self.writer.write(record)


def test_full_disk_is_one_error_and_leaves_nothing_that_reads_as_whole(
    flickr8k, tmp_path, monkeypatch
):
    write(flickr8k, tmp_path / "expected")
    FullDisk.original = tf.io.TFRecordWriter
    with monkeypatch.context() as patch:
        patch.setattr(tf.io, "TFRecordWriter", FullDisk)
        with pytest.raises(OSError, match="No space left on device"):
            write(flickr8k, tmp_path / "out")
    left = contents(tmp_path / "out")
    assert sorted(left) == [".write_settings.json"]
    write(flickr8k, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_full_disk_while_noting_a_shard_is_made_good_by_the_next_run(
    flickr8k, tmp_path, monkeypatch
):
    write(flickr8k, tmp_path / "expected")
    calls = []

    def replace(source, target, original=os.replace):
        calls.append(target)
        # The settings, the first shard; its note is the third.
        if len(calls) == 3:
            raise OSError(28, "No space left on device", target)
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="No space left"):
            write(flickr8k, tmp_path / "out")
    write(flickr8k, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")


def test_two_runs_do_not_write_to_one_directory(flickr8k, tmp_path):
    from tfrecords_tools.record_directory import RecordDirectory

    with RecordDirectory(tmp_path / "out").locked():
        with pytest.raises(OSError, match="Another run"):
            write(flickr8k, tmp_path / "out")


def test_killed_run_goes_on_to_the_bytes_of_the_uninterrupted_run(tmp_path, capsys):
    from tfrecords_tools.sources.shape_scenes import ShapeScenes

    arguments = [
        "--dataset=shape_scenes",
        "--num_shards=8",
        "--num_examples=80,16,16",
        "--seed=5",
        f"--output_dir={tmp_path / 'killed'}",
    ]
    said = tmp_path / "said"
    process = tensorflow_forks().start(
        "tfrecords_tools.write", *arguments, "--num_workers=1", outputs=[said, said]
    )
    while not list((tmp_path / "killed").glob(".train-0000[2-7]*.json")):
        assert not process.ended_within(0.005), said.read_text("utf-8")
    process.kill()
    left = contents(tmp_path / "killed")
    assert "dataset_info.json" not in left
    whole = [name for name in left if name.endswith(".tfrecord")]
    assert 2 <= len(whole) < 24
    run_program(write_program, *arguments, "--num_workers=2")
    # Three shards of ten were whole.
    (number,) = re.findall(r"^(\d+) images in .* images/s", capsys.readouterr().out, re.MULTILINE)
    assert 0 < int(number) <= 112 - 3 * 10
    # Uninterrupted, and in one process.
    source = ShapeScenes(80, 16, 16, seed=5)
    write_records(source, tmp_path / "whole", WriteSettings(num_shards=8, seed=5), stream=None)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
