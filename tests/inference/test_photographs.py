import io
import struct

import numpy as np
import pytest
from PIL import Image

from tfrecords_tools.image_decoding import decode_image
from vsa_tf.errors import InputError
from vsa_tf.inference.photographs import encoded, portable, read_photograph

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), "uint8")


def test_paths_bytes_images_and_arrays_are_one_photograph(tmp_path):
    path = tmp_path / "photograph.png"
    Image.fromarray(PIXELS).save(path)
    data = path.read_bytes()
    for photograph in (str(path), path, data, bytearray(data), memoryview(data)):
        assert encoded(photograph) == data
    for photograph in (Image.open(path), PIXELS):
        np.testing.assert_array_equal(decode_image(encoded(photograph)), PIXELS)
    grey = decode_image(encoded(PIXELS[..., 0]))
    np.testing.assert_array_equal(grey, np.repeat(PIXELS[..., :1], 3, axis=2))


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: a quarter turn to the right
    return Image.fromarray(PIXELS), {"exif": exif}


def _transparent():
    return Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]])), {}


def _deep():
    return Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256), {}


@pytest.mark.parametrize("make", [_turned, _transparent, _deep])
def test_an_opened_file_is_seen_as_the_file_is(make):
    image, options = make()
    file = io.BytesIO()
    image.save(file, "JPEG" if options else "PNG", **options)
    expected = decode_image(file.getvalue())
    np.testing.assert_array_equal(decode_image(encoded(Image.open(file))), expected)
    assert expected.shape == ((16, 12, 3) if options else (12, 16, 3))


@pytest.mark.parametrize(
    ("photograph", "message"),
    [
        ("missing.jpg", "^missing.jpg: No such file or directory$"),
        (3, "Received: int$"),
        (PIXELS.astype("float32"), r"Received: float32 \[12, 16, 3\]"),
        (PIXELS[None], r"Received: uint8 \[1, 12, 16, 3\]"),
        (PIXELS[0, 0], r"Received: uint8 \[3\]"),
        (PIXELS[..., :2], r"Received: uint8 \[12, 16, 2\]"),
    ],
)
def test_what_is_no_photograph_is_named(photograph, message):
    with pytest.raises(InputError, match=message):
        encoded(photograph)


def _file(image_format, **settings):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, image_format, **settings)
    return file.getvalue()


def _run_length_coded_bmp():
    rows = b"".join(bytes([16, row, 0, 0]) for row in range(12)) + b"\0\1"
    colors = bytes(range(256)) * 4
    header = struct.pack("<IiiHHIIiiII", 40, 16, 12, 1, 8, 1, len(rows), 0, 0, 256, 0)
    offset = 14 + len(header) + len(colors)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + header + colors + rows


def test_what_exports_cannot_read_becomes_png_of_the_same_pixels(tmp_path):
    frames = {"save_all": True, "append_images": [Image.fromarray(PIXELS[::-1])]}
    files = [_file("AVIF"), _file("WEBP", **frames), _run_length_coded_bmp()]
    for data in files:
        sent = portable(data)
        assert sent.startswith(b"\x89PNG")
        np.testing.assert_array_equal(decode_image(sent), decode_image(data))
        path = tmp_path / "photograph"
        path.write_bytes(data)
        assert read_photograph(path) == encoded(path) == encoded(data) == sent


@pytest.mark.parametrize("data", [_file("JPEG"), _file("PNG"), _file("WEBP"), _file("BMP"), b"no"])
def test_what_exports_read_or_refuse_is_sent_as_it_is(data):
    assert portable(data) == data


def test_a_broken_file_of_such_a_kind_is_refused_with_its_reason(tmp_path):
    path = tmp_path / "photograph.avif"
    path.write_bytes(_file("AVIF")[:200])
    with pytest.raises(InputError, match="photograph.avif: the image cannot be decoded"):
        encoded(path)
