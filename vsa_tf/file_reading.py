"""Files that others have written: lines of text, JSON and arrays, each kind read in one place.

What is wrong with a file is one `VsaTfError` that names it, never an error of a parser.
"""

import contextlib
import errno
import io
import json
import math
import os
import pathlib
import pickle
import re
import stat
import sys
import zipfile

import numpy as np

from vsa_tf.errors import VsaTfError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_DIGITS = 18
# What is unpacked beyond this is refused where it is more than so many times what is packed:
# photographs, features and JSON stay below 20, and deflate ends at 1032.
_UNPACKED_BYTES, _UNPACKED_TIMES = 64 << 20, 100
# The types of numbers and texts of arrays in a pickle; objects are `O8`.
_PLAIN_DTYPE = re.compile(r"[biufSU][1-9]\d{0,8}")
# What Python raises where a value that was parsed is not of the form, size or depth expected.
NOT_AS_EXPECTED = (
    AttributeError,
    LookupError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def decode_text(data):
    """Decodes a text file of captions; one that is not UTF-8 is told by `read_caption`.

    Args:
        data: its bytes.

    Returns:
        A str, line ends as they are, without a byte-order mark. Bytes that are not UTF-8 are
        surrogate escapes (`str.encode("utf-8", "surrogateescape")` gives them back).
    """
    return data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")


def split_lines(data):
    """Splits a text file into lines: at CR, LF and CR LF, and at nothing else.

    Args:
        data: its bytes.

    Returns:
        A list of bytes without line ends and byte-order mark.

    Example:

    >>> split_lines(b"\\xef\\xbb\\xbfa\\x0cdog\\r\\nruns\\rfast\\n")
    [b'a\\x0cdog', b'runs', b'fast']
    """
    # Of bytes; `str.splitlines` knows seven ends more.
    return data.removeprefix(_BYTE_ORDER_MARK).splitlines()


def text_lines(data, name):
    """Splits a text file as `split_lines` does, and decodes it.

    Args:
        data: its bytes.
        name: what messages call it.

    Returns:
        A list of str.

    Raises:
        VsaTfError: a line is not UTF-8; the message has its number.
    """
    lines = (line.decode("utf-8", "surrogateescape") for line in split_lines(data))
    return [_checked(line, number, name) for number, line in enumerate(lines, 1)]


def read_lines(path, strict=True):
    """Reads a text file of any size line by line; lines end as those of `split_lines`.

    Args:
        path: of the file.
        strict: whether a line that is not UTF-8 is refused; else its bytes are surrogate escapes.

    Yields:
        str without line end.

    Raises:
        OSError: the file cannot be read.
        VsaTfError: a line is not UTF-8; the message has its number.
    """
    # Universal newlines are these three.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
        for number, line in enumerate(file, 1):
            line = line.removesuffix("\n")
            yield _checked(line, number, path) if strict else line


def _checked(line, number, name):
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) & 0xFF
        kind = ", as of UTF-16" * line.startswith(("\udcff\udcfe", "\udcfe\udcff"))
        kind += ", as of a zip" * line.startswith("PK\3\4")
        raise VsaTfError(
            f"Expected UTF-8 in {name}. Received: the byte {byte:#04x} in line {number}{kind}. "
            "Save the file as UTF-8"
        ) from None
    return line


