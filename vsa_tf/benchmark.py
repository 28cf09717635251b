"""Runs the benchmarks of the checkout, keeps what they measure, and writes the page of it.

    python -m vsa_tf.benchmark --suite=train|write|input|text|decode|retrieve|all --output=FILE.json
    python -m vsa_tf.benchmark --benchmark="search --num_vectors=10000" --output=FILE.json
    python -m vsa_tf.benchmark --merge=FILE --output=docs/benchmarks.json --page=docs/benchmarks.md

`train` is training steps of every model, against PyTorch's where it is installed and else the
plain graph against XLA, and scores in blocks; `write` makes records; `input` feeds a training step;
`text` fits principal components; `decode` writes captions greedily and by beams; `retrieve` scores
images against sentences, searches an index and reranks captions. What needs files or devices of
yours is named by `--benchmark`, with its flags. Leave the machine alone meanwhile.

FILE.json holds an entry for each command and kind of machine: what is measured again replaces what
was there. `--merge` adds the entries of another such file, or what one benchmark has printed, be it
on another machine. `--page` writes all entries as Markdown, and what has not been measured.
"""

import ast
import collections
import importlib.util
import itertools
import json
import pathlib
import re
import shlex
import subprocess
import sys

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.file_reading import read_json, told_as
from vsa_tf.files import write_atomically, write_json
from vsa_tf.models.model_table import MODELS

# Of each heading of the page: its title, and its benchmarks with the flags of each run of a suite.
_SUBJECTS = {
    "train": (
        "Training steps",
        {
            "torch_comparison": [f"--model={model}" for model in MODELS],
            "score_blocks": ["", "--batch_size=1024 --peak"],
        },
    ),
    "accelerator": ("Accelerators", {"accelerator": []}),
    "write": (
        "Writing records",
        {"record_writing": [""], "detector_features": ["", "--compare=pooling"]},
    ),
    "input": ("Input", {"input_pipeline": [""]}),
    "text": ("Sentence features", {"text_features": [], "principal_components": [""]}),
    "decode": ("Decoding", {"decoding": [""]}),
    "retrieve": (
        "Scoring and search",
        {"scoring": [""], "consensus_reranking": [""], "search": [""]},
    ),
    "serve": ("Serving and indexing", {"serving": [], "indexing": []}),
    "start": ("Programs", {"program_start": []}),
}
_BENCHMARKS = {name for _, benchmarks in _SUBJECTS.values() for name in benchmarks}
_SUITES = {
    suite: [f"{name} {given}".strip() for name, runs in benchmarks.items() for given in runs]
    for suite, (_, benchmarks) in _SUBJECTS.items()
    if any(benchmarks.values())
}
_WITH_TORCH = ("torch_comparison", "scoring")
_NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX", "numpy": "NumPy"}
# Cores that other programs kept busy, from which a figure is told to be beside them.
_BUSY = 0.2
_INTRODUCTION = """\
# Benchmarks

Speed and memory, each figure with its command; quality is in [results.md](results.md). This page is
written from docs/benchmarks.json by `python -m vsa_tf.benchmark --output=docs/benchmarks.json
--page=docs/benchmarks.md`, what is said about a table by the benchmark itself. A ratio is of two
things measured in one run, in turns. The benchmarks are a part of the checkout, not of the
installed package; this runs those of a suite, with their own sizes:

```
python -m vsa_tf.benchmark --suite={suites} --output=FILE.json
```

Commands stand in the order of their rows, their paths as names of flags. *By hand* is a figure from
before this page was written by a program. Unless the line above a command says otherwise, it was
measured on {usual}.
"""


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_enum("suite", None, [*_SUITES, "all"], "What is measured.")
    flags.DEFINE_multi_string(
        "benchmark", [], "A benchmark and its flags, such as `scoring --num_images=10`; repeatable."
    )
    flags.DEFINE_multi_string("merge", [], "File of entries to be added; repeatable.")
    flags.DEFINE_string("output", None, "File of the results, JSON.")
    flags.DEFINE_string("page", None, "Markdown file that all results are written to.")
    flags.DEFINE_string(
        "torch_path", None, "A folder to import PyTorch from, if it is not installed."
    )


