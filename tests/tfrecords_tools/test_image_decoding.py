import concurrent.futures
import io
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from mini_flickr8k import jpeg
from PIL import Image

from tfrecords_tools.image_decoding import ImageError, decode_image, image_size, stored_image


def encoded(image, image_format, **options):
    data = io.BytesIO()
    image.save(data, image_format, **options)
    return data.getvalue()


def plain(color, mode="RGB", size=(16, 12)):
    return Image.new(mode, size, color)


def png_header(width, height):
    """A PNG that states a size and holds no pixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def jpeg_of_stated_size(width, height, **options):
    """A small JPEG whose header states another size."""
    data = bytearray(encoded(plain((9, 9, 9)), "JPEG", **options))
    marker = b"\xff\xc2" if options.get("progressive") else b"\xff\xc0"
    place = data.index(marker) + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(plain((10, 200, 30)), "PNG"), (10, 200, 30)),
        (encoded(plain((10, 200, 30)), "BMP"), (10, 200, 30)),
        (encoded(plain((10, 200, 30)), "GIF"), (10, 200, 30)),
        (encoded(plain((10, 200, 30)), "WEBP", lossless=True), (10, 200, 30)),
        (encoded(plain(77, "L"), "PNG"), (77, 77, 77)),
        (encoded(plain(1, "1"), "PNG"), (255, 255, 255)),
        (
            encoded(plain((10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
            (10, 200, 30),
        ),
        # 16-bit grey: the high byte counts, 0x1234 -> 0x12.
        (encoded(Image.fromarray(np.full((12, 16), 0x1234, np.uint16)), "PNG"), (18, 18, 18)),
        # Half-transparent black on white: 255 * (1 - 127 / 255) = 128.
        (encoded(plain((0, 0, 0, 127), "RGBA"), "PNG"), (128, 128, 128)),
        (encoded(plain((0, 0), "LA"), "PNG"), (255, 255, 255)),
    ],
)
def test_every_kind_of_image_becomes_eight_bit_rgb(data, expected):
    image = decode_image(data)
    assert image.shape == (12, 16, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.broadcast_to(expected, (12, 16, 3)))


def test_cmyk_jpeg_becomes_rgb():
    # No ink but half cyan: red falls to about half, green and blue stay.
    image = decode_image(encoded(plain((128, 0, 0, 0), "CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(image[5, 5], (127, 255, 255), atol=3)


def test_first_frame_of_an_animation_is_taken():
    frames = [plain((255, 0, 0)), plain((0, 0, 255))]
    for image_format in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if image_format == "WEBP" else {}
        data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
        assert tuple(decode_image(data)[0, 0]) == (255, 0, 0)


def test_exif_orientation_is_applied():
    picture = Image.new("RGB", (32, 16), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the white left half becomes the top
    data = encoded(picture, "JPEG", exif=exif, quality=95)
    image = decode_image(data)
    assert image.shape == (32, 16, 3)
    assert image[4].mean() > 240 and image[28].mean() < 15
    stored, _, height, width = stored_image(data)
    assert stored != data and (height, width) == image_size(data) == (32, 16)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not an image at all", "not an image"),
        (jpeg()[:200], "cannot be decoded|not an image"),
        (jpeg()[:-300], "cannot be decoded"),
        (encoded(plain((1, 2, 3), size=(1, 1)), "PNG"), "1 x 1 pixels is too small"),
        (encoded(plain((1, 2, 3)), "TIFF"), "not an image"),
        (png_header(16, 12), "cannot be decoded"),
        (png_header(20000, 20000), "20000 x 20000 pixels is too large"),
        (jpeg_of_stated_size(20000, 20000, progressive=True), "20000 x 20000 pixels is too large"),
        (jpeg_of_stated_size(60000, 60000), "too large"),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x1f\x3e\0\x1f\x3e\0", "15904 x 15904"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(data, reason):
    with pytest.raises(ImageError, match=reason):
        decode_image(data)
    with pytest.raises(ImageError, match=reason):
        stored_image(data)


def test_large_jpeg_is_decoded_at_a_fraction_of_its_size():
    # 400 x 300 is 120,000 pixels; a quarter of each side, 100 x 75, is the first below 10,000.
    data = jpeg(400, 300, seed=3)
    small = decode_image(data, max_pixels=10_000)
    assert small.shape == (75, 100, 3)
    whole = decode_image(data).astype(float)
    means = whole.reshape(75, 4, 100, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means, atol=6)
    stored, image_format, height, width = stored_image(data, max_pixels=10_000)
    assert (image_format, height, width) == ("JPEG", 75, 100)
    # Whoever speaks of its pixels means those of the file.
    assert image_size(data, max_pixels=10_000) == (300, 400)
    assert decode_image(stored).shape == (75, 100, 3)


def test_stated_size_of_20000_by_20000_is_decoded_in_bounded_memory():
    code = (
        "import sys; from tfrecords_tools.image_decoding import decode_image\n"
        "print(decode_image(sys.stdin.buffer.read()).shape)\n"
    )

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))

    # 20,000 x 20,000 x 3 bytes would be 1.2 GB; an eighth of each side is 2500 x 2500.
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=jpeg_of_stated_size(20000, 20000),
        preexec_fn=limit,
        capture_output=True,
        env={"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == b"(2500, 2500, 3)", done


def test_upright_jpeg_is_stored_byte_for_byte():
    for mode in ("RGB", "L"):
        data = jpeg(48, 32, mode=mode)
        assert stored_image(data) == (data, "JPEG", 32, 48)
        assert stored_image(data, max_side=48) == (data, "JPEG", 32, 48)


def test_other_images_are_stored_as_jpeg_of_the_decoded_pixels():
    picture = Image.open(io.BytesIO(jpeg(48, 32)))
    for data in (encoded(picture, "PNG"), encoded(picture.convert("CMYK"), "JPEG")):
        stored, image_format, height, width = stored_image(data)
        assert (image_format, height, width) == ("JPEG", 32, 48)
        assert Image.open(io.BytesIO(stored)).mode == "RGB"
        np.testing.assert_allclose(decode_image(stored), decode_image(data), atol=16)


def test_stored_image_keeps_the_longest_side():
    stored, _, height, width = stored_image(jpeg(400, 300), max_side=200)
    assert (height, width) == (150, 200)
    assert decode_image(stored).shape == (150, 200, 3)


def test_heic_is_read_where_pillow_heif_is():
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs vsa_tf[heif]")
    picture = Image.open(io.BytesIO(jpeg(64, 48)))
    exif = Image.Exif()
    exif[0x0112] = 6
    for options, size in (({}, (48, 64)), ({"exif": exif.tobytes()}, (64, 48))):
        data = io.BytesIO()
        pillow_heif.from_pillow(picture).save(data, quality=95, **options)
        assert decode_image(data.getvalue()).shape == (*size, 3)


def test_avif_is_read_upright():
    picture = Image.new("RGB", (32, 16), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # the white left half becomes the top
    image = decode_image(encoded(picture, "AVIF", exif=exif))
    assert image.shape == (32, 16, 3)
    assert image[4].mean() > 240 and image[28].mean() < 15


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(100)
    with pytest.raises(ImageError, match=r'HEIC: to read it, pip install "vsa_tf\[heif\]"'):
        decode_image(data)
    film = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"mp41") + bytes(100)
    with pytest.raises(ImageError, match="not an image that can be read"):
        decode_image(film)


def test_photographs_are_decoded_by_several_threads_with_large_ones_among_them():
    # Pillow's own limit is one for the process: a thread that lifts it lifts it for all.
    files = [jpeg_of_stated_size(20000, 20000), jpeg(48, 32)] * 4
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        shapes = [image.shape for image in pool.map(decode_image, files)]
    assert shapes == [(2500, 2500, 3), (32, 48, 3)] * 4


def test_what_tells_nothing_of_the_pixels_is_never_parsed():
    # A directory of 60,000 entries, each of which would copy 60 kB.
    entry = struct.pack("<HHII", 0x9000, 1, 60_000, 8)
    directory = struct.pack("<H", 60_000) + entry * 5000
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory
    data = jpeg(48, 32)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    with pytest.raises(ImageError, match="more than 1000 EXIF entries"):
        decode_image(data[:2] + segment + data[2:])


def test_global_limit_of_pillow_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError):
        decode_image(png_header(20000, 20000))
    assert Image.MAX_IMAGE_PIXELS == before is not None


def test_images_that_are_longer_than_a_jpeg_are_refused_unless_they_are_reduced():
    file = io.BytesIO()
    Image.new("RGB", (65_600, 10)).save(file, "PNG")
    with pytest.raises(ImageError, match="longer than a JPEG .*65600 x 10"):
        stored_image(file.getvalue())
    assert stored_image(file.getvalue(), max_side=6_560)[1:] == ("JPEG", 1, 6_560)
