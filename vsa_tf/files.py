"""Files that are whole or absent, locks, and named arrays in one file."""

import fcntl
import io
import os
import pathlib
import zipfile

import numpy as np

_KIND = "kind"


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


def lock_file(file, refusal):
    """Keeps other runs out until the file is closed, be it by a kill.

    Args:
        file: an open file, or the descriptor of a file or directory.
        refusal: the exception to raise where another run holds the lock.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise refusal from None
    except OSError:
        pass  # some network file systems have no locks


def write_arrays(path, kind, arrays):
    """Writes arrays; the file is never half-written.

    Args:
        path: of the .npz file; one that exists is replaced.
        kind: str; what the arrays are. `read_arrays` asks for it.
        arrays: dict of name to array or number, none of them of objects, none named `kind`.

    Raises:
        OSError: when it cannot be written.
    """
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_KIND: np.array(kind)}, **arrays)
    write_atomically(path, file.getbuffer())


def read_arrays(path, kind):
    """Reads a file that `write_arrays` wrote.

    Args:
        path: of the file.
        kind: the kind that it must be of.

    Returns:
        A dict of name to array, as they were to the last bit; numbers are arrays `[]`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: when it is no such file or of another kind.
    """
    found = array_kind(path)
    if found != kind:
        raise ValueError(f"Expected {path} to hold a {kind}. Received: a {found}")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != _KIND}


def array_kind(path):
    """Returns the kind of a file that `write_arrays` wrote; errors as `read_arrays`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return str(file[_KIND])
    except (ValueError, TypeError, KeyError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a file of arrays that this project wrote. Received: {path}: {error}"
        ) from None
