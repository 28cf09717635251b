"""Files that are whole or absent, locks, JSON with a checksum, named arrays, and tables."""

import contextlib
import csv
import fcntl
import glob
import hashlib
import io
import json
import os
import pathlib
import re
import shutil

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import read_arrays_of, read_json, told_as

# Of an export: what it is, with the checksums of its files.
MODEL_CARD = "model_card.json"
_KIND = "kind"
_SEALED_BY, _CHECKSUM, _CHECKSUM_LENGTH = "sealed_by", "content_sha256", 64
# Halves of characters: names of files that are not UTF-8 have them, and UTF-8 cannot.
_HALF = re.compile("[\ud800-\udfff]")


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


def file_sha256(path):
    """Returns the SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


@contextlib.contextmanager
def partial_directory(directory, name):
    """Makes a directory to be written and then renamed: others never see half of it.

    What is not renamed is removed, be it by a failure now, or left by a killed run: these are free
    of their lock.

    Args:
        directory: that it is made in, a `pathlib.Path`.
        name: of what it will be, for the hidden name.

    Yields:
        The `pathlib.Path` of an empty directory.
    """
    for left in directory.glob(f".{glob.escape(name)}.*.partial"):
        _remove_unlocked(left)
    path = directory / f".{name}.{os.getpid()}.partial"
    path.mkdir()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        lock_file(descriptor, BlockingIOError(f"another run writes {path}"))
        yield path
    finally:
        os.close(descriptor)
        shutil.rmtree(path, ignore_errors=True)


def rename_to_free(path, targets):
    """Renames a directory to the first name that is free, and returns that.

    Args:
        path: a `pathlib.Path`.
        targets: iterable of `pathlib.Path`; those that are there, or that another run makes in
            between, are passed over.
    """
    for target in targets:
        if not target.exists():
            try:
                return path.rename(target)
            except OSError:
                if not target.exists():
                    raise


def _remove_unlocked(path):
    with contextlib.suppress(OSError):  # gone, or another run writes it
        descriptor = os.open(path, os.O_RDONLY)
        try:
            lock_file(descriptor, BlockingIOError())
            shutil.rmtree(path)
        finally:
            os.close(descriptor)


def json_text(value, indent=None):
    """Returns a value as JSON whose letters are themselves, not escapes: to be kept in UTF-8.

    Example:

    >>> print(json_text({"image": "läuft.jpg"}))
    {"image": "läuft.jpg"}
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _HALF.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_json(path, value):
    """Writes a value as JSON in UTF-8, for people to read; the file is never half-written.

    Raises:
        OSError: when it cannot be written.
    """
    write_atomically(path, (json_text(value, indent=2) + "\n").encode())


def sealed(values):
    """Returns a dict for JSON with a checksum of its content, which `unsealed` looks at.

    The first entry says that there is one, so that damage to the last is seen.
    """
    return {_SEALED_BY: _CHECKSUM, **values, _CHECKSUM: _checksum(values)}


def read_sealed(path):
    """Returns the dict that a JSON file keeps; raises as `read_json` and `unsealed`."""
    return unsealed(read_json(path), path)


def unsealed(values, path):
    """Returns a dict that JSON has kept without its checksum; an older one has none.

    Args:
        values: what the JSON holds.
        path: of the file, for the message.

    Raises:
        VsaTfError: it is no dict, or another one than was written.
    """
    if not isinstance(values, dict):
        raise VsaTfError(f"Expected a JSON object in {path}. Received: a {type(values).__name__}")
    values = dict(values)
    last = next(reversed(values.values()), "")
    # Whatever damage has made of its name.
    is_sealed = isinstance(last, str) and len(last) == _CHECKSUM_LENGTH
    is_sealed |= not values.keys().isdisjoint((_SEALED_BY, _CHECKSUM))
    values.pop(_SEALED_BY, None)
    if values.pop(_CHECKSUM, None) != _checksum(values) and is_sealed:
        raise VsaTfError(
            f"{path} is damaged: its content does not fit its checksum. Restore the file, or, if "
            f"you have changed it yourself, remove the entries {_SEALED_BY} and {_CHECKSUM}"
        )
    return values


