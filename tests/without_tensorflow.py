"""Programs in a process of their own, where TensorFlow and Keras cannot be imported.

One process has loaded what all of them need and forks for each: to start Python anew, ten times as
slow, is left to tests/test_architecture.py.
"""

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys

from tests.source_imports import ROOT


def run_without_tensorflow(program, *arguments, directory, cwd=None):
    """Runs `python -m PROGRAM ARGUMENTS` where importing either of them fails.

    Args:
        program: name of the module.
        *arguments: of the command line.
        directory: holds what stands for them, and may hold modules.
        cwd: where the program runs; None: in `directory`.

    Returns:
        The `subprocess.CompletedProcess`, its output as text.
    """
    for name in ("tensorflow", "keras"):
        folder = directory / "without" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    command = [program, *map(str, arguments)]
    outputs = [directory / "without" / name for name in ("stdout", "stderr")]
    order = {
        "command": command,
        "cwd": str(cwd or directory),
        "paths": [str(path) for path in (directory / "without", ROOT, directory)],
        "outputs": [str(path) for path in outputs],
    }
    forks = _forks()
    forks.stdin.write(f"{json.dumps(order)}\n")
    forks.stdin.flush()
    code = int(forks.stdout.readline())
    return subprocess.CompletedProcess(command, code, *(path.read_text() for path in outputs))


def refusal(result):
    """Returns the one line that a program ended with. Asserts that it did so, and how."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


@functools.cache
def _forks():
    """The process that forks; it ends with this one."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.without_tensorflow"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _fork_for_each_line():
    """Runs what each line of standard input orders, and prints the code that it ended with."""
    for name in ("inference.image_files", "inference.model_source", "settings_flags"):
        importlib.import_module(f"vsa_tf.{name}")
    assert not {"tensorflow", "keras"} & set(sys.modules)
    gc.freeze()
    for line in sys.stdin:
        process = os.fork()
        if not process:
            return _run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _run(command, cwd, paths, outputs):
    signal.alarm(60)
    for number, name in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(cwd)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:1] = [cwd, *paths]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _fork_for_each_line()
