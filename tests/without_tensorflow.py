"""Programs in a process of their own, where TensorFlow and Keras cannot be imported."""

import subprocess

from tests.forked_programs import forks_with
from tests.source_imports import ROOT

# What most of them need. tests/test_architecture.py starts each without.
_LOADED = ("vsa_tf.inference.image_files", "vsa_tf.inference.model_source", "vsa_tf.settings_flags")


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
    without = directory / "without"
    for name in ("tensorflow", "keras"):
        (without / name).mkdir(parents=True, exist_ok=True)
        (without / name / "__init__.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    outputs = [without / name for name in ("stdout", "stderr")]
    command = [program, *map(str, arguments)]
    paths = without, ROOT, directory
    run = forks_with(*_LOADED).start(*command, outputs=outputs, cwd=cwd or directory, paths=paths)
    return subprocess.CompletedProcess(
        command, run.wait(), *(path.read_text("utf-8") for path in outputs)
    )


def refusal(result):
    """Returns the one line that a program ended with. Asserts that it did so, and how."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
