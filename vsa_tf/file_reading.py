"""Files that others have written: lines of text, JSON and arrays, each kind read in one place.

What is wrong with a file is one `VsaTfError` that names it, never an error of a parser.
"""

import contextlib
import errno
import io
import json
import os
import pathlib
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
    array = checked_texts(np.frombuffer(memoryview(data)[file.tell() :], dtype))
    return array.reshape(shape, order="F" if is_fortran else "C")


def checked_texts(array):
    """Returns an array; refuses texts of characters that there are not, which Python fails with.

    Raises:
        ValueError: it holds such.
    """
    if array.dtype.kind == "U" and array.size:
        codes = array.view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise ValueError("it holds characters that there are not")
    return array
