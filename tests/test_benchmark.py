import json
import subprocess

import pytest
from absl import flags

from tests.source_imports import ROOT
from vsa_tf import benchmark
from vsa_tf.errors import VsaTfError
from vsa_tf.models.model_table import MODELS


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Runs `main` with benchmarks that only say how they were called; returns their commands."""
    commands = []

    def run(command, **_):
        commands.append(command[1:])
        failed = "benchmarks.search" in command
        return subprocess.CompletedProcess(command, int(failed), json.dumps({"ratio": 2.0}))

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(subprocess, "run", run)
    values = flags.FlagValues()
    flags.DEFINE_string("suite", "decode", "", flag_values=values)
    flags.DEFINE_string("output", str(tmp_path / "results.json"), "", flag_values=values)
    flags.DEFINE_string("torch_path", None, "", flag_values=values)
    values.mark_as_parsed()
    monkeypatch.setattr(flags, "FLAGS", values)
    return values, commands


def _results(values):
    with open(values.output, encoding="utf-8") as file:
        return json.load(file)


def test_a_suite_is_kept_with_its_commands(program):
    values, commands = program
    benchmark.main()
    assert commands == [["-m", "benchmarks.decoding"]]
    results = _results(values)
    assert results["suite"] == "decode" and results["machine"]["num_cores"] >= 1
    (result,) = results["benchmarks"]
    assert result["command"] == "python -m benchmarks.decoding"
    assert result["result"] == {"ratio": 2.0}


def test_pytorch_is_named_to_those_who_compare_with_it(program):
    values, commands = program
    values.suite, values.torch_path = "train", "site"
    benchmark.main()
    assert commands == [
        ["-m", "benchmarks.torch_comparison", f"--model={model}", "--torch_path=site"]
        for model in MODELS
    ]


def test_what_came_before_a_failure_is_kept(program):
    values, commands = program
    values.suite = "all"
    with pytest.raises(VsaTfError, match="python -m benchmarks.search failed"):
        benchmark.main()
    assert [command[1] for command in commands] == [
        f"benchmarks.{name}"
        for name in (*["torch_comparison"] * len(MODELS), "decoding", "scoring", "search")
    ]
    assert len(_results(values)["benchmarks"]) == len(commands) - 1


def test_other_directories_than_a_checkout_are_refused(program, tmp_path, monkeypatch):
    values, commands = program
    values.output = str(tmp_path / "missing" / "results.json")
    with pytest.raises(VsaTfError, match="there is no such directory"):
        benchmark.main()
    values.output = ""
    with pytest.raises(VsaTfError, match="^output is missing"):
        benchmark.main()
    values.output = str(tmp_path / "results.json")
    monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VsaTfError, match="run this program in the checkout's directory"):
        benchmark.main()
    assert not commands


def test_every_benchmark_of_a_suite_is_there():
    for suite in benchmark._SUITES.values():
        for name in suite:
            assert (ROOT / "benchmarks" / f"{name.split()[0]}.py").is_file()
