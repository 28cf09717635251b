"""Programs in a process of their own, where TensorFlow and Keras cannot be imported."""

import os
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
    paths = os.pathsep.join(map(str, (directory / "without", ROOT, directory)))
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=cwd or directory,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        timeout=60,
    )


def refusal(result):
    """Returns the one line that a program ended with. Asserts that it did so, and how."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
