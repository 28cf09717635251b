import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfrecords_tools.image_decoding import decode_image, stored_image
from vsa_tf.saved_models.graph_images import graph_image, graph_stored_image

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
