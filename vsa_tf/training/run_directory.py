"""One run at a time in a model directory."""

import contextlib

from vsa_tf.files import lock_file
from vsa_tf.program import ProgramError

_LOCK = ".lock"


@contextlib.contextmanager
def model_dir_lock(model_dir):
    """Makes a model directory and keeps other runs out; the lock of a killed run is free.

    Args:
        model_dir: pathlib.Path.

    Raises:
        ProgramError: another run is training there.
    """
    model_dir.mkdir(parents=True, exist_ok=True)
    with open(model_dir / _LOCK, "w", encoding="utf-8") as file:
        lock_file(
            file,
            ProgramError(
                f"Another run is training in {model_dir}. Wait for it, or give another --model_dir"
            ),
        )
        try:
            yield
        finally:
            (model_dir / _LOCK).unlink(missing_ok=True)
