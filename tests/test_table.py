import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from absl import flags

from tests.data.small_records import write_records
from tests.source_imports import ROOT
from vsa_tf import table
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError
from vsa_tf.settings_flags import settings_from_arguments

ROWS = """# A table.
linear, one way | --model=embedding --linear_branches --joint_size=4   # in short
nonlinear | --flagfile="{}/my file.flags"
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Runs `main` with a training that writes its number of runs as R@1."""
    commands = []

    def train(command, check):
        commands.append(command)
        model_dir = next(arg for arg in command if arg.startswith("--model_dir=")).partition("=")[2]
        if "--seed=13" in command:
            return subprocess.CompletedProcess(command, 1)
        settings = settings_from_arguments(command[3:], "train")
        pathlib.Path(model_dir).mkdir(parents=True, exist_ok=True)
        records = DatasetInfo.load(settings.data.data_dir).fingerprint("train")
        config = settings.to_json({"records": records})
        pathlib.Path(model_dir, "config.json").write_text(config)
        metrics = {"phrase_localization": {"R@1": 10.0 * len(commands)}}
        pathlib.Path(model_dir, "metrics.json").write_text(json.dumps({"metrics": metrics}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", train)
    (tmp_path / "my.rows").write_text(ROWS.format(tmp_path))
    (tmp_path / "my file.flags").write_text("--model=embedding")
    (tmp_path / "records").mkdir()
    write_records(tmp_path / "records", num_images=2)
    values = flags.FlagValues()
    flags.DEFINE_string("rows", str(tmp_path / "my.rows"), "", flag_values=values)
    flags.DEFINE_string("data_dir", str(tmp_path / "records"), "", flag_values=values)
    flags.DEFINE_string("model_dir", str(tmp_path / "table"), "", flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(flags, "FLAGS", values)
    return commands


def test_each_row_is_trained_in_its_own_directory(program, tmp_path, capsys):
    table.main(["--num_epochs=1"])
    assert program[0] == [
        sys.executable,
        "-m",
        "vsa_tf.train",
        "--model=embedding",
        "--linear_branches",
        "--joint_size=4",
        f"--data_dir={tmp_path}/records",
        f"--model_dir={tmp_path}/table/linear_one_way",
        "--num_epochs=1",
    ]
    assert program[1][3] == f"--flagfile={tmp_path}/my file.flags"
    written = json.loads((tmp_path / "table/table.json").read_text())
    assert [row["name"] for row in written] == ["linear, one way", "nonlinear"]
    assert written[1]["metrics"]["phrase_localization"]["R@1"] == 20
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["nonlinear", "20.0", "-", "-", "-", "-"]


def test_a_row_that_is_done_is_not_done_again(program, tmp_path):
    table.main([])
    (tmp_path / "table/nonlinear/metrics.json").unlink()
    table.main([])
    assert len(program) == 3 and "nonlinear" in program[2][-1]
    shutil.rmtree(tmp_path / "records")
    table.main([])
    assert len(program) == 3


@pytest.mark.parametrize("change", ["flags", "no flag", "records"])
def test_a_row_that_is_another_one_by_now_is_not_taken_for_it(program, tmp_path, change):
    table.main(["--seed=3"])
    if change == "records":
        write_records(tmp_path / "records", num_images=4)
    table.main({"flags": ["--seed=4"], "no flag": [], "records": ["--seed=3"]}[change])
    assert len(program) == 4


def test_a_row_may_be_taught_by_one_before_it(program, tmp_path):
    teacher = f"--teachers={tmp_path}/table/first"
    (tmp_path / "my.rows").write_text(f"first | --seed=1\nsecond | {teacher}")
    table.main([])
    assert [command[3] for command in program] == ["--seed=1", teacher]


def test_a_row_that_fails_ends_the_program(program):
    with pytest.raises(VsaTfError, match="row 'linear, one way' failed: .*--joint_size=4"):
        table.main(["--seed=13"])


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--joint_siz=4", "row 'linear, one way': Unknown flag joint_siz. Did you mean"),
        ("--joint_size=none", "row 'linear, one way': flag joint_size=none"),
        ("joint_size=4", "Expected only flags. Received: joint_size=4"),
        ("--cell=gru", "row 'linear, one way': cell is not a setting of model=embedding"),
        ("--margin=0.3", "row 'linear, one way': margin has no meaning without negatives=top_k"),
    ],
)
def test_flags_are_refused_before_anything_is_trained(program, flag, reason):
    with pytest.raises(VsaTfError, match=reason):
        table.main([flag])
    assert not program


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("linear --linear_branches", "`NAME | FLAGS` in line 1 of .*Received: 'linear --linear"),
        ("a | --x\nA! | --y", "rows of different names.*Received: 'a' and 'A!', both of 'a'"),
        ("# nothing", "Expected rows, .*Received: .*bad.rows, which has none"),
    ],
)
def test_files_that_are_no_rows_are_refused(tmp_path, text, reason):
    (tmp_path / "bad.rows").write_text(text)
    with pytest.raises(VsaTfError, match=reason):
        table.read_rows(tmp_path / "bad.rows")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="^rows=.*none.rows: No such file"):
        table.read_rows(tmp_path / "none.rows")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "flags/tables").glob("*.rows")), ids=lambda path: path.name
)
def test_rows_of_the_project_name_flagfiles_that_exist(path):
    for row in table.read_rows(path):
        assert (ROOT / row.flags[0].removeprefix("--flagfile=")).is_file()


def test_columns_are_those_of_the_metrics_that_some_row_has():
    recalls = {"R@1": 51.04, "R@5": 70.3, "R@10": 75.0}
    text = table.table_text(
        [
            {"name": "a", "metrics": {"image_to_sentence": recalls, "captions": {"Bleu_4": 0.17}}},
            {"name": "bc", "metrics": {"image_to_sentence": {**recalls, "R@1": None}}},
        ]
    )
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["image_to_sentence", "captions"]
    assert lines[2] == ["a", "51.0", "70.3", "75.0", "-", "-", "-", "-", "0.170", "-"]
    assert lines[3][:3] == ["bc", "-", "70.3"]