def parse_json(data, name, object_hook=None, object_pairs_hook=None):
    """Parses JSON, in UTF-8 with or without byte-order mark.

    Numbers may be infinite or of hundreds of digits, and strings may hold halves of characters:
    who takes a value apart catches `NOT_AS_EXPECTED`.

    Args:
        data: bytes.
        name: what messages call the file.
        object_hook, object_pairs_hook: as of `json.loads`.

    Raises:
        VsaTfError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(data, object_hook=object_hook, object_pairs_hook=object_pairs_hook)
    except RecursionError:
        raise VsaTfError(f"Expected JSON in {name}. Received: one nested too deeply") from None
    except ValueError as error:  # of JSON, of UTF-8, and of numbers of thousands of digits
        raise VsaTfError(
            f"Expected JSON in {name}. Received: a file that does not parse ({error})"
        ) from None


def read_json(path):
    """Returns what a JSON file holds; raises as `parse_json`, and OSError."""
    return parse_json(pathlib.Path(path).read_bytes(), path)


def reason_of(error):
    """Returns in words, on one line, what an error says: of `NOT_AS_EXPECTED`, or of libraries."""
    if isinstance(error, KeyError):
        return f"no entry {error}"
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def told_as(what, then="", also=()):
    """Raises VsaTfError where a value that was parsed is not of the form expected.

    Args:
        what: what is wrong then, such as "a.json is no table"; the reason is added.
        then: what to do, such as ". Restore the file"; a VsaTfError is told so only with it.
        also: further types of errors that are told so.
    """
    try:
        yield
    except (*NOT_AS_EXPECTED, *also) as error:
        if isinstance(error, VsaTfError) and not then:
            raise
        raise VsaTfError(f"{what}: {reason_of(error)}{then}") from error


def swells(packed, unpacked):
    """Whether so few bytes, packed, declare so many that they are there to fill the memory."""
    return unpacked > max(_UNPACKED_BYTES, _UNPACKED_TIMES * packed)


def is_longer(archive, info):
    """Whether a `ZipFile`'s member declares more bytes than the file has: all are allocated."""
    return info.compress_size > archive.start_dir


def is_count(text):
    """Whether a str is a whole number as programs write it.

    Python takes other digits of Unicode for digits, too, and refuses thousands of them.

    Example:

    >>> [is_count(text) for text in ("12", "-1", "", "\u00b2", "9" * 5000)]
    [True, False, False, False, False]
    """
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def open_regular(path):
    """Opens a file to read its bytes, but no pipe or device: these have no end, or wait for one.

    Raises:
        OSError: there is none, or it is no regular file.
    """
    file = open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "is no regular file", os.fspath(path))
    return file


def open_array(path):
    """Maps an array into memory; nothing is allocated, whatever size the file declares.

    Args:
        path: of a .npy file.

    Returns:
        A read-only `np.memmap`, of no objects.

    Raises:
        OSError: the file cannot be read.
        VsaTfError: it is no such file, or shorter than it says.
    """
    with open_regular(path) as file:
        start = file.read(12)
    try:
        # Later versions declare a header of up to 4 GiB; numpy makes room for it.
        if start[6:7] > b"\1" and int.from_bytes(start[8:], "little") > os.path.getsize(path):
            raise ValueError("its header is longer than the file")
        with np.errstate(over="raise"):
            return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # its header is Python text, and leads to whatever Python raises
        raise VsaTfError(
            f"Expected an array in {path}. Received: a file that cannot be read "
            f"({reason_of(error)})"
        ) from None


def read_arrays_of(path, names=None, of_others=0):
    """Reads the arrays of an .npz file that is not compressed, as this project writes them.

    Args:
        path: of the file.
        names: of those that are wanted; None: all.
        of_others: bytes of the largest compressed array of a file of others, of which wanted ones
            may lack; 0: of this project's.

    Returns:
        dict of name to array, read-only, as they were to the last bit.

    Raises:
        OSError: the file cannot be read.
        VsaTfError: it is no such file, holds objects, is damaged or shorter than it says.
    """
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = members if names is None else names
            wanted = [name for name in wanted if name in members or not of_others]
            return {name: _member(archive, members[name], of_others) for name in wanted}
        except Exception as error:  # of zip files, and of headers that are Python text
            raise VsaTfError(
                f"Expected a file of arrays in {path}. Received: one that cannot be read "
                f"({reason_of(error)})"
            ) from None


def _member(archive, info, most_bytes):
    if info.compress_type != zipfile.ZIP_STORED and info.file_size > most_bytes:
        raise ValueError(f"{info.filename} is compressed")
    if is_longer(archive, info):
        raise ValueError(f"{info.filename} is longer than the file")
    # Its checksum is looked at here.
    data = archive.read(info)
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{info.filename} is of another version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    # Refuses objects, and what is no whole number of numbers.
    array = _checked_texts(np.frombuffer(memoryview(data)[file.tell() :], dtype))
    return array.reshape(shape, order="F" if is_fortran else "C")


def _checked_texts(array):
    """Refuses texts of characters that there are not, with which Python itself fails later."""
    if array.dtype.kind == "U" and array.size:
        codes = array.view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise ValueError("it holds characters that there are not")
    return array


