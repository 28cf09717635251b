"""What a program takes to start and to answer about one photograph, a SavedModel given.

Each is a process of its own, in turns: Python that imports TensorFlow whole; that loads the model,
as programs with `--saved_model` do, which import of TensorFlow what an exported model needs (no
Keras); and the whole program, which answers and ends. Processor seconds are the process's own, user
and system, of all threads; all figures are medians of the runs.

    python -m benchmarks.program_start --saved_model=DIR --image=FILE
    python -m benchmarks.program_start --saved_model=DIR --image=FILE --program=caption
"""

import os
import statistics
import subprocess
import sys
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry

_SENTENCE = "two dogs run on the beach"
# Programs, and what they are asked beside the photograph.
_PROGRAMS = {"align": [f"--sentence={_SENTENCE}"], "caption": []}
_LOAD = "import sys; from vsa_tf.inference.model import open_model; open_model(sys.argv[1])"


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--saved_model", required=True, help="exported model")
    parser.add_argument("--image", required=True, help="a photograph")
    parser.add_argument(
        "--program", choices=tuple(_PROGRAMS), default="align", help="of vsa_tf (default align)"
    )
    parser.add_integers(("repeats", 3, "runs of each"))
    flags = parser.parse_args()
    for path in (flags.saved_model, flags.image):
        if not os.path.exists(path):
            parser.error(f"there is no {path}")
    return flags


def run(arguments):
    """Runs Python with `arguments`; returns processor seconds, seconds and MiB, a dict."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"python {' '.join(arguments)} failed; its message is above")
    return {
        "processor_seconds": usage.ru_utime + usage.ru_stime,
        "seconds": time.perf_counter() - start,
        "memory_mib": usage.ru_maxrss / 1024,  # KiB, on Linux
    }


def measure(flags):
    """Runs all in turns; returns rows of the table."""
    program = f"vsa_tf.{flags.program}"
    asked = [f"--saved_model={flags.saved_model}", *_PROGRAMS[flags.program], flags.image]
    processes = {
        "import tensorflow": ["-c", "import tensorflow"],
        f"the model of `{program}` is loaded": ["-c", _LOAD, flags.saved_model],
        f"`{program}`": ["-m", program, *asked],
    }
    found = {name: [] for name in processes}
    for _ in range(flags.repeats):
        for name, arguments in processes.items():
            found[name].append(run(arguments))
    return [
        {
            "process": name,
            **{key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]},
        }
        for name, runs in found.items()
    ]


def main():
    flags = _flags()
    print_entry("from its start to its end", measure(flags), flags)


if __name__ == "__main__":
    main()
