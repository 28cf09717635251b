"""MATLAB's files, as scipy writes them and as they are damaged."""

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from tfrecords_tools.sources.matlab_file import read_matrix

FEATURES = np.random.default_rng(0).normal(size=(5, 7))


def _file(**options):
    file, content = io.BytesIO(), options.pop("content", {"feats": FEATURES})
    savemat(file, content, **options)
    return file.getvalue()


@pytest.mark.parametrize("do_compression", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("shape", [(5, 7), (35, 1), (1, 35)])
def test_a_matrix_is_read_as_it_was_saved(shape, dtype, do_compression):
    expected = FEATURES.reshape(shape).astype(dtype)
    data = _file(content={"feats": expected}, do_compression=do_compression)
    received = read_matrix(data, "feats")
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, expected.astype(np.float32))


@pytest.mark.parametrize("do_compression", [False, True])
def test_other_variables_stand_before_and_behind_it(do_compression):
    content = {
        "text": "of another kind",
        "x": 3,
        "swelling": np.zeros((3000, 3000)),
        "cells": np.array([1, "two"], object),
        "record": {"a": 1.0, "b": [2.0, 3.0]},
        "feats": FEATURES,
        "feats2": 2 * FEATURES,
    }
    received = read_matrix(_file(content=content, do_compression=do_compression), "feats")
    np.testing.assert_allclose(received, FEATURES, rtol=1e-6)


def _element(kind, data, order):
    return struct.pack(f"{order}II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def _written(numbers, kind, order, name=b"feats", flags=6):
    """Writes a matrix by hand, with numbers of any type, of any byte order."""
    size = struct.pack(f"{order}2i", *numbers.shape)
    name = _element(1, name, order)
    parts = (
        _element(6, struct.pack(f"{order}2I", flags, 0), order),
        _element(5, size, order),
        name,
        _element(kind, numbers.tobytes(order="F"), order),
    )
    header = b"MATLAB 5.0 MAT-file".ljust(124)
    header += struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    return header + _element(14, b"".join(parts), order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "dtype"), [(2, "u1"), (3, "i2"), (4, "u2"), (5, "i4"), (9, "f8")])
def test_whole_numbers_of_doubles_are_short_integers(kind, dtype, order):
    numbers = np.arange(12).reshape(3, 4).astype(order + dtype)
    received = read_matrix(_written(numbers, kind, order), "feats")
    np.testing.assert_array_equal(received, np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_file(content={"feats": FEATURES.astype(complex)}), "feats: .* class 6"),
        (_file(content={"feats": FEATURES.astype(int)}), "feats: .* class 14"),
        (_file(content={"feats": "text"}), "feats: .* class 4"),
        (_file(content={"feats": np.zeros((0, 3))}), r"feats: \[0, 3\]"),
        (_file(content={"feats": np.zeros((2, 3, 4))}), r"feats: \[2, 3, 4\]"),
        (_file(content={"others": FEATURES}), "feats: none"),
        (_written(np.ones((3, 4)), 4, "<"), "96 bytes of type 4"),
        (_written(np.ones((3, 4)), 11, "<"), "96 bytes of type 11"),
        (b"", "no header"),
    ],
)
def test_what_is_no_such_matrix_is_said(data, message):
    with pytest.raises(ValueError, match=message):
        read_matrix(data, "feats")


def test_hdf5_is_said_to_be():
    header = b"MATLAB 7.3 MAT-file".ljust(124)
    for data in (header + b"\0\2IM", header + b"\2\0MI", b"\x89HDF\r\n\x1a\n"):
        with pytest.raises(NotImplementedError):
            read_matrix(data.ljust(600, b"\0"), "feats")


@pytest.mark.parametrize("do_compression", [False, True])
def test_a_file_that_is_cut_is_refused_or_has_none(do_compression):
    data = _file(do_compression=do_compression)
    for length in range(len(data)):
        with pytest.raises(ValueError, match="cannot be read|feats: none"):
            read_matrix(data[:length], "feats")


@pytest.mark.parametrize(
    ("content", "declared", "message"),
    [
        (b"\0" * 64, 1 << 31, "fill the memory"),
        (b"\0" * 64, 500, "another length"),
        (b"\0" * 64, 56, "another length"),
    ],
)
def test_packed_variables_of_another_length_are_refused(content, declared, message):
    begin = _written(FEATURES, 9, "<")[136:]  # flags, size and name
    packed = zlib.compress(struct.pack("<II", 14, declared) + begin + content)
    data = _written(FEATURES, 9, "<")[:128] + struct.pack("<II", 15, len(packed)) + packed
    with pytest.raises(ValueError, match=message):
        read_matrix(data, "feats")


def test_a_packed_checksum_is_looked_at():
    data = _file(do_compression=True)[:-4] + bytes(4)
    with pytest.raises(ValueError, match="incorrect data check"):
        read_matrix(data, "feats")
