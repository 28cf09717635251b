import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfrecords_tools.image_decoding import decode_image, stored_image
from vsa_tf.inference.graph_images import graph_image, graph_stored_image, jpeg_header

MAX_PIXELS = 61 * 83
ENCODED = [tf.TensorSpec([], tf.string)]


def photograph():
    """A slope with noise, so that blocks of a JPEG have all frequencies."""
    noise = np.random.default_rng(0).integers(0, 60, (61, 83, 3))
    slope = np.add.outer(np.arange(61) * 3, np.arange(83) * 2)[..., None]
    return Image.fromarray((slope + noise).clip(0, 255).astype(np.uint8))


def encoded(image, image_format, **settings):
    file = io.BytesIO()
    image.save(file, image_format, **settings)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photograph(), "JPEG", exif=exif)


def files():
    """Encoded images by name, of what people keep."""
    image, palette = photograph(), photograph().quantize(8)
    alpha = Image.fromarray(np.random.default_rng(1).integers(0, 256, (61, 83, 4)).astype(np.uint8))
    deep = np.random.default_rng(2).integers(0, 65536, (61, 83)).astype(np.uint16)
    return {
        "jpeg": encoded(image, "JPEG"),
        "jpeg 4:4:4": encoded(image, "JPEG", subsampling=0, quality=95),
        "jpeg 4:2:2": encoded(image, "JPEG", subsampling=1),
        "progressive jpeg": encoded(image, "JPEG", progressive=True),
        "grey jpeg": encoded(image.convert("L"), "JPEG"),
        "cmyk jpeg": encoded(image.convert("CMYK"), "JPEG"),
        **{f"jpeg of orientation {number}": turned(number) for number in range(1, 9)},
        "jpeg of a wrong orientation": turned(9),
        "large jpeg": encoded(image.resize((100, 80)), "JPEG"),
        "very large jpeg": encoded(image.resize((320, 240)), "JPEG"),
        "png": encoded(image, "PNG"),
        "grey png": encoded(image.convert("L"), "PNG"),
        "16-bit png": encoded(Image.fromarray(deep), "PNG"),
        "1-bit png": encoded(image.convert("1"), "PNG"),
        "palette png": encoded(image.convert("P"), "PNG"),
        "4-bit palette png": encoded(palette, "PNG", bits=4),
        "4-bit palette png with a transparent colour": encoded(
            palette, "PNG", bits=4, transparency=3
        ),
        "png with a transparent colour": encoded(image, "PNG", transparency=image.getpixel((0, 0))),
        "grey png with a transparent level": encoded(image.convert("L"), "PNG", transparency=100),
        "transparent png": encoded(alpha, "PNG"),
        "transparent grey png": encoded(alpha.convert("LA"), "PNG"),
        "bmp": encoded(image, "BMP"),
        "grey bmp": encoded(image.convert("L"), "BMP"),
        "bmp with a fourth channel": encoded(alpha, "BMP"),
        "gif": encoded(image, "GIF"),
        "animated gif": encoded(
            image, "GIF", save_all=True, append_images=[Image.new("RGB", image.size)]
        ),
        "webp": encoded(image, "WEBP"),
        "lossless webp": encoded(image, "WEBP", lossless=True),
        "transparent webp": encoded(alpha, "WEBP", lossless=True),
    }


FILES = files()


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda data: graph_image(data, MAX_PIXELS), input_signature=ENCODED, autograph=False
    )


@pytest.fixture(scope="module")
def store():
    return tf.function(
        lambda data: graph_stored_image(data, MAX_PIXELS), input_signature=ENCODED, autograph=False
    )


@pytest.mark.parametrize("name", FILES)
def test_pixels_equal_pillows_to_the_last_bit(decode, name):
    np.testing.assert_array_equal(decode(FILES[name]), decode_image(FILES[name], MAX_PIXELS))


@pytest.mark.parametrize("name", FILES)
def test_stored_images_decode_to_what_records_hold(store, name):
    expected = stored_image(FILES[name], max_pixels=MAX_PIXELS)[0]
    received = store(FILES[name]).numpy()
    assert (received == FILES[name]) == (expected == FILES[name])
    np.testing.assert_array_equal(tf.io.decode_jpeg(received), tf.io.decode_jpeg(expected))


def _header_of(kind):
    large, negative = (sign * 100_000 % 2**32 for sign in (1, -1))
    large, negative = large.to_bytes(4, "little"), negative.to_bytes(4, "little")
    return {
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0" + bytes(40),
        "gif": b"GIF89a\xff\xff\xff\xff" + bytes(40),
        "bmp": b"BM" + bytes(12) + (40).to_bytes(4, "little") + large + large + bytes(40),
        "upside-down bmp": b"BM" + bytes(16) + large + negative + bytes(40),
        "webp": b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\xff" * 6 + bytes(20),
        "lossless webp": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\xff\xff\xff" + bytes(20),
        "lossy webp": b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + b"\xff\x3f\xff\x3f" + bytes(20),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["png", "gif", "bmp", "upside-down bmp", "webp", "lossless webp", "lossy webp"]
)
def test_the_size_is_refused_before_it_is_decoded(decode, kind):
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
        decode(_header_of(kind))


def test_a_large_progressive_jpeg_is_refused(decode):
    data = encoded(photograph().resize((100, 80)), "JPEG", progressive=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
        decode(data)


def test_a_jpeg_that_is_too_large_at_an_eighth_is_refused(decode):
    data = encoded(Image.new("RGB", (83 * 8 + 8, 61 * 8)), "JPEG")
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
        decode(data)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_tiny_images_are_refused(decode, image_format):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 8 pixels"):
        decode(encoded(Image.new("RGB", (7, 20)), image_format))


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", FILES["jpeg"][:300], FILES["png"][:300], b"\xff\xd8\xff\xe1", b"RIFF"],
)
def test_what_is_no_image_is_refused(decode, data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(data)


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
