import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools.sources.record_file import (
    find_records,
    mapped,
    masked_checksum,
    parse_example,
    read_record,
)

# Small ones, and one whose checksum is put together from thousands of stretches.
RECORDS = [b"a dog", b"", b"abc", bytes(range(256)) * 5, np.random.default_rng(0).bytes(100_001)]
# Each record has 12 bytes before its data and 4 behind.
STARTS = [12 + sum(16 + len(record) for record in RECORDS[:place]) for place in range(5)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "some.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def found(path):
    return list(find_records(mapped(path)))


def test_records_are_those_that_tensorflow_wrote(path):
    assert found(path) == [
        (start, len(record), None) for start, record in zip(STARTS, RECORDS, strict=True)
    ]


def test_checksums_are_those_that_tensorflow_wrote(path):
    data = path.read_bytes()
    for start, record in zip(STARTS, RECORDS, strict=True):
        end = start + len(record)
        assert masked_checksum(record) == data[end : end + 4], len(record)


def test_after_a_damaged_header_the_next_record_is_found(path):
    data = bytearray(path.read_bytes())
    data[STARTS[1] - 12] ^= 1  # of the length
    path.write_bytes(data)
    records = found(path)
    assert [record[2] is None for record in records] == [True, False, True, True, True]
    first, last = STARTS[1] - 12, STARTS[2] - 12
    assert records[1] == (first, last - first, f"the bytes {first} to {last} are damaged")


def test_a_file_that_ends_early_has_the_records_before(path):
    path.write_bytes(path.read_bytes()[:-1000])
    *records, (_, _, reason) = found(path)
    assert [record[0] for record in records] == STARTS[:4]
    # All of the last record and its framing, less 1000.
    assert reason == "the file ends within it, 99017 bytes after its beginning"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"path,caption\n" * 9, ["the file holds no TFRecord"]),
        (b"\x1f\x8b" + b"0" * 99, ["the file is compressed: unpack it with gunzip"]),
        (b"short", ["the file holds no TFRecord"]),
    ],
)
def test_files_of_another_kind_are_said_to_be(tmp_path, data, expected):
    (tmp_path / "file").write_bytes(data)
    assert [reason for _, _, reason in found(tmp_path / "file")] == expected


def example(**values):
    kinds = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
    features = {
        name: tf.train.Feature(**{kinds[type(own[0])]: {"value": own}} if own else {})
        for name, own in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


def test_an_example_is_parsed_as_by_protocol_buffers():
    values = {
        "texts": ["größer".encode(), b"", b"x" * 300],
        "floats": [0.5, -1.25, float("inf")],
        "ints": [0, 1, -1, 300, 2**63 - 1, -(2**63)],
        "none": [],
    }
    data = example(**values).SerializeToString()
    assert parse_example(memoryview(data)) == values


def test_numbers_that_are_not_packed_are_parsed_too():
    # Field 1 of a list, number by number: a varint (0x08), four bytes (0x0d).
    ints, floats = b"\x08\x07\x08\x01", b"\x0d" + np.float32(1.5).tobytes()
    entries = [b"\x0a\x01a\x12\x06\x1a\x04" + ints, b"\x0a\x01b\x12\x07\x12\x05" + floats]
    content = b"".join(b"\x0a" + bytes([len(entry)]) + entry for entry in entries)
    data = b"\x0a" + bytes([len(content)]) + content
    expected = tf.train.Example.FromString(data).features.feature
    assert parse_example(memoryview(data)) == {"a": [7, 1], "b": [1.5]}
    assert list(expected["a"].int64_list.value) == [7, 1]
    assert list(expected["b"].float_list.value) == [1.5]


def test_a_record_whose_bytes_have_changed_is_not_read(path):
    data = example(a=[b"dog"]).SerializeToString()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(data)
    assert bytes(read_record(path, 12, len(data))["a"][0]) == b"dog"
    path.write_bytes(path.read_bytes().replace(b"dog", b"dug"))
    with pytest.raises(OSError, match="record at 12 has another checksum"):
        read_record(path, 12, len(data))
