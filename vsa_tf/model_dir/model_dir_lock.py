"""One run at a time in a model directory."""

import contextlib
import fcntl

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
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProgramError(
                f"Another run is training in {model_dir}. Wait for it, or give another --model_dir"
            ) from None
        except OSError:
            pass  # some network file systems have no locks
        try:
            yield
        finally:
            (model_dir / _LOCK).unlink(missing_ok=True)
