import os
import re

import pytest
from exported_records import run_export
from mini_flickr8k import jpeg
from written_records import csv_source, write

from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.errors import VsaTfError


@pytest.fixture
def data_dir(tmp_path):
    write(csv_source(tmp_path, {"a.jpg": jpeg()}), tmp_path / "records")
    return tmp_path / "records"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format=coco", "--output_dir=x"], "--data_dir is missing"),
        (["--data_dir=x", "--output_dir=x"], "--format is missing"),
        (["--data_dir=x", "--format=coco"], "--output_dir is missing"),
        (["--data_dir=/absent", "--format=coco", "--output_dir=x"], "/absent"),
        (["--data_dir=/", "--format=coco", "--output_dir=x"], "dataset_info.json"),
    ],
)
def test_wrong_flags_are_one_clear_error(arguments, message):
    with pytest.raises(VsaTfError, check=lambda error: re.search(message, error.of_flags)):
        run_export(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits=night"], "one of train. Received: --splits=night"),
        (["--splits=train,train"], "each split once"),
        (["--output_dir=/"], "Expected a directory that is empty or not there"),
    ],
)
def test_wrong_flags_for_these_records_are_refused_before_tensorflow(
    data_dir, tmp_path, arguments, message
):
    flags = [f"--data_dir={data_dir}", "--format=csv", f"--output_dir={tmp_path / 'out'}"]
    result = run_without_tensorflow(
        "tfrecords_tools.export", *flags, *arguments, directory=tmp_path
    )
    assert message in refusal(result)
    assert not os.path.exists(tmp_path / "out")


def test_a_failed_export_leaves_nothing(data_dir, tmp_path):
    (data_dir / "train-00000-of-00001.tfrecord").write_bytes(b"")
    with pytest.raises(VsaTfError, match="Expected 1 records"):
        run_export(f"--data_dir={data_dir}", "--format=csv", f"--output_dir={tmp_path / 'out'}")
    assert not (tmp_path / "out").exists() and not (tmp_path / ".out.partial").exists()
