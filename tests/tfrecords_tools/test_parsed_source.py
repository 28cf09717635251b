"""Records with dependency parses: written with them, or given them later."""

import json
import pickle
import re

import pytest
import tensorflow as tf
from parsed_captions import IMAGES, PARSES, captioned_images, captions, parsed_source
from program_runs import run_program
from written_records import contents, write

from tfrecords_tools import add_dependencies, inspect
from tfrecords_tools import write as write_program
from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.parsed_copy import copy_with_dependencies
from tfrecords_tools.record_checking import check_records
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed


@pytest.fixture
def written(tmp_path):
    """A directory of records with parses."""
    write(parsed_source(tmp_path / "source"), tmp_path / "written")
    return tmp_path / "written"


@pytest.fixture
def unparsed(tmp_path):
    """The same records without."""
    write(captioned_images(tmp_path / "unparsed_source"), tmp_path / "unparsed")
    return tmp_path / "unparsed"


def test_records_hold_the_relations_of_every_caption(written):
    parses = DependencyParses(PARSES)
    for split, images in (("train", IMAGES[:3]), ("dev", IMAGES[3:])):
        records = RecordSplit(written, split)
        expected = [
            relations
            for image in images
            for relations in parses.of(split, image, image, captions()[image])
        ]
        assert list(records.dependencies) == expected
    assert expected[1][-1] == ("nmod", "covered", "oil")
    assert check_records(written) == []


def test_the_information_counts_and_names_the_parses(written):
    info = json.loads((written / "dataset_info.json").read_text())
    assert info["sources"]["dependencies"] == DependencyParses(PARSES).sha256
    assert info["skipped"] == []
    # "Boats" is the one caption without a relation.
    assert info["splits"]["train"]["num_parsed_sentences"] == 14
    assert info["splits"]["dev"]["num_parsed_sentences"] == 5
    for split in ("train", "dev"):
        total = sum(map(len, RecordSplit(written, split).dependencies))
        assert info["splits"][split]["num_dependencies"] == total


def test_records_without_parses_say_nothing_of_them(unparsed):
    info = json.loads((unparsed / "dataset_info.json").read_text())
    assert "num_dependencies" not in info["splits"]["train"]
    assert "dependencies" not in info["sources"]
    (shard,) = info["splits"]["dev"]["shards"]
    for record in tf.data.TFRecordDataset(str(unparsed / shard["file"])):
        assert b"dependency" not in record.numpy()


def test_added_parses_give_the_bytes_of_records_written_with_them(written, unparsed, tmp_path):
    before = contents(unparsed)
    run_program(
        add_dependencies,
        f"--data_dir={unparsed}",
        f"--dependencies={PARSES}",
        f"--output_dir={tmp_path / 'added'}",
    )
    assert contents(tmp_path / "added") == contents(written)
    assert contents(unparsed) == before


def test_added_again_they_are_the_same_and_the_writer_is_content(unparsed, tmp_path):
    for _ in range(2):
        copy_with_dependencies(unparsed, DependencyParses(PARSES), tmp_path / "added")
    again = write(parsed_source(tmp_path / "source"), tmp_path / "added")
    assert again.num_images == 0


def test_what_has_no_parse_is_listed_by_both_ways(tmp_path):
    texts = ["Two small boats leave the harbour", "A bird", "A third", "4", "5", "A sixth"]
    changes = {"harbour.jpg": texts}
    skipped = []
    write(parsed_source(tmp_path / "source", changes=changes), tmp_path / "written")
    write(captioned_images(tmp_path / "plain", changes), tmp_path / "plain_records")
    copy_with_dependencies(tmp_path / "plain_records", DependencyParses(PARSES), tmp_path / "added")
    for name in ("written", "added"):
        info = json.loads((tmp_path / name / "dataset_info.json").read_text())
        skipped.append(info["skipped"])
        assert info["num_skipped"] == len(info["skipped"])
    assert skipped[0] == skipped[1]
    by_name = {item["source_id"]: item["reason"] for item in skipped[0]}
    # Captions 1 to 4 are other texts.
    assert list(by_name) == ["harbour.jpg#5", *(f"harbour.jpg#{number}" for number in range(1, 5))]
    assert by_name["harbour.jpg#5"] == "no parse of this caption"
    assert by_name["harbour.jpg#1"] == "its parse is of other words, and left out"
    assert contents(tmp_path / "written") == contents(tmp_path / "added")