def _checksum(values):
    # As it will be read: keys are strings.
    text = json.dumps(json.loads(json.dumps(values)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_checksums(folder, left_out=""):
    """Returns a dict of the files of a folder, as `check_file` takes their names, to checksums.

    Args:
        folder: pathlib.Path; its files of now, and of the folders in it.
        left_out: name of a folder in it whose files may be others later.
    """
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        name.as_posix(): file_sha256(path)
        for name, path in paths.items()
        if path.is_file() and name.parts[0] != left_out
    }


def check_file(folder, name, checksum):
    """Refuses a file of a folder that is missing or another than its checksum was taken of.

    Args:
        folder: pathlib.Path.
        name: of the file, as the file that keeps the checksum has it, whoever wrote that.
        checksum: its SHA-256, hexadecimal.

    Raises:
        OSError: it cannot be read.
        ValueError: it is missing, another, or outside the folder.
    """
    place = pathlib.PurePath(name)
    if place.is_absolute() or ".." in place.parts:
        raise ValueError(f"{name} names a file outside")
    if not (folder / place).is_file():
        raise ValueError(f"{name} is missing")
    if file_sha256(folder / place) != checksum:
        raise ValueError(f"{name} does not fit its checksum")


def check_files(folder, manifest):
    """Refuses a folder of which a file is missing or another than when it was written.

    Args:
        folder: pathlib.Path.
        manifest: name of the sealed file in it that keeps `file_checksums` as `files`; where there
            is none, or it has none, as older ones, nothing is refused.

    Raises:
        VsaTfError: names the file.
    """
    try:
        files = read_sealed(folder / manifest).get("files", {})
    except FileNotFoundError:
        return
    with told_as(f"{folder} is damaged", ". Copy or export the model again", (OSError,)):
        for name, checksum in files.items():
            check_file(folder, name, checksum)


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
    arrays = read_arrays_of(path)
    del arrays[_KIND]
    return arrays


def array_kind(path):
    """Returns the kind of a file that `write_arrays` wrote; errors as `read_arrays`."""
    try:
        kind = read_arrays_of(path, [_KIND])[_KIND]
        if kind.shape or kind.dtype.kind != "U":
            raise VsaTfError("its kind is no text")
        return str(kind)
    except VsaTfError as error:
        raise VsaTfError(
            f"Expected a file of arrays that this project wrote. Received: {path}: {error}"
        ) from None


def table_bytes(columns, kind):
    """Returns a table as the bytes of a file.

    Args:
        columns: dict of name to a list of str or numbers, all of one length.
        kind: `csv`, or `parquet`, which needs pyarrow.
    """
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(pyarrow.table(columns), sink)
        return sink.getvalue().to_pybytes()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))
    return text.getvalue().encode()


def read_table(path, numbers):
    """Reads a table that `table_bytes` made, a dict of name to list.

    Args:
        path: pathlib.Path, of the ending `.parquet` or `.csv`.
        numbers: dict of each column of numbers to their type, `int` or `float`.

    Raises:
        VsaTfError: Parquet needs pyarrow.
    """
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise VsaTfError(f"{path} needs pyarrow: pip install 'vsa_tf[parquet]'") from error
        return pyarrow.parquet.read_table(path).to_pydict()
    with open(path, encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    columns = dict(zip(names, map(list, zip(*rows))))
    return columns | {
        name: list(map(numbers[name], columns[name])) for name in columns if name in numbers
    }


def csv_fields(line, delimiter):
    """Returns the fields of a line of a table, none where its quotes do not close."""
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def csv_header(line, usual, columns):
    """Finds by what the fields of a table are separated: by its first line, tabs or semicolons too.

    Args:
        line: the first that is not blank.
        usual: the separator that is tried first, and taken where none gives a header.
        columns: called with a list of fields; what it finds, nothing where they name no columns.

    Returns:
        `(separator, what columns found)`; None in its place where there is no header.

    Example:

    >>> csv_header("id; text", ",", lambda fields: fields if "text" in fields else None)
    (';', ['id', 'text'])
    """
    found = ((mark, columns(csv_fields(line, mark))) for mark in (usual, "\t", ";"))
    return next((pair for pair in found if pair[1]), (usual, None))
