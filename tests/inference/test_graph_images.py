import io
import pathlib
import struct
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.inference import image_corpus
from tests.inference.image_corpus import HEIGHT, WIDTH, bmp, corpus, encoded, exif, photograph
from tests.inference.image_faults import attacks, mutation
from tfrecords_tools.image_decoding import decode_image, stored_image
from tfrecords_tools.image_structure import ImageError
from vsa_tf.inference.graph_image_structure import FileBytes, walk
from vsa_tf.inference.graph_images import graph_image, graph_stored_image
from vsa_tf.inference.image_parts import JPEG

MAX_PIXELS = 61 * 83
ENCODED = [tf.TensorSpec([], tf.string)]
CORPUS = corpus()
# Small inputs that went wrong before.
CASES = pathlib.Path(__file__).parents[3] / "shared" / "cases" / "images"
KINDS = sorted({name.partition(" ")[0] for name in CORPUS})


@pytest.fixture(scope="module")
def read():
    """Pixels of an image and the image as records keep it."""

    def function(data):
        image, is_plain = graph_image(data, MAX_PIXELS)
        return image, graph_stored_image(data, image, is_plain)

    return tf.function(function, input_signature=ENCODED, autograph=False)


@pytest.fixture(scope="module")
def decode(read):
    return lambda data: read(data)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_and_stored_images_are_the_writers_to_the_last_bit(read, kind):
    for name, data in CORPUS.items():
        if name.partition(" ")[0] != kind:
            continue
        pixels, received = read(data)
        np.testing.assert_array_equal(pixels, decode_image(data, MAX_PIXELS), name)
        expected = stored_image(data, max_pixels=MAX_PIXELS)[0]
        assert (received.numpy() == data) == (expected == data), name
        np.testing.assert_array_equal(
            tf.io.decode_jpeg(received, channels=3), tf.io.decode_jpeg(expected, channels=3), name
        )


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases/images is not there")
def test_files_that_went_wrong_have_the_pixels_of_their_first_picture(decode):
    paths = sorted(CASES.iterdir())
    assert paths
    for path in paths:
        data = path.read_bytes()
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(decode_image(data), expected, path.name)
        np.testing.assert_array_equal(decode(data), expected, path.name)


def test_animated_webp_gives_its_first_frame_and_ends_nothing(decode):
    red, blue = (Image.new("RGB", (16, 12), color) for color in ((255, 0, 0), (0, 0, 255)))
    data = encoded(red, "WEBP", save_all=True, append_images=[blue], lossless=True)
    np.testing.assert_array_equal(decode(data), np.broadcast_to((255, 0, 0), (12, 16, 3)))


