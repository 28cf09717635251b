"""Benchmarks: what they print, what `vsa_tf.benchmark` keeps of it, and the page that it writes."""

import argparse
import functools
import importlib
import json
import pathlib
import re
import shlex
import subprocess
import sys
import time
import types

import pytest
from absl import flags

from tests.source_imports import PACKAGES, ROOT
from vsa_tf import benchmark
from vsa_tf.errors import VsaTfError
from vsa_tf.models.model_table import MODELS

pytest.importorskip("benchmarks", reason="benchmarks are a part of the checkout alone")
benchmark_parser = importlib.import_module("benchmarks.benchmark_parser")
_RESULTS = ROOT / "docs" / "benchmarks.json"
_PAGE = ROOT / "docs" / "benchmarks.md"
# Of each that runs in a moment, sizes so small that it does.
_SMALL = {
    "scoring": ("--num_images=3", "--num_sentences=4", "--width=8", "--repeats=1"),
    "consensus_reranking": (
        *("--num_images=2", "--num_training_images=20", "--num_neighbors=3", "--num_pairs=2"),
        *("--num_captions=4", "--feature_size=4"),
    ),
    "principal_components": ("--rows=30", "--columns=20", "--dimension=4"),
    "input_pipeline": (
        *("--num_images=20", "--num_regions=2", "--feature_size=4", "--batch_size=5"),
        *("--num_steps=2", "--num_pixel_steps=0"),
    ),
}