def read_objects(path):
    """Reads a `.npy` file of Python's objects, as `numpy.save` writes a list of dicts or a dict.

    Such a file is a pickle, which can call whatever it names. Here a name stands for data, or the
    file is refused: nothing of it, nor of numpy, is called. Files of Python 2 are read, too.

    Args:
        path: of the file.

    Returns:
        What it holds of dicts, lists, tuples, numbers, str and bytes, and of arrays of these: those
        of objects are lists, the others numpy's. A str of Python 2 is one, if it was UTF-8.

    Raises:
        OSError: the file cannot be read.
        VsaTfError: it is no such file, or asks for more than data.
    """
    data = io.BytesIO(pathlib.Path(path).read_bytes())
    try:
        version = np.lib.format.read_magic(data)
        read_header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_header = np.lib.format.read_array_header_2_0
        if not read_header(data)[2].hasobject:
            raise ValueError("an array of numbers")
        # Python 2 has bytes where numpy's state is; latin-1 keeps them.
        return _as_data(_DataUnpickler(data, encoding="latin-1").load(), {})
    except Exception as error:  # whatever numpy's header and bytes that are no pickle lead to
        raise VsaTfError(
            f"Expected dicts, lists, texts and numbers in {path}, saved by numpy. Received: "
            f"{reason_of(error)}"
        ) from None


class _Pickled:
    """What stands for a value of a class; the class itself takes no state."""

    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state


class _PickledBytes(_Pickled):
    """Bytes, as Python 3 writes them for Python 2."""

    def value(self):
        return self.arguments[0].encode("latin-1")


class _PickledDtype(_Pickled):
    def array(self, data):
        """Returns the numbers or texts of bytes, `[n]`."""
        code, order = self.arguments[0], self.state[1] if self.state else "|"
        if not _PLAIN_DTYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of type {order}{code}")
        data = data.value() if isinstance(data, _PickledBytes) else data
        data = data.encode("latin-1") if isinstance(data, str) else data
        return _checked_texts(np.frombuffer(data, order + code))


class _PickledScalar(_Pickled):
    def value(self):
        dtype, data = self.arguments
        return dtype.array(data).item()


class _PickledArray(_Pickled):
    def value(self):
        _, shape, dtype, is_fortran, data = self.state
        if not isinstance(data, list):
            return dtype.array(data).reshape(shape, order="F" if is_fortran else "C")
        if len(shape) > 1 or len(data) != math.prod(shape):
            raise ValueError(f"an array of objects of shape {shape}, {len(data)} of them")
        return data if shape else data[0]


# numpy has moved its modules.
_DATA_NAMES = {
    "numpy.ndarray": None,
    "numpy.dtype": _PickledDtype,
    "numpy.core.multiarray._reconstruct": _PickledArray,
    "numpy._core.multiarray._reconstruct": _PickledArray,
    "numpy.core.multiarray.scalar": _PickledScalar,
    "numpy._core.multiarray.scalar": _PickledScalar,
    "_codecs.encode": _PickledBytes,
}


class _DataUnpickler(pickle._Unpickler):
    """Python's own unpickler in Python: that in C allocates what a damaged file declares."""

    dispatch = {
        code: read
        for code, read in pickle._Unpickler.dispatch.items()
        # Not in files of numpy's, whose protocols are 2 to 4; this one allocates at once, too.
        if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module, name):
        if f"{module}.{name}" not in _DATA_NAMES:
            raise ValueError(f"a pickle that asks for {module}.{name}, which is no data")
        return _DATA_NAMES[f"{module}.{name}"]


def _as_data(value, seen):
    """Returns what was unpickled with values for what stands for them.

    Args:
        value: of the pickle.
        seen: dict of ids to `(value, its data)`: a pickle can hold a list in a thousand places.
    """
    if isinstance(value, str):
        # One of Python 2, or a text of few letters.
        try:
            return value.encode("latin-1").decode()
        except UnicodeError:
            return value
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, (_PickledArray, _PickledScalar, _PickledBytes)):
        data = value.value()
        data = data if isinstance(data, np.ndarray) else _as_data(data, seen)
    elif isinstance(value, dict):
        data = {_as_data(key, seen): _as_data(entry, seen) for key, entry in value.items()}
    elif isinstance(value, (list, tuple)):
        data = type(value)([_as_data(entry, seen) for entry in value])
    elif value is None or isinstance(value, (bool, int, float, bytes)):
        return value
    else:
        raise ValueError(f"a pickle of a {type(value).__name__}")
    seen[id(value)] = value, data
    return data
