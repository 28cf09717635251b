"""Runs the benchmarks of the checkout, one after another, and keeps what they measure.

    python -m vsa_tf.benchmark --suite=train|decode|retrieve|input|all --output=FILE.json

`train` is training steps of every model, against PyTorch's where it is installed and else the
plain graph against XLA; `decode` writes captions greedily and by beams;
`retrieve` scores images against sentences, searches an index and reranks captions; `input` feeds a
training step. A speed is a ratio of two things measured in turns: leave the machine alone
meanwhile. Each can be run by itself, with its own sizes: `python -m benchmarks.scoring --help`.
"""

import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

from absl import flags

from vsa_tf import program
from vsa_tf.errors import VsaTfError, check_given
from vsa_tf.files import write_json
from vsa_tf.models.model_table import MODELS

_SUITES = {
    "train": tuple(f"torch_comparison --model={model}" for model in MODELS),
    "decode": ("decoding",),
    "retrieve": ("scoring", "search", "consensus_reranking"),
    "input": ("input_pipeline",),
}
_TRAINING_STEPS = _SUITES["train"]
_WITH_TORCH = (*_TRAINING_STEPS, "scoring")


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_enum("suite", "all", [*_SUITES, "all"], "What is measured.")
    flags.DEFINE_string("output", None, "File of the results, JSON.")
    flags.DEFINE_string(
        "torch_path", None, "A folder to import PyTorch from, if it is not installed."
    )


def main():
    values = flags.FLAGS
    check_given(values, output="the file of the results")
    if not pathlib.Path(values.output).parent.is_dir():
        raise VsaTfError(f"--output={values.output}: there is no such directory")
    if not importlib.util.find_spec("benchmarks.scoring"):
        raise VsaTfError(
            "The benchmarks are a part of the checkout, not of the installed package: run this "
            "program in the checkout's directory"
        )
    names = [name for suite in _SUITES if values.suite in (suite, "all") for name in _SUITES[suite]]
    results = {
        "suite": values.suite,
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "num_cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
        },
        "benchmarks": [],
    }
    for number, name in enumerate(names, 1):
        program.print_note(f"{number} of {len(names)}: {name}")
        results["benchmarks"].append(_run(name, values.torch_path))
        # After each: what an interruption or a failure leaves is measured.
        write_json(values.output, results)


def _run(name, torch_path):
    """Runs one benchmark; returns its command, seconds and result."""
    command = ["-m", *f"benchmarks.{name}".split()]
    if torch_path and name in _WITH_TORCH:
        command.append(f"--torch_path={torch_path}")
    elif name in _TRAINING_STEPS and not importlib.util.find_spec("torch"):
        command.append("--compare=jit")
    start = time.monotonic()
    process = subprocess.run(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, check=False
    )
    if process.returncode:
        raise VsaTfError(f"python {' '.join(command)} failed; its message is above")
    return {
        "command": " ".join(["python", *command]),
        "seconds": round(time.monotonic() - start, 1),
        "result": json.loads(process.stdout),
    }


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