def main():
    values = flags.FLAGS
    check_given(values, output="the file of the results")
    for name in ("output", "page"):
        path = getattr(values, name)
        if path and not pathlib.Path(path).absolute().parent.is_dir():
            raise VsaTfError(f"--{name}={path}: there is no such directory")
    runs = _runs(values)
    there = pathlib.Path(values.output).exists()
    if not (runs or values.merge or (values.page and there)):
        raise VsaTfError(
            "Expected --suite, --benchmark or --merge, or --page of an --output that is there"
        )
    spec = importlib.util.find_spec("benchmarks.scoring")
    if not spec:
        raise VsaTfError(
            "The benchmarks are a part of the checkout, not of the installed package: run this "
            "program in the checkout's directory"
        )
    results = read_results(values.output) if there else {"entries": [], "not_measured": []}
    for path in values.merge:
        results = _joined(results, **read_results(path))
        write_json(values.output, results)
    for number, run in enumerate(runs, 1):
        program.print_note(f"{number} of {len(runs)}: {run}")
        results = _joined(results, [_run(run, values.torch_path)])
        # After each: what an interruption or a failure leaves is measured.
        write_json(values.output, results)
    if values.page:
        text = page_text(results, pathlib.Path(spec.origin).parent)
        write_atomically(values.page, text.encode())


def _runs(values):
    """Returns what is to be run, benchmarks with their flags."""
    runs = [run for suite, its in _SUITES.items() if values.suite in (suite, "all") for run in its]
    for given in values.benchmark:
        name = given.partition(" ")[0]
        if name not in _BENCHMARKS:
            raise VsaTfError(
                f"Expected a benchmark, one of {', '.join(sorted(_BENCHMARKS))}. Received: {name!r}"
            )
        runs.append(given)
    return runs


def read_results(path):
    """Returns what a file of results holds, or one benchmark has printed.

    Returns:
        A dict of `entries`, as `benchmarks.benchmark_parser` makes them, by hand with a `note` and
        the `subject` of what is no benchmark, and `not_measured`, a list of lines.

    Raises:
        VsaTfError: it holds something else.
    """
    results = read_json(path)
    with told_as(
        f"Expected results of vsa_tf.benchmark, or what one benchmark has printed. Received: {path}"
    ):
        results = {"entries": [results]} if _is_entry(results) else results
        if not isinstance(results, dict) or "entries" not in results:
            raise ValueError("neither entries nor what a benchmark prints of itself")
        entries = [*results["entries"]]
        if not all(map(_is_entry, entries)):
            raise ValueError("an entry is not as benchmarks print it")
        names = {_benchmark(entry) for entry in entries if "subject" not in entry}
        if unknown := names - _BENCHMARKS:
            raise ValueError(f"no benchmark {', '.join(map(repr, sorted(unknown)))}")
        results = {"entries": entries, "not_measured": [*results.get("not_measured", [])]}
        # What cannot be joined or shown is refused before anything is measured.
        page_text(_joined(results, entries)).encode()
    return results


def _is_entry(value):
    return (
        isinstance(value, dict)
        and value.keys() >= {"command", "date", "machine", "compared", "rows"}
        and isinstance(value["machine"], dict)
        and value["machine"].keys() >= {"processor", "cores", "memory_gib"}
    )


def _joined(results, entries, not_measured=()):
    """Returns results with further entries; those of the same command and machine are replaced."""
    of_key = {_key(entry): entry for entry in (*results["entries"], *entries)}
    lines = dict.fromkeys((*results["not_measured"], *not_measured))
    return {"entries": list(of_key.values()), "not_measured": list(lines)}


def _key(entry):
    machine = (entry["machine"].get(name) for name in ("processor", "cores", "device"))
    return entry["command"], entry["compared"], *machine


def _run(run, torch_path):
    """Runs a benchmark; returns the entry that it prints."""
    name, *given = shlex.split(run)
    command = ["-m", f"benchmarks.{name}", *given]
    if torch_path and name in _WITH_TORCH and "--compare" not in run:
        command.append(f"--torch_path={torch_path}")
    elif name == "torch_comparison" and not (given[1:] or importlib.util.find_spec("torch")):
        command.append("--compare=jit")  # of a suite
    process = subprocess.run(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, check=False
    )
    line = f"python {shlex.join(command)}"
    if process.returncode:
        raise VsaTfError(f"{line} failed; its message is above")
    try:
        entry = json.loads(process.stdout)
    except ValueError:
        entry = None
    if not _is_entry(entry):
        raise VsaTfError(f"{line} printed no entry; give what it writes by --merge")
    return entry