def test_after_a_caption_that_is_left_out_parses_are_of_their_captions(tmp_path):
    # Caption 0 of harbour.jpg is empty: the others keep their numbers.
    changes = {"harbour.jpg": ["", *captions()["harbour.jpg"][1:]]}
    source = parsed_source(tmp_path / "source", changes=changes)
    info = write(source, tmp_path / "written").info
    assert [item["source_id"] for item in info["skipped"]] == ["line 1", "harbour.jpg#0"]
    write(captioned_images(tmp_path / "plain", changes), tmp_path / "plain_records")
    copy_with_dependencies(tmp_path / "plain_records", DependencyParses(PARSES), tmp_path / "added")
    assert contents(tmp_path / "written") == contents(tmp_path / "added")
    # As the same captions have where none is left out.
    write(parsed_source(tmp_path / "whole"), tmp_path / "whole_records")
    expected = RecordSplit(tmp_path / "whole_records", "train").dependencies[1:]
    assert RecordSplit(tmp_path / "written", "train").dependencies[:] == expected


def test_captions_without_a_parse_are_named_as_the_data_set_numbers_them(tmp_path):
    changes = {"harbour.jpg": ["", *captions()["harbour.jpg"][1:], "A sixth"]}
    source = parsed_source(tmp_path / "source", changes=changes)
    (first, *_) = source.examples("train")
    assert list(source.caption_numbers(first)) == [1, 2, 3, 4, 5]
    assert "harbour.jpg#5" in [skip.source_id for skip in source.skipped]


def test_all_that_is_skipped_is_counted_where_few_are_listed(tmp_path):
    changes = {"harbour.jpg": [f"Boat {number}" for number in range(30)]}
    write(captioned_images(tmp_path / "plain", changes), tmp_path / "plain_records")
    info = write(parsed_source(tmp_path / "source", changes=changes), tmp_path / "written").info
    added = copy_with_dependencies(
        tmp_path / "plain_records", DependencyParses(PARSES), tmp_path / "added"
    )
    # 25 captions without a parse, of which 20 are listed, and 5 whose parses are of other words.
    assert [item["count"] for item in info["skipped"] if "count" in item] == [5]
    assert info["num_skipped"] == added["num_skipped"] == 30


def test_parses_of_captions_that_are_not_written_are_counted(tmp_path):
    info = write(parsed_source(tmp_path / "source"), tmp_path / "out", splits=["dev"]).info
    unused = [item for item in info["skipped"] if "no caption that was written" in item["reason"]]
    # Those of three photographs in train.
    assert len(unused) == info["num_skipped"] == 15


def test_other_parses_in_the_directory_are_refused(written, tmp_path):
    other = tmp_path / "other.conllu"
    other.write_text(PARSES.read_text().replace("nsubj", "subj"))
    before = contents(written)
    with pytest.raises(ValueError, match="sources.dependencies is "):
        write(parsed_source(tmp_path / "again", other), written)
    assert contents(written) == before


def test_parses_of_other_captions_are_refused_by_both_ways(unparsed, tmp_path):
    other = tmp_path / "other.conllu"
    other.write_text(PARSES.read_text().replace(".jpg#", ".png#"))
    copied = tmp_path / "added"
    with pytest.raises(ValueError, match="are of others, such as harbour.png#0"):
        write(parsed_source(tmp_path / "source", other), tmp_path / "out")
    with pytest.raises(ValueError, match="are of others, such as harbour.png#0"):
        copy_with_dependencies(unparsed, DependencyParses(other), copied)
    assert contents(tmp_path / "out") == contents(copied) == {}
    # Nothing is in the way of the right ones.
    copy_with_dependencies(unparsed, DependencyParses(PARSES), copied)


