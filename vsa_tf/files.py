"""Files that are whole or absent."""

import os
import pathlib


def write_atomically(path, content):
    """Replaces a file in one step: a reader, or a run killed at any moment, finds old or new.

    The content goes to another name, is flushed to the disk, and is then renamed.

    Args:
        path: of the file.
        content: bytes.

    Raises:
        OSError: when it cannot be written; the old file is then as it was.
    """
    path = pathlib.Path(path)
    # Two processes never write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
