"""Files of TFRecords and the `tf.train.Example`s in them, read where they lie, without TensorFlow.

A data set's photographs are not read to know its captions, and what is damaged costs its own record
alone. Source: https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import mmap
import os

import numpy as np

# A record is its length, 8 bytes, their checksum, the data, and their checksum.
_HEADER, _CHECKSUM = 12, 4
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


def mapped(path):
    """Maps a file into memory: a memoryview, of which nothing is read that is not asked for.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def find_records(data):
    """Finds the records of a file; after damage, the next one with a sound header.

    Args:
        data: memoryview of a file.

    Yields:
        `(offset, length, None)` of the data of a record, or `(offset, length, reason)` of what
        cannot be read.
    """
    place = 0
    while place < len(data):
        length = _length(data[place : place + _HEADER])
        if length is not None and place + _HEADER + length + _CHECKSUM <= len(data):
            yield place + _HEADER, length, None
            place += _HEADER + length + _CHECKSUM
            continue
        after = _next_header(data, place + 1)
        reason = f"the bytes {place} to {after} are damaged"
        if data[:2] == _GZIP:
            reason = "the file is compressed: unpack it with gunzip"
        elif length is not None:
            reason = f"the file ends within it, {len(data) - place} bytes after its beginning"
        elif not place and after == len(data):
            reason = "the file holds no TFRecord"
        yield place, after - place, reason
        place = after


def _length(header):
    """Returns the length that a header tells, or None where it is none."""
    if len(header) < _HEADER or masked_checksum(header[:8]) != header[8:]:
        return None
    return int.from_bytes(header[:8], "little")


def _next_header(data, place):
    """Returns where the next sound header of a whole record begins, or the end."""
    while place + _HEADER < len(data):
        block = np.frombuffer(data[place : place + _BLOCK], np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(block, min(_HEADER, len(block)))
        sums = _masked(_advance(np.full(len(windows), _ALL, np.uint32), windows[:, :8].T) ^ _ALL)
        stored = np.ascontiguousarray(windows[:, 8:]).view("<u4")[:, 0]
        for found in np.flatnonzero(sums == stored).tolist():
            length = int.from_bytes(data[place + found : place + found + 8], "little")
            if place + found + _HEADER + length + _CHECKSUM <= len(data):
                return place + found
        place += len(windows)
    return len(data)


def read_record(path, offset, length):
    """Reads one record, and compares its checksum.

    Args:
        path: of the file.
        offset, length: of the record's data, as `find_records` gives them.

    Returns:
        As `parse_example`.

    Raises:
        OSError: it cannot be read, or is damaged.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(length + _CHECKSUM)
    if len(data) < length + _CHECKSUM or masked_checksum(data[:length]) != data[length:]:
        raise OSError(f"{path!r} is damaged: the record at {offset} has another checksum.")
    return parse_example(memoryview(data)[:length])


def _fields(data):
    """Yields `(number, value)` of a protocol buffer: an int, or a memoryview of bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        if key & 7 == 0:
            value, place = _varint(data, place)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if key & 7 == 2:
                size, place = _varint(data, place)
            value = data[place : place + size]
            if len(value) < size:
                raise ValueError("a field that is cut off")
            place += size
        yield key >> 3, value


def _varint(data, place):
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number of more than 64 bits")


def parse_example(data):
    """Parses a `tf.train.Example` where it lies: large values of others are not even read.

    Args:
        data: memoryview of its bytes.

    Returns:
        A dict of key to list of memoryview, float or int.

    Raises:
        ValueError, LookupError, TypeError: it is none.
    """
    features = {}
    for number, content in _fields(data):
        for entry_number, entry in _fields(content) if number == 1 else ():
            if entry_number == 1:
                pair = dict(_fields(entry))
                features[str(pair[1], "utf-8")] = _values(pair.get(2, b""))
    return features


def _values(feature):
    for kind, content in _fields(feature):
        values = [value for number, value in _fields(content) if number == 1]
        if kind == 1:
            return [memoryview(value) for value in values]
        if kind == 2:
            return np.frombuffer(b"".join(values), "<f4").tolist()
        if kind == 3:
            return [number - (number >> 63 << 64) for value in values for number in _ints(value)]
    return []


def _ints(value):
    if isinstance(value, int):
        yield value
        return
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield number & (1 << 64) - 1


# CRC-32C: Castagnoli's polynomial, its bits reversed.
_ALL = np.uint32(0xFFFFFFFF)
_POLYNOMIAL = np.uint32(0x82F63B78)
_TABLE = np.arange(256, dtype=np.uint32)
for _ in range(8):
    _TABLE = (_TABLE >> 1) ^ np.where(_TABLE & 1, _POLYNOMIAL, np.uint32(0))


def masked_checksum(data):
    """Returns the checksum that TFRecords have of some bytes, as the 4 bytes that they store.

    CRC-32C is linear: stretches of the data are done side by side, and then joined.

    Example:

    >>> masked_checksum(b"123456789").hex()  # e3069283, the check value of CRC-32C, masked
    'e5b08ac7'
    """
    data = np.frombuffer(data, np.uint8)
    if len(data) < 4:
        state = _advance(np.full(1, _ALL), data[:, None])
    else:
        num_rows = 1 << (len(data).bit_length() * 2 // 3)
        rows = np.zeros((num_rows, -(-len(data) // num_rows)), np.uint8)
        flat = rows.reshape(-1)[rows.size - len(data) :]
        flat[:] = data
        # As if the state began with all bits set, which zeros in front would change.
        flat[:4] ^= 0xFF
        state = _advance(np.zeros(num_rows, np.uint32), rows.T)
        units = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
        shift = _advance(units, np.zeros(rows.shape[1], np.uint8))
        while len(state) > 1:
            state = _shifted(shift, state[::2]) ^ state[1::2]
            shift = _shifted(shift, shift)
    return _masked(state ^ _ALL).astype("<u4").tobytes()


def _advance(states, columns):
    for column in columns:
        states = _TABLE[(states ^ column) & 0xFF] ^ (states >> 8)
    return states


def _shifted(shift, states):
    """Returns states after as many zeros as `shift` stands for, `[4, 256]` by byte."""
    return np.bitwise_xor.reduce([shift[k][(states >> 8 * k) & 0xFF] for k in range(4)])


def _masked(sums):
    return ((sums >> 15) | (sums << 17)) + np.uint32(0xA282EAD8)