def page_text(results, directory=None):
    """Returns the page of some results, Markdown.

    Args:
        results: as `read_results` returns them.
        directory: of the benchmarks, whose docstrings say what is compared; None: nothing does.
    """
    entries, missing = results["entries"], []
    usual = _usual(entries)
    lines = [
        _INTRODUCTION.format(
            suites="|".join([*_SUITES, "all"]), usual=", ".join(filter(None, usual.values()))
        )
    ]
    for key, (subject, benchmarks) in _SUBJECTS.items():
        lines.append(f"## {subject}\n")
        for name in benchmarks:
            title, text = _said(directory / f"{name}.py") if directory else (name, "")
            if own := [entry for entry in entries if _benchmark(entry) == name]:
                lines += [f"### {title}\n", text, *_tables(own, usual, "**{}**\n")]
            else:
                missing.append(f"`benchmarks.{name}`: {title[0].lower()}{title[1:]}.")
        own = [entry for entry in entries if entry.get("subject") == key]
        lines += _tables(own, usual, "### {}\n")
        if lines[-1].startswith("## "):
            lines.append("None has been [measured yet](#not-measured).\n")
    for entry in entries:
        missing += [f"{each['what']}: {each['why']}." for each in entry.get("not_measured", ())]
    lines.append("## Not measured\n")
    lines += [f"* {line}" for line in (*missing, *results["not_measured"])]
    return "\n".join(lines).rstrip() + "\n"


def _benchmark(entry):
    match = re.search(r"-m benchmarks\.(\w+)", entry["command"])
    return match and match[1]


def _said(path):
    """Returns the first line of a program's docstring, and what stands before its commands."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    title, *paragraphs = docstring.split("\n\n")
    said = itertools.takewhile(lambda each: not each.startswith("    "), paragraphs)
    return title.rstrip("."), "".join(f"{each}\n\n" for each in said).removesuffix("\n")


def _facts(entry):
    """Returns what an entry was measured on, and when: texts by kind."""
    machine = entry["machine"]
    cores, versions = machine["cores"], entry.get("versions", {})
    return {
        "processor": f"{machine['processor']}, {machine['memory_gib']} GiB",
        "cores": f"{cores} core{'s' * (cores != 1)}",
        "device": machine.get("device", ""),
        **{
            name: f"{_NAMES.get(name, name.capitalize())} {version}"
            for name, version in versions.items()
        },
        "date": entry["date"],
    }


def _usual(entries):
    """Returns the facts that most entries have, each for itself: the page names them once."""
    counts = collections.defaultdict(collections.Counter)
    for entry in entries:
        for kind, text in _facts(entry).items():
            counts[kind][text] += 1
    usual = {kind: counter.most_common(1)[0][0] for kind, counter in counts.items()}
    return {**usual, "date": usual.pop("date")} if usual else {}


def _tables(entries, usual, heading):
    """Returns the lines of entries: tables of those that compare the same, and their commands."""
    lines = []
    for compared in dict.fromkeys(entry["compared"] for entry in entries):
        own = [entry for entry in entries if entry["compared"] == compared]
        tables = collections.defaultdict(list)
        for row in (row for entry in own for row in entry["rows"]):
            tables[[*row][0]].append(row)
        lines.append(heading.format(compared[0].upper() + compared[1:]))
        lines += [f"{_table(rows)}\n" for rows in tables.values()]
        lines += _sizes(own)
        lines += ["```", *(line for entry in own for line in _command(entry, usual)), "```\n"]
    return lines


def _table(rows):
    shown = [
        {name: value for name, value in row.items() if not isinstance(value, dict | list)}
        for row in rows
    ]
    names = list(dict.fromkeys(name for row in shown for name in row))
    heads = [
        name.replace("_per_second", "/s").replace("_mib", " MiB").replace("_", " ")
        for name in names
    ]
    table = [heads, ["---"] * len(names)]
    table += [[_cell(row.get(name)) for name in names] for row in shown]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def _cell(value):
    """Returns a value as text: of a fraction three digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")


def _sizes(entries):
    """Returns a line of the sizes that entries share, less those that their commands name."""
    first, *others = (entry.get("sizes", {}) for entry in entries)
    commands = " ".join(entry["command"] for entry in entries)
    shared = [
        f"{name.removeprefix('num_').replace('_', ' ')} {_cell(value)}"
        for name, value in first.items()
        if value and f"--{name}=" not in commands
        if all(other.get(name) == value for other in others)
    ]
    return [f"Sizes: {', '.join(shared)}.\n"] if shared else []


def _command(entry, usual):
    """Returns the lines of a command: what is not as usual about it, and itself."""
    remarks = [text for kind, text in _facts(entry).items() if usual[kind] != text]
    if (entry.get("cores_of_others") or 0) >= _BUSY:
        remarks.append(f"beside other programs ({entry['cores_of_others']:.1f} cores)")
    remarks += [entry["note"]] if entry.get("note") else []
    return [*([f"# {', '.join(filter(None, remarks))}"] if remarks else []), entry["command"]]


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