def _entry(command="python -m benchmarks.decoding", date="2026-01-02", device=None, **changes):
    machine = {"processor": "one", "cores": 2, "memory_gib": 8}
    return {
        "command": command,
        "date": date,
        "machine": {**machine, **({"device": device} if device else {})},
        "versions": {"python": "3.11.1", "tensorflow": "2.20.0"},
        "compared": "this / that",
        "rows": [{"way": "ours", "ms": 2.0}],
        **changes,
    }


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Runs `main` with benchmarks that only say how they were called; returns their commands."""
    commands = []

    def run(command, **_):
        commands.append(command[1:])
        failed = "benchmarks.search" in command
        entry = _entry(" ".join(["python", *command[1:]]))
        return subprocess.CompletedProcess(command, int(failed), json.dumps(entry))

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(subprocess, "run", run)
    values = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", values)
    for kind in ("enum", "string", "multi_string"):
        name = f"DEFINE_{kind}"
        define = getattr(flags, name)
        monkeypatch.setattr(
            flags, name, lambda *given, define=define: define(*given, flag_values=values)
        )
    benchmark.define_flags()
    values.mark_as_parsed()
    values.output = str(tmp_path / "results.json")
    return values, commands


def _entries(values):
    with open(values.output, encoding="utf-8") as file:
        return json.load(file)["entries"]


def test_a_suite_is_kept_with_its_commands(program):
    values, commands = program
    values.suite = "decode"
    benchmark.main()
    assert commands == [["-m", "benchmarks.decoding"]]
    assert _entries(values) == [_entry()]


def test_pytorch_is_named_to_those_who_compare_with_it(program):
    values, commands = program
    values.suite, values.torch_path = "train", "site"
    benchmark.main()
    assert commands == [
        *(
            ["-m", "benchmarks.torch_comparison", f"--model={model}", "--torch_path=site"]
            for model in MODELS
        ),
        ["-m", "benchmarks.score_blocks"],
        ["-m", "benchmarks.score_blocks", "--batch_size=1024", "--peak"],
    ]
    values.suite, values.benchmark = None, ["torch_comparison --model=m_rnn --compare=bfloat16"]
    benchmark.main()
    assert commands[-1][2:] == ["--model=m_rnn", "--compare=bfloat16"]


def test_what_came_before_a_failure_is_kept(program):
    values, commands = program
    values.benchmark = ["scoring --num_images=3", "search", "decoding"]
    with pytest.raises(VsaTfError, match="python -m benchmarks.search failed"):
        benchmark.main()
    assert commands[0] == ["-m", "benchmarks.scoring", "--num_images=3"]
    (kept,) = _entries(values)
    assert kept["command"] == "python -m benchmarks.scoring --num_images=3"


def test_what_is_measured_again_replaces_what_was_there(program, tmp_path):
    values, _ = program
    other = tmp_path / "other.json"
    earlier = _entry(date="2025-01-01"), _entry("python -m benchmarks.scoring")
    other.write_text(json.dumps({"entries": [*earlier, _entry(device="GPU")]}))
    single = tmp_path / "single.json"
    single.write_text(json.dumps(_entry("python -m benchmarks.accelerator", device="GPU")))
    values.merge, values.benchmark = [str(other), str(single)], ["decoding"]
    benchmark.main()
    now = json.loads(other.read_text())["entries"] + [json.loads(single.read_text())]
    assert _entries(values) == [_entry(), *now[1:]]
    # Added to what the file holds.
    values.merge, values.benchmark = [], ["indexing"]
    benchmark.main()
    assert _entries(values)[:-1] == [_entry(), *now[1:]]


@pytest.mark.parametrize(
    "content",
    [
        *({"ratio": 2}, [], {"entries": [{"rows": []}]}, {"x": {}}, 5),
        *(_entry(**{name: []}) for name in ("machine", "command", "sizes")),
        *(_entry(**{name: 5}) for name in ("rows", "date", "versions", "not_measured")),
        *(_entry(rows=[{}]), _entry(compared=""), _entry(note="\ud800")),
        _entry("python -m benchmarks.decoder"),
        *({"entries": [_entry()], "not_measured": lines} for lines in (5, [[]], [{}])),
    ],
)
def test_other_files_are_not_merged(program, tmp_path, content):
    values, _ = program
    (tmp_path / "other.json").write_text(json.dumps(content))
    values.merge = [str(tmp_path / "other.json")]
    with pytest.raises(VsaTfError, match="what one benchmark has printed. Received: .*other.json"):
        benchmark.main()


def test_a_benchmark_that_prints_no_entry_is_told_of(program, monkeypatch):
    values, _ = program
    values.benchmark = ["decoding"]
    for printed in ("a table", '{"ratio": 2.0}'):
        done = subprocess.CompletedProcess([], 0, printed)
        monkeypatch.setattr(subprocess, "run", lambda *_, done=done, **__: done)
        with pytest.raises(VsaTfError, match="benchmarks.decoding printed no entry"):
            benchmark.main()


def test_wrong_flags_are_refused_first(program, tmp_path, monkeypatch):
    values, commands = program
    with pytest.raises(VsaTfError, match="Expected suite, benchmark or merge"):
        benchmark.main()
    values.page = str(tmp_path / "page.md")
    with pytest.raises(VsaTfError, match="or page of an output that is there"):
        benchmark.main()
    values.benchmark = ["scorings --num_images=3"]
    with pytest.raises(VsaTfError, match="Expected a benchmark, one of accel.*: 'scorings'"):
        benchmark.main()
    values.benchmark, values.page = ["scoring"], str(tmp_path / "missing" / "page.md")
    with pytest.raises(VsaTfError, match="page=.*: there is no such directory"):
        benchmark.main()
    values.page, values.output = None, str(tmp_path / "missing" / "results.json")
    with pytest.raises(VsaTfError, match="output=.*: there is no such directory"):
        benchmark.main()
    values.output = ""
    with pytest.raises(VsaTfError, match="^output is missing"):
        benchmark.main()
    values.output = str(tmp_path / "results.json")
    monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VsaTfError, match="run this program in the checkout's directory"):
        benchmark.main()
    assert not commands


def test_a_table_has_the_rows_of_all_entries_and_its_commands_what_is_unusual():
    entries = [
        _entry(rows=[{"way": "ours", "ms": 2.0, "each": [1, 3]}], sizes={"num_images": 1000}),
        _entry("python -m benchmarks.decoding --beam_size=3", rows=[{"way": "a|b", "mib": 1e3}]),
        _entry("python -m benchmarks.indexing", "2026-01-03", "GPU", cores_of_others=1.23),
    ]
    entries[1] |= {"sizes": {"num_images": 1000, "beam_size": 3}, "note": "again"}
    entries[1]["versions"] = {"python": "3.12.0"}
    page = benchmark.page_text(
        {"entries": entries, "not_measured": ["A TPU."]}, _PAGE.parents[1] / "benchmarks"
    )
    assert "on one, 8 GiB, 2 cores, Python 3.11.1, TensorFlow 2.20.0, 2026-01-02." in " ".join(
        page.split()
    )
    assert (
        "| way | ms | mib |\n| --- | --- | --- |\n| ours | 2 |  |\n| a\\|b |  | 1,000 |\n\n"
        "Sizes: images 1,000.\n\n```\npython -m benchmarks.decoding\n"
        "# Python 3.12.0, again\npython -m benchmarks.decoding --beam_size=3\n```\n"
    ) in page
    assert "# GPU, 2026-01-03, beside other programs (1.2 cores)\npython -m benchmarks.ind" in page
    unmeasured = page.partition("## Not measured")[2]
    assert "`benchmarks.accelerator`" in unmeasured and "* A TPU.\n" in unmeasured
    assert "`benchmarks.decoding`" not in unmeasured
    assert page.count("None has been [measured yet](#not-measured).") == 7


def test_the_page_is_what_the_program_writes(program, tmp_path):
    values, _ = program
    values.output, values.page = str(_RESULTS), str(tmp_path / "page.md")
    benchmark.main()
    written = (tmp_path / "page.md").read_text("utf-8")
    assert _PAGE.read_text("utf-8") == written, f"python -m vsa_tf.benchmark --page={_PAGE.name}"


def test_docs_keep_no_path_of_a_machine():
    assert not re.search(r"[=\"' ](/|~)\w", _RESULTS.read_text("utf-8"))


class _Parser(Exception):
    """Carries the parser of a benchmark to who asked for it."""


def _parser(name, monkeypatch):
    def carry(parser, *_):
        raise _Parser(parser)

    monkeypatch.setattr(benchmark_parser.BenchmarkParser, "parse_args", carry)
    with pytest.raises(_Parser) as raised:
        importlib.import_module(f"benchmarks.{name}").main()
    return raised.value.args[0]


def test_commands_of_the_page_are_of_programs_and_flags_that_there_are(monkeypatch):
    sources = "".join(
        path.read_text("utf-8") for folder in PACKAGES for path in (ROOT / folder).rglob("*.py")
    )
    commands = re.findall(r"^(?:\w+=\S+ )*python -m (.+)", _PAGE.read_text("utf-8"), re.M)
    programs = [line for line in commands if line.startswith("benchmarks.")]
    assert len(programs) > 15
    for line in programs:
        module, *given = shlex.split(line)
        parser = _parser(module.partition(".")[2], monkeypatch)
        with monkeypatch.context() as patch:  # a wrong flag ends the program
            patch.setattr(
                parser, "error", lambda message, line=line: pytest.fail(f"{line}: {message}")
            )
            argparse.ArgumentParser.parse_args(parser, given)
    for line in (line for line in commands if line.startswith(PACKAGES)):
        module, *given = shlex.split(line)
        assert ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file(), line
        for name in (each.partition("=")[0].lstrip("-") for each in given):
            assert name == "flagfile" or re.search(rf'"{name}"|^    {name}: ', sources, re.M), line


def test_every_benchmark_is_on_the_page_or_in_the_results():
    programs = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if '__name__ == "__main__"' in path.read_text("utf-8")
    }
    results = (ROOT / "docs" / "results.md").read_text("utf-8")
    others = {name for name in programs if f"-m benchmarks.{name}" in results}
    assert benchmark._BENCHMARKS | others == programs
    page = _PAGE.read_text("utf-8")
    assert [name for name in benchmark._BENCHMARKS if f"benchmarks.{name}" not in page] == []


@pytest.mark.parametrize("name", _SMALL)
def test_a_benchmark_prints_an_entry(name, monkeypatch, capsys):
    path = ROOT / "benchmarks" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *_SMALL[name]])
    importlib.import_module(f"benchmarks.{name}").main()
    entry = json.loads(capsys.readouterr().out)
    assert entry["command"].endswith(f"python -m benchmarks.{name} {' '.join(_SMALL[name])}")
    (flag, size) = _SMALL[name][0].lstrip("-").split("=")
    assert entry["sizes"][flag] == int(size) and entry["machine"]["cores"] >= 1
    assert {"python", "keras", "numpy"} <= set(entry["versions"])
    figures = [value for row in entry["rows"] for value in row.values() if type(value) is not str]
    assert figures and all(isinstance(value, int | float) for value in figures)
    page = benchmark.page_text({"entries": [entry], "not_measured": []}, path.parent)
    assert page.count("### ") == 1 and f"\n{entry['command']}\n```" in page


def test_paths_of_a_command_are_names_of_flags(tmp_path, monkeypatch):
    given = ["a/b/search.py", "--index_dir", str(tmp_path), "--width=4", f"--directory={tmp_path}"]
    monkeypatch.setattr(sys, "argv", given)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    entry = benchmark_parser.make_entry("one / two", [{"x": 1}], {"width": 4, "seed": 0, "a": "b"})
    assert entry["command"] == (
        "OPENBLAS_NUM_THREADS=1 python -m benchmarks.search --index_dir=INDEX_DIR --width=4 "
        "--directory=DIRECTORY"
    )
    assert entry["sizes"] == {"width": 4} and benchmark._is_entry(entry)


def test_cores_of_other_programs_are_those_that_were_not_ours(monkeypatch):
    monkeypatch.setattr(benchmark_parser, "_START", time.monotonic() - 10)
    monkeypatch.setattr(benchmark_parser, "_PROCESSOR_SECONDS", (100.0, 1.0))
    monkeypatch.setattr(benchmark_parser, "_processor_seconds", lambda: (118.0, 4.0))
    entry = benchmark_parser.make_entry("one / two", [], {})
    # Of 18 seconds 3 were ours, in 10.
    assert entry["cores_of_others"] == pytest.approx(1.5, abs=0.01)


def test_processor_seconds_of_all_programs_have_ours_among_them():
    path = pathlib.Path("/proc/stat")
    if not path.exists() or not any(map(int, path.read_text("ascii").split("\n")[0].split()[1:])):
        pytest.skip("the system does not tell what all programs have computed")
    all_programs, own = benchmark_parser._processor_seconds()
    assert all_programs >= own > 0


def test_steps_are_compared_by_the_medians_of_runs_in_turns(monkeypatch):
    steps = importlib.import_module("benchmarks.training_steps")
    seconds, order = {"ours": 2, "theirs": 4}, []

    def step(name):
        order.append(name)
        return 1.0

    clock = types.SimpleNamespace()
    clock.perf_counter = clock.process_time = lambda: float(sum(map(seconds.get, order)))
    monkeypatch.setattr(steps, "time", clock)
    of_each = {name: functools.partial(step, name) for name in seconds}
    rows, details = steps.compare_steps(of_each, "theirs", 1e-3, 1, 1, 2)
    assert rows == [
        {
            **{"step": "ours", "ms": 2000, "theirs_ms": 4000, "ratio": 0.5},
            **{"processor_ms": 2000, "theirs_processor_ms": 4000, "processor_ratio": 0.5},
        }
    ]
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]
    assert details["first_losses"] == {"ours": [1.0], "theirs": [1.0]}


def test_serving_has_a_row_of_each_way_and_number_of_clients(monkeypatch):
    serving = importlib.import_module("benchmarks.serving")
    monkeypatch.setattr(serving, "_check_answers", lambda *_: None)
    asked = []

    def calls(way, _server, _loaded, _name, _inputs, num_clients):
        return [lambda: asked.append((way, num_clients))] * num_clients

    monkeypatch.setattr(serving, "_calls", calls)
    flags = types.SimpleNamespace(requests=16, repeats=2)
    rows = serving._measure(flags, None, None, "align", None)
    assert [(row["clients"], row["way"]) for row in rows] == [
        (clients, way) for clients in (1, 4, 16) for way in ("direct", "rest", "grpc")
    ]
    assert all(asked.count((row["way"], row["clients"])) == 16 * 3 for row in rows)
    assert all(row["requests_per_second"] > 0 and row["signature"] == "align" for row in rows)
