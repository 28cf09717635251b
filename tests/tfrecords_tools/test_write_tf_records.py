"""Records of this project, read as a data set and written again."""

import pytest
from program_runs import run_program
from written_records import contents

from tfrecords_tools import write
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError


def write_pixels(dataset, output_dir, *flags):
    run_program(
        write, f"--dataset={dataset}", f"--output_dir={output_dir}", "--num_workers=0", *flags
    )
    return output_dir


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    return write_pixels("shape_scenes", folder / "first", "--num_examples=6,3,0")


def test_photographs_captions_boxes_and_phrases_come_back(written, tmp_path, capsys):
    write_pixels(f"tf_records:{written}", tmp_path, "--detector=grid")
    assert "skipped: 0 " in capsys.readouterr().out
    for name, count in (("train", 6), ("dev", 3)):
        first, again = RecordSplit(written, name), RecordSplit(tmp_path, name)
        assert again.num_images == count and len(again.phrases[0]) > 0
        for key in ("source_ids", "filenames", "captions", "objects", "phrases"):
            assert getattr(again, key) == getattr(first, key), key
        images = range(count)
        assert again.read_encoded_images(images) == first.read_encoded_images(images)
        assert len(again.region_boxes[0]) > len(first.region_boxes[0])


def test_the_same_settings_give_the_same_shards(written, tmp_path):
    write_pixels(f"tf_records:train={written}/train*,dev={written}/dev*", tmp_path)
    first, again = contents(written), contents(tmp_path)
    shards = [name for name in first if name.endswith(".tfrecord")]
    assert len(shards) == 2 and sorted(again) == sorted(first)
    for name in shards:
        assert again[name] == first[name]


def test_a_pattern_that_names_nothing_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(VsaTfError, match="names none"):
        write_pixels(f"tf_records:{tmp_path}", tmp_path / "out")
    assert not (tmp_path / "out").exists()
