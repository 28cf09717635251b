"""Programs in processes of their own, which a process that has loaded modules forks.

To start Python and to load them for each takes five times as long, and ten where they are many.
"""

import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys

from tests.conftest import run_graphs_as_written
from tests.source_imports import ROOT


@functools.cache
def forks_with(*modules):
    """Returns the `Forks` of a process that has loaded modules; it ends with this one."""
    return Forks(modules)


class Forks:
    """Runs one program at a time.

    Args:
        modules: names of what is loaded before. Nothing of it may start threads.
    """

    def __init__(self, modules):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_programs", *modules],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def start(self, *command, outputs, cwd=ROOT, paths=()):
        """Starts `python -m COMMAND`; returns the number of its process.

        Args:
            *command: name of the module and the arguments.
            outputs: paths that standard output and standard error are written to.
            cwd: where it runs.
            paths: of modules, before all others but `cwd`.
        """
        self._process.stdin.write(
            json.dumps([command, str(cwd), list(map(str, paths)), list(map(str, outputs))]).encode()
            + b"\n"
        )
        return int(self._process.stdout.readline())

    def ended_within(self, seconds):
        """Returns whether the program has ended; waits so long."""
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def wait(self):
        """Returns the code that the program ended with, as that of `subprocess` does."""
        return int(self._process.stdout.readline())


def _fork_for_each_line():
    """Runs what each line of standard input orders; prints its process and, then, its code."""
    for name in sys.argv[1:]:
        importlib.import_module(name)
    run_graphs_as_written()
    gc.freeze()
    for line in sys.stdin:
        process = os.fork()
        if not process:
            return _run(*json.loads(line))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _run(command, cwd, paths, outputs):
    signal.alarm(300)
    for number, name in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
    os.chdir(cwd)
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:1] = [cwd, *paths]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _fork_for_each_line()