def test_colours_of_a_bmps_palette_are_looked_up(decode):
    colors = bytes([30, 20, 10, 0]) * 256  # blue, green, red
    expected = np.broadcast_to((10, 20, 30), (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(decode(bmp(8, colors=colors)), expected)


def test_inks_are_inverted_without_adobes_marker_too(decode):
    inks = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    start = inks.index(b"\xff\xee")
    end = start + 2 + int.from_bytes(inks[start + 2 : start + 4], "big")
    for data in (inks, inks[:start] + inks[end:]):
        np.testing.assert_allclose(decode(data)[4, 4], (255, 0, 0), atol=3)


def test_sixteen_bits_of_a_transparent_level_all_count(decode):
    levels = np.full((8, 8), 0x1234, ">u2")
    levels[0, 0] = 0x1235
    picture = encoded(Image.fromarray(levels.astype(np.uint16)), "PNG")
    end = picture.index(b"IDAT") - 4
    transparent = image_corpus.chunk(b"tRNS", b"\x12\x35")
    data = picture[:end] + transparent + picture[end:]
    for pixels in (decode(data).numpy(), decode_image(data)):
        assert (pixels[0, 0] == 255).all() and (pixels[0, 1:] == 0x12).all()


@pytest.mark.parametrize("name", attacks())
def test_what_asks_for_too_much_is_refused_at_once(decode, name):
    data = attacks()[name]
    for decoder, error in ((decode_image, ImageError), (decode, tf.errors.InvalidArgumentError)):
        started = time.monotonic()
        with pytest.raises(error, match="has (more|too)|is too large|at most"):
            decoder(data)
        # Minutes without the bounds, milliseconds with them.
        assert time.monotonic() - started < 3


def test_mutations_are_decoded_or_refused(decode):
    refused = 0
    for seed in range(200):
        name, data = mutation(CORPUS, seed)
        try:
            decode(data)
        except tf.errors.InvalidArgumentError:
            refused += 1
    # They are mutated enough to be refused, and little enough not to be.
    assert 50 < refused < 170


def _header_of(kind):
    large, negative = (sign * 100_000 % 2**32 for sign in (1, -1))
    large, negative = large.to_bytes(4, "little"), negative.to_bytes(4, "little")
    depth = b"\1\0\x18\0"
    return {
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0" + bytes(40),
        "gif": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\x08\0\x08\0\0\2\0" + bytes(40),
        "bmp": b"BM" + bytes(12) + (40).to_bytes(4, "little") + large + large + depth + bytes(40),
        "upside-down bmp": b"BM" + bytes(12) + b"\x28\0\0\0" + large + negative + depth + bytes(40),
        "webp": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6 + b"VP8 " + bytes(20),
        "lossless webp": b"RIFF\0\0\0\0WEBPVP8L\x20\0\0\0\x2f\xff\xff\xff\xff" + bytes(20),
        "lossy webp": b"RIFF\0\0\0\0WEBPVP8 \x20\0\0\0"
        + bytes(6)
        + b"\xff\x3f\xff\x3f"
        + bytes(20),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["png", "gif", "bmp", "upside-down bmp", "webp", "lossless webp", "lossy webp"]
)
def test_the_size_is_refused_before_it_is_decoded(decode, kind):
    message = f"at most {MAX_PIXELS} pixels|other sizes"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(_header_of(kind))
    with pytest.raises(ImageError):
        decode_image(_header_of(kind), MAX_PIXELS)


def test_a_large_progressive_jpeg_is_refused_and_a_baseline_one_halved(decode):
    image = photograph().resize((100, 80))
    assert decode(encoded(image, "JPEG")).shape == (40, 50, 3)
    data = encoded(image, "JPEG", progressive=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
        decode(data)


def test_a_jpeg_that_is_too_large_at_an_eighth_is_refused(decode):
    data = encoded(Image.new("RGB", (83 * 8 + 8, 61 * 8)), "JPEG")
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MAX_PIXELS} pixels"):
        decode(data)


def test_more_pixels_a_side_than_a_jpeg_has_are_refused():
    image = tf.zeros((8, 65_501, 3), tf.uint8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 65500 pixels a side"):
        graph_stored_image(tf.constant(b""), image, tf.constant(False))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_tiny_images_are_refused(decode, image_format):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 8 pixels"):
        decode(encoded(Image.new("RGB", (7, 20)), image_format))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "save others as JPEG or PNG. Received:] .no image"),
        (b"no image", "save others as JPEG or PNG"),
        (encoded(photograph(), "TIFF"), "TIFF"),
        (encoded(photograph(), "AVIF"), "HEIC, AVIF"),
        (bmp(8, 1, colors=bytes(1024)), "not run-length coded: save it as PNG"),
        (CORPUS["large jpeg"][:300], "without a picture"),
        (b"\xff\xd8\xff\xe1", "without a picture"),
        (CORPUS["png of 8 bits of grey"][:300], "PNG"),
        (b"RIFF", "no image"),
    ],
)
def test_what_is_not_read_is_refused_with_its_kind(decode, data, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(data)


@pytest.fixture(scope="module")
def orientation():
    """EXIF's orientation of a JPEG."""
    return tf.function(
        lambda data: walk(FileBytes(data), tf.constant(JPEG)).orientation,
        input_signature=ENCODED,
        autograph=False,
    )


def segment(order, entries):
    """An EXIF segment; entries are pairs of tag and short value."""
    directory = struct.pack(order + "H", len(entries)) + b"".join(
        struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in entries
    )
    mark = b"II" if order == "<" else b"MM"
    content = b"Exif\0\0" + mark + struct.pack(order + "HI", 42, 8) + directory
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def with_segments(*segments):
    data = encoded(Image.new("RGB", (16, 16)), "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (with_segments(segment("<", [(0x0100, 5), (0x0112, 6), (0x0128, 2)])), 6),
        (with_segments(segment(">", [(0x0100, 5), (0x0112, 6), (0x0128, 2)])), 6),
        # XMP has the same marker; a comment that looks like it; fill bytes.
        (with_segments(b"\xff\xe1\0\x08http:\0", segment("<", [(0x0112, 3)])), 3),
        (with_segments(b"\xff\xfe\0\x06Exif\xff\xff", segment(">", [(0x0112, 3)])), 3),
        # The first counts.
        (with_segments(segment("<", [(0x0112, 5)]), segment("<", [(0x0112, 6)])), 5),
        (with_segments(segment("<", [(0x0112, 9)])), 1),
        (with_segments(), 1),
        (with_segments(segment("<", [(0x0100, 6)])), 1),
        # A directory that lies beyond the segment; one that ends with it.
        (with_segments(segment("<", [])[:-6] + b"\xff\xff\xff\x7f\xff\xff"), 1),
        (with_segments(segment("<", [(0x0112, 6)] * 2)[:-12].replace(b"\0\x32", b"\0\x26")), 6),
        # Behind the pixels, it is of another picture.
        (with_segments() + segment("<", [(0x0112, 6)]), 1),
    ],
)
def test_the_orientation_is_what_both_read(orientation, data, expected):
    assert orientation(data) == expected
    upright, turned = np.zeros((16, 24, 3), np.uint8), (5, 6, 7, 8)
    wide = encoded(Image.fromarray(upright), "JPEG", exif=exif(expected))
    assert decode_image(wide).shape == ((24, 16, 3) if expected in turned else (16, 24, 3))
