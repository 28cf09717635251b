"""Directories that are whole or absent."""

import contextlib
import os
import pathlib
import shutil

from vsa_tf.files import lock_file


@contextlib.contextmanager
def whole_directory(path):
    """Gives a directory to fill, which takes its name when all of it is there.

    Until then it lies beside it as `.NAME.partial`; what a killed run left there is removed.

    Args:
        path: the directory; it must not exist, or be empty.

    Yields:
        The `pathlib.Path` to fill.

    Raises:
        FileExistsError: there is something in the directory.
        OSError: when it cannot be made, or another run is making it.
    """
    # Without a trailing slash or dots, which have no name.
    path = pathlib.Path(os.path.abspath(path))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"Expected a directory that is empty or not there. Received: {str(path)!r}"
        )
    partial = path.with_name(f".{path.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        lock_file(descriptor, OSError(f"Another run is writing {str(path)!r}. Wait for it."))
        for left in partial.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield partial
            os.replace(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)
