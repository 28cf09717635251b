"""Encoded photographs to pixels, whatever people keep in their folders.

The size is read from the header before anything is decoded, so that a picture of 20,000 x 20,000
pixels costs no more memory than `max_pixels` allow.
"""

import contextlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
DEFAULT_MAX_PIXELS = 24_000_000
# A smaller picture shows nothing; the encoders would only see their own interpolation.
MIN_SIDE = 8
JPEG_QUALITY = 95
_ORIENTATION = 0x0112


class ImageError(ValueError):
    """An image that cannot be used; the message is the reason."""


def decode_image(data, max_pixels=DEFAULT_MAX_PIXELS):
    """Decodes an image: upright, three channels, the first frame of an animation.

    Grey, palette, CMYK and 16-bit images are converted, transparent ones laid on white, EXIF
    orientation is applied. A baseline JPEG above `max_pixels` is decoded at 1/2, 1/4 or 1/8 of its
    size; other images above it are refused.

    Args:
        data: bytes of a JPEG, PNG, BMP, GIF or WebP file.
        max_pixels: largest height x width to decode.

    Returns:
        uint8 array `[height, width, 3]`.

    Raises:
        ImageError: when the image cannot be decoded, is smaller than 8 x 8 or too large.
    """
    with _opened(data, max_pixels) as image:
        return np.array(to_rgb(image))


def stored_image(data, max_side=0, max_pixels=DEFAULT_MAX_PIXELS, image=None):
    """Returns the image as a record keeps it: a JPEG that every decoder reads the same way.

    An upright 8-bit grey or RGB JPEG within the limits is kept byte for byte; all else is encoded
    as a JPEG of quality 95.

    Args:
        data: bytes of an encoded image.
        max_side: longest side in pixels, larger images are reduced; 0 for no limit.
        max_pixels: largest height x width, as in `decode_image`.
        image: what `decode_image` returned for `data`, to spare decoding it again.

    Returns:
        `(encoded, format, height, width)`: bytes, `"JPEG"`, and the size of the encoded image.

    Raises:
        ImageError: as `decode_image`.
    """
    if image is None:
        image = decode_image(data, max_pixels)
    with _opened(data, max_pixels) as opened:
        width, height = opened.size
        if (
            opened.format == "JPEG"
            and opened.mode in ("L", "RGB")
            and _orientation(opened) == 1
            and not _is_reduced(opened, data)
            and not 0 < max_side < max(width, height)
        ):
            return data, "JPEG", height, width
    picture = Image.fromarray(image)
    if 0 < max_side < max(picture.size):
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue(), "JPEG", picture.height, picture.width


@contextlib.contextmanager
def _opened(data, max_pixels):
    """Opens an image after checking its size, and turns Pillow's many errors into one."""
    if not data:
        raise ImageError("the image file is empty")
    _check_size(*(_webp_size(data) or (MIN_SIDE, MIN_SIDE)), max_pixels)
    limit = Image.MAX_IMAGE_PIXELS
    # The size is checked here, with reduced decoding in mind.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _reduce(image, max_pixels)
                _check_size(*image.size, max_pixels)
                yield image
    except ImageError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError("not an image that can be read (JPEG, PNG, BMP, GIF or WebP)") from None
    # Pillow's decoders raise almost anything on damaged files.
    except (
        OSError,
        ValueError,
        SyntaxError,
        TypeError,
        IndexError,
        KeyError,
        EOFError,
        AttributeError,
        OverflowError,
        RuntimeError,
    ) as error:
        raise ImageError(f"the image cannot be decoded: {error}") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(width, height, max_pixels):
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"the image of {width} x {height} pixels is too small "
            f"(at least {MIN_SIDE} x {MIN_SIDE})"
        )
    if width * height > max_pixels:
        raise ImageError(
            f"the image of {width} x {height} pixels is too large (--max_image_pixels={max_pixels})"
        )


def _reduce(image, max_pixels):
    """Asks a baseline JPEG's decoder for a smaller image where the whole one is too large."""
    width, height = image.size
    # A progressive JPEG needs memory for all its coefficients at any reduction.
    if image.format not in ("JPEG", "MPO") or image.info.get("progressive"):
        return
    for scale in (1, 2, 4, 8):
        if -(-width // scale) * -(-height // scale) <= max_pixels:
            break
    if scale > 1:
        image.draft(None, (-(-width // scale), -(-height // scale)))


def _is_reduced(image, data):
    with Image.open(io.BytesIO(data), formats=FORMATS) as whole:
        return whole.size != image.size


def _orientation(image):
    return image.getexif().get(_ORIENTATION, 1)


def to_rgb(image):
    """Returns a `PIL.Image.Image` as `decode_image` sees it: upright, in RGB, opaque on white."""
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # convert() would clip 16-bit grey at 255 instead of scaling it.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
        image = Image.fromarray(grey.astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _webp_size(data):
    """Canvas size of a WebP file, or None: Pillow allocates it while opening."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = data[24:27], data[27:30]
        return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return (
        int.from_bytes(data[26:28], "little") & 0x3FFF,
        int.from_bytes(data[28:30], "little") & 0x3FFF,
    )
