"""The command line of a benchmark, and the one JSON object that it prints: an entry.

`vsa_tf.benchmark` keeps entries in docs/benchmarks.json and writes docs/benchmarks.md from them.
What an entry's tables compare, and how they are read, the page takes from the benchmark's
docstring: its first line, and the paragraphs before its first command.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import time

# What is a part of the command if it is set.
_VARIABLES = ("KERAS_BACKEND", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PACKAGES, _IF_LOADED = ("tensorflow", "keras", "numpy"), ("jax", "torch")


class BenchmarkParser(argparse.ArgumentParser):
    """Prints a benchmark's docstring for --help; a wrong flag is one line and exit 1."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self._least = {}

    def add_integers(self, *flags, may_be_zero=()):
        """Adds flags of whole numbers; `parse_args` refuses those below 1.

        Args:
            flags: name, default and meaning of each.
            may_be_zero: names of those that may be 0, as `seed` always may.
        """
        for name, default, meaning in flags:
            self.add_argument(
                f"--{name}", type=int, default=default, help=f"{meaning} (default {default})"
            )
            self._least[name] = 0 if name in ("seed", *may_be_zero) else 1

    def parse_args(self, args=None, namespace=None):
        flags = super().parse_args(args, namespace)
        for name, least in self._least.items():
            value = getattr(flags, name)
            if value < least:
                self.error(f"expected --{name} of {least} or more, received {value}")
        return flags

    def error(self, message):
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(1)


def make_entry(compared, rows, sizes, device=None, **details):
    """Returns what a benchmark found, when it has found it.

    Args:
        compared: what is set beside what, a heading of the table.
        rows: list of dict, the figures, with units in their names. Rows whose first names are equal
            are one table; lists and dicts in them are kept, but not shown.
        sizes: dict, or the flags, of which those that are numbers are kept.
        device: name of the accelerator; None: the processor alone.
        details: what else is kept, and not shown.

    Returns:
        A dict for JSON, with the command, in which a path is its flag's name, the day (UTC), the
        seconds since the start, the load before it, the cores that other programs kept busy
        meanwhile (None where the system does not tell), the machine, and versions.
    """
    seconds = time.monotonic() - _START
    all_programs, own = (now - then for now, then in zip(_processor_seconds(), _PROCESSOR_SECONDS))
    numbers = sizes if isinstance(sizes, dict) else vars(sizes)
    return {
        "command": _command(sys.argv),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seconds": round(seconds, 1),
        "load": round(_LOAD, 1),
        "cores_of_others": round(max(all_programs - own, 0) / seconds, 2) if all_programs else None,
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
            **({"device": device} if device else {}),
        },
        "versions": _versions(),
        "compared": compared,
        "rows": rows,
        "sizes": {
            name: value
            for name, value in numbers.items()
            if name != "seed" and isinstance(value, int | float) and not isinstance(value, bool)
        },
        **details,
    }


def print_entry(compared, rows, sizes, **details):
    """Prints an entry, one JSON object; arguments as of `make_entry`."""
    print(json.dumps(make_entry(compared, rows, sizes, **details)))


def _command(arguments):
    """Returns the command line that a program was called with, paths by the names of flags."""
    words = []
    for argument in arguments[1:]:
        if words and not argument.startswith("-") and "=" not in words[-1]:
            words[-1] += f"={argument}"
        else:
            words.append(argument)
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if value and (os.path.isabs(value) or os.path.exists(value)):
            words[position] = f"{name}={name.strip('-').upper()}"
    variables = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    return " ".join([*variables, f"python -m benchmarks.{pathlib.Path(arguments[0]).stem}", *words])


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.partition(":")[2] for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return models[0].strip() if models else platform.processor() or platform.machine()


def _versions():
    versions = {"python": platform.python_version()}
    for name in (*_PACKAGES, *_IF_LOADED):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is None and name in _PACKAGES:
            try:  # it is the processes of the benchmark that load it
                version = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        if version:
            versions[name] = version
    return versions


def _processor_seconds():
    """Returns what all programs, and this one with its ended children, have computed."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, *interrupts = map(int, file.readline().split()[1:9])
    except OSError:
        return 0.0, 0.0
    ticks = user + nice + system + sum(interrupts)
    return ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


_START, _LOAD, _PROCESSOR_SECONDS = time.monotonic(), os.getloadavg()[0], _processor_seconds()