def test_records_that_have_parses_are_not_given_more(written, tmp_path):
    with pytest.raises(ValueError, match="Expected records without dependency relations"):
        copy_with_dependencies(written, DependencyParses(PARSES), tmp_path / "added")


@pytest.mark.parametrize(
    "change", [lambda data: data[:-5], lambda data: b"", lambda data: data[3:]]
)
def test_damaged_records_are_not_copied(unparsed, tmp_path, change):
    shard = next(unparsed.glob("train-*.tfrecord"))
    shard.write_bytes(change(shard.read_bytes()))
    with pytest.raises(ValueError, match="Expected 3 whole records. Received: .* damaged"):
        copy_with_dependencies(unparsed, DependencyParses(PARSES), tmp_path / "added")
    assert not [name for name in contents(tmp_path / "added") if "partial" in name]


def test_examples_of_a_parsed_source_reach_other_processes(tmp_path):
    source = parsed_source(tmp_path / "source")
    (first, *_) = source.examples("dev")
    assert pickle.loads(pickle.dumps(first)).dependencies == first.dependencies
    assert len(first.dependencies) == len(first.captions) == 5


def test_the_programs_print_what_they_wrote(tmp_path, unparsed, written, capsys):
    run_program(
        add_dependencies,
        f"--data_dir={unparsed}",
        f"--dependencies={PARSES}",
        f"--output_dir={tmp_path / 'added'}",
    )
    assert "train: 14 of 15 sentences have dependency relations" in capsys.readouterr().out
    folder = tmp_path / "source"
    run_program(
        write_program,
        "--dataset=csv",
        f"--images={folder / 'images'}",
        "--num_workers=0",
        f"--captions={folder / 'captions.csv'}",
        f"--dependencies={PARSES}",
        f"--output_dir={tmp_path / 'program'}",
    )
    assert "dev: 5 of 5 sentences have dependency relations" in capsys.readouterr().out
    run_program(inspect, f"--data_dir={tmp_path / 'program'}", "--check")
    printed = capsys.readouterr().out
    assert "dependency relations of 14 sentences" in printed and "no problem" in printed


def test_a_wrong_count_of_relations_is_a_problem(written):
    path = written / "dataset_info.json"
    info = read_sealed(path)
    info["splits"]["dev"]["num_dependencies"] += 1
    path.write_text(json.dumps(info))
    (problem,) = check_records(written)
    assert "num_dependencies of dev is" in problem


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        (add_dependencies, [], "--data_dir is missing"),
        (add_dependencies, ["--data_dir=/"], "--dependencies is missing"),
        (add_dependencies, ["--data_dir=/", "--dependencies=x"], "--output_dir is missing"),
        (
            add_dependencies,
            ["--data_dir=/absent", "--dependencies=x", "--output_dir=x"],
            "/absent is not a directory",
        ),
        (
            add_dependencies,
            ["--data_dir=/", "--dependencies=/absent", "--output_dir=x"],
            "/absent is not a file",
        ),
        (
            add_dependencies,
            ["--data_dir=.", f"--dependencies={PARSES}", "--output_dir=./"],
            "records are copied, never changed",
        ),
        (
            add_dependencies,
            ["--data_dir=/", f"--dependencies={PARSES}", "--output_dir=/dev/null"],
            "/dev/null is not a directory",
        ),
        (
            add_dependencies,
            ["--data_dir=/", f"--dependencies={__file__}", "--output_dir=x"],
            "Expected 10 columns",
        ),
        (
            add_dependencies,
            ["--data_dir=/", f"--dependencies={PARSES}", "--output_dir=x"],
            "dataset_info.json",
        ),
        (
            write_program,
            ["--dataset=shape_scenes", "--output_dir=x", "--dependencies=/absent"],
            "--dependencies=/absent is not a file",
        ),
    ],
)
def test_wrong_flags_are_one_clear_error(program, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VsaTfError, check=lambda error: re.search(message, error.of_flags)):
        run_program(program, *arguments)
