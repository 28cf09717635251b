"""MATLAB's files of versions 5 to 7: one matrix of floating-point numbers out of them.

Source: MathWorks, "MAT-File Format". scipy reads more of it, but a damaged file ends its process.
"""

import itertools
import math
import struct
import zlib

import numpy as np

from vsa_tf.file_reading import swells

_HEADER_BYTES, _TAG_BYTES = 128, 8
# Of a packed variable: its name has 63 letters at most.
_START_BYTES = 512
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ORDERS = {b"IM": "<", b"MI": ">"}
# Types of elements: numbers as numpy calls them, a variable, and one that zlib has packed.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_VARIABLE, _PACKED = 14, 15
# Classes of variables; whole numbers of a double are stored as short integers.
_DOUBLE, _SINGLE = 6, 7
_IS_COMPLEX = 0x800


def read_matrix(data, name):
    """Reads a variable, double or single.

    Args:
        data: bytes of the file.
        name: of the variable.

    Returns:
        float32 `[rows, columns]`, each column's numbers side by side.

    Raises:
        NotImplementedError: the file is HDF5, as v7.3 is.
        ValueError: it is damaged, or holds no such matrix; says what.
    """
    order = _ORDERS.get(data[126:_HEADER_BYTES])
    # Other programs write HDF5 without the header by which MATLAB's v7.3 is known.
    if data.startswith(_HDF5_SIGNATURE) or order and data[124:126] in (b"\0\2", b"\2\0"):
        raise NotImplementedError("HDF5")
    if order is None:
        raise ValueError("a file that cannot be read (it has no header of MATLAB's)")
    for kind, content in _elements(memoryview(data)[_HEADER_BYTES:], order):
        is_packed = kind == _PACKED
        start = _unpacked(content, _START_BYTES)[0][_TAG_BYTES:] if is_packed else content
        # Flags, size and name come first.
        parts = list(itertools.islice(_elements(start, order), 3))
        if len(parts) == 3 and bytes(parts[2][1]) == name.encode():
            whole = _packed_variable(content, order, len(data)) if is_packed else content
            return _matrix(name, list(_elements(whole, order)), order)
    raise ValueError(f"{name}: none")


def _elements(data, order):
    """Yields the type and the bytes of each element of the file, or of a variable."""
    place = 0
    while place < len(data):
        if place + _TAG_BYTES > len(data):
            raise ValueError("a file that cannot be read (it ends within a tag)")
        kind, length = struct.unpack_from(f"{order}II", data, place)
        start, is_short = place + _TAG_BYTES, kind >> 16
        if is_short:  # up to four bytes, in the tag itself
            kind, length, start = kind & 0xFFFF, kind >> 16, place + 4
        if length > len(data) - start:
            raise ValueError("a file that cannot be read (an element is longer than the file)")
        yield kind, data[start : start + length]
        padded = length if kind == _PACKED else -(-length // 8) * 8
        place += _TAG_BYTES + (0 if is_short else padded)


def _unpacked(packed, num_bytes):
    """Returns so many bytes of what is packed, or fewer, and whether these are all."""
    unpacker = zlib.decompressobj()
    try:
        return memoryview(unpacker.decompress(packed, num_bytes)), unpacker.eof
    except zlib.error as error:
        raise ValueError(f"a file that cannot be read ({error})") from None


def _packed_variable(packed, order, file_size):
    tag, _ = _unpacked(packed, _TAG_BYTES)
    kind, length = struct.unpack(f"{order}II", tag) if len(tag) == _TAG_BYTES else (0, 0)
    if swells(file_size, length):
        raise ValueError("a file that cannot be read (it would fill the memory, unpacked)")
    # One byte more: the checksum after the last is looked at.
    content, is_whole = _unpacked(packed, _TAG_BYTES + length + 1)
    if kind != _VARIABLE or not is_whole or len(content) != _TAG_BYTES + length:
        raise ValueError("a file that cannot be read (what is packed is of another length)")
    return content[_TAG_BYTES:]


def _matrix(name, parts, order):
    flags, shape = (
        [int(number) for number in np.frombuffer(part[: len(part) // 4 * 4], f"{order}i4")]
        for _, part in parts[:2]
    )
    is_float = flags and flags[0] & 0xFF in (_DOUBLE, _SINGLE) and not flags[0] & _IS_COMPLEX
    if not is_float or len(shape) != 2 or min(shape) < 1:
        of_class = flags[0] & 0xFF if flags else "none"
        raise ValueError(f"{name}: {shape} of MATLAB's class {of_class}")
    kind, numbers = parts[3] if len(parts) > 3 else (0, b"")
    dtype = np.dtype(order + _NUMBERS.get(kind, "u1"))
    if kind not in _NUMBERS or len(numbers) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name}: {shape}, and {len(numbers)} bytes of type {kind}")
    with np.errstate(over="ignore"):  # infinities are refused where records are written
        return np.asarray(np.frombuffer(numbers, dtype).reshape(shape, order="F"), np.float32)
