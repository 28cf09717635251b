"""What a reader of files is to the fuzzer, and what comes of a reading."""

import dataclasses
import json
import linecache
import pathlib
import shutil
import traceback
import warnings
from collections.abc import Callable

_ROOT = pathlib.Path(__file__).parents[2]
SAMPLES = _ROOT / "tests" / "testdata"
OURS = (str(_ROOT / "vsa_tf"), str(_ROOT / "tfrecords_tools"))
# Outcomes that are as they should be, and those that are not.
READ, REFUSED = "read", "refused"
OTHER, FOREIGN, HANG, MEMORY, ENDED = "another result", "foreign error", "hang", "memory", "ended"
OUTCOMES = (READ, REFUSED, OTHER, FOREIGN, HANG, MEMORY, ENDED)
FAULTS = (OTHER, FOREIGN, HANG, MEMORY, ENDED)


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: of the reader.
        write: called with a folder: writes a sound sample there.
        read: called with the folder: reads all of it.
        files: glob patterns of those that are damaged.
        is_checked: whether all that is read lies under checksums: a file that a disk has spoilt
            is refused, or gives what the sound one does.
        is_slow: whether it imports TensorFlow or scikit-learn, or takes long: only the long form
            has it, with a hundredth of the mutations.
    """

    name: str
    write: Callable
    read: Callable
    files: tuple[str, ...] = ("*",)
    is_checked: bool = False
    is_slow: bool = False

    def paths(self, folder):
        """Returns the paths of the files of a sample that are damaged."""
        found = {path for pattern in self.files for path in folder.glob(pattern)}
        # Photographs of samples are a few bytes that no source decodes.
        return sorted(path for path in found if path.is_file() and path.suffix != ".jpg")


def sample(name):
    """Returns what copies a directory of tests/testdata."""
    return lambda folder: shutil.copytree(SAMPLES / name, folder, dirs_exist_ok=True)


def text_files(**contents):
    """Returns what writes files; of their names `__` is the dot."""

    def write(folder):
        for name, content in contents.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name.replace("__", ".")).write_bytes(data)

    return write


def json_files(**contents):
    """Returns what writes JSON, named as those of `text_files`."""
    return text_files(**{name: json.dumps(content) for name, content in contents.items()})


class ForeignError(Exception):
    """An error that this project did not raise, or raised in no words; what it says."""


def outcome(read, expected=None):
    """Reads, and returns what came of it.

    Args:
        read: function without arguments.
        expected: `repr` of what a sound file gives, where nothing else may be read; or None.

    Returns:
        `READ`, `REFUSED` or `OTHER`.

    Raises:
        ForeignError: anything else was raised.
        MemoryError: it was asked for more than there is, whatever was made of that.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of headers that Python 2 wrote
            result = read()
    except Exception as error:
        cause = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                raise MemoryError(_where(error)) from error
            cause = cause.__cause__ or cause.__context__
        if not _is_ours(error):
            raise ForeignError(_where(error)) from error
        return REFUSED
    return READ if expected is None or repr(result) == expected else OTHER


def _is_ours(error):
    """Whether a statement of this project raised it, with a message of one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).strip()
    if (
        isinstance(error, FileNotFoundError | IsADirectoryError | FileExistsError)
        and error.filename
    ):
        return True
    is_raised = frame.filename.startswith(OURS) and line.startswith("raise")
    is_said = len(str(error)) > 20 and "\n" not in str(error).strip()
    return is_raised and isinstance(error, OSError | ValueError) and is_said


def _where(error):
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.startswith(OURS)]
    last = f"{frames[-1].filename}:{frames[-1].lineno}"
    return f"{type(error).__name__} {str(error)[:200]!r} at {last}, of {own[-1] if own else '-'}"
