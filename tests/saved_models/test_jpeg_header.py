import io
import struct

import pytest
import tensorflow as tf
from PIL import Image

from vsa_tf.saved_models.jpeg_header import jpeg_header


@pytest.fixture(scope="module")
def header():
    return tf.function(jpeg_header, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def jpeg(**settings):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", **settings)
    return file.getvalue()


def exif(order, entries):
    """An EXIF segment; entries are pairs of tag and short value."""
    directory = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in entries
    )
    mark = b"II" if order == "<" else b"MM"
    content = b"Exif\0\0" + mark + struct.pack(order + "HI", 42, 8) + directory
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def with_segments(*segments):
    data = jpeg()
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_in_both_byte_orders(header, order):
    segment = exif(order, [(0x0100, 5), (0x0112, 6), (0x0128, 2)])
    assert header(with_segments(segment)).orientation == 6


def test_other_segments_and_fill_bytes_before_it_are_passed_over(header):
    other = b"\xff\xe1\0\x08http:\0"  # XMP has the same marker
    comment = b"\xff\xfe\0\x06Exif"
    data = with_segments(other, comment, b"\xff\xff", exif(">", [(0x0112, 3)]))
    assert header(data).orientation == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"no jpeg",
        jpeg(),
        with_segments(exif("<", [(0x0100, 6)])),
        # Cut off before the directory; a directory that would lie beyond the file.
        with_segments(exif("<", [(0x0112, 6)]))[:20],
        with_segments(exif("<", [])[:-6] + b"\xff\xff\xff\x7f\xff\xff"),
    ],
)
def test_what_does_not_say_is_upright(header, data):
    assert header(data).orientation == 1


def test_pixels_are_not_read_as_segments(header):
    data = jpeg()
    assert header(data + exif("<", [(0x0112, 6)])).orientation == 1


def test_progressive_files_are_told_from_baseline_ones(header):
    assert header(jpeg(progressive=True)).is_progressive
    assert not header(jpeg()).is_progressive
