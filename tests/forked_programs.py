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
import time

from tests.conftest import collect_garbage_seldom, run_graphs_as_written
from tests.source_imports import ROOT


@functools.cache
def forks_with(*modules, **environment):
    """Returns the `Forks` of a process that has loaded modules; it ends with this one."""
    return Forks(modules, environment)


def tensorflow_forks():
    """Returns the `Forks` of a process that has loaded what most programs import."""
    return forks_with(
        "vsa_tf.inference.local_model",
        "vsa_tf.inference.export_model",
        "vsa_tf.search_index.index_builder",
        "vsa_tf.training.train_model",
        "tfrecords_tools.exporting.export_formats",
        "tfrecords_tools.writer",
    )


def jax_forks():
    """Returns the `Forks` of a process that has loaded training by JAX, on CPUs.

    What a program has compiled, those that run in the same folder need not.
    """
    return forks_with(
        "vsa_tf.training.train_model",
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        JAX_COMPILATION_CACHE_DIR="compiled",
        JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
    )


class Forks:
    """Starts programs, also several at a time.

    Args:
        modules: names of what is loaded before. Nothing of it may start threads.
        environment: dict of further variables.
    """

    def __init__(self, modules, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_programs", *modules],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        # Of programs that have ended, by their processes.
        self._codes = {}

    def start(self, *command, outputs, cwd=ROOT, paths=(), environment=None):
        """Starts `python -m COMMAND`; returns its `ForkedProgram`.

        Args:
            *command: name of the module and the arguments.
            outputs: paths that standard output and standard error are written to.
            cwd: where it runs.
            paths: of modules, before all others but `cwd`.
            environment: dict of further variables, or None.
        """
        order = [command, str(cwd), list(map(str, paths)), list(map(str, outputs)), environment]
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        while (process := self._hear()) is None:
            pass
        return ForkedProgram(self, process, outputs)

    def _hear(self):
        """Returns the process of a program that has started; None where one has ended."""
        process, *code = map(int, self._process.stdout.readline().split())
        if not code:
            # After some ten thousand processes their numbers come again.
            self._codes.pop(process, None)
            return process
        self._codes[process] = code[0]
        return None

    def code_of(self, process, seconds=None):
        """Returns the code of a process; None where it has not ended within so many seconds."""
        end = None if seconds is None else time.monotonic() + seconds
        while process not in self._codes:
            left = end and max(0.0, end - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            self._hear()
        return self._codes[process]


class ForkedProgram:
    """A program that `Forks` started.

    Attributes:
        process: the number of its process.
        outputs: paths of its standard output and standard error.
    """

    def __init__(self, forks, process, outputs):
        self._forks, self.process, self.outputs = forks, process, outputs

    def ended_within(self, seconds):
        """Returns whether the program has ended; waits so long."""
        return self._forks.code_of(self.process, seconds) is not None

    def wait(self):
        """Returns the code that the program ended with, as that of `subprocess` does."""
        return self._forks.code_of(self.process)

    def kill(self):
        """Kills it, and waits for its end."""
        os.kill(self.process, signal.SIGKILL)
        self.wait()


def _fork_for_each_line():
    """Runs what each line of standard input orders; prints its process and, then, its code too."""
    gc.disable()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    run_graphs_as_written()
    collect_garbage_seldom()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for the codes of those below
    for line in sys.stdin:
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # One waits for each program: several run at a time.
            process = os.fork()
            if not process:
                return _run(*json.loads(line))
            _say(process)
            _say(process, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            os._exit(0)


def _say(*numbers):
    # In one piece, that those of others do not come between.
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, numbers))}\n".encode())


def _run(command, cwd, paths, outputs, environment):
    signal.alarm(900)  # a busy machine takes ten times as long as an idle one
    for number, name in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND), number)
    os.chdir(cwd)
    os.environ.update(environment or {})
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:1] = [cwd, *paths]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _fork_for_each_line()
