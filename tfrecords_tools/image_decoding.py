"""Encoded photographs to pixels, whatever people keep in their folders."""

import contextlib
import io

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    features,
)

from tfrecords_tools.image_structure import (
    DEFAULT_MAX_PIXELS,
    ImageError,
    check_size,
    first_picture,
)

IMAGE_FORMATS = "JPEG, PNG, BMP, GIF, WebP, AVIF or HEIC"
JPEG_QUALITY = 95
# As many go to detector and encoder together, in the writer and in programs: a detector that is
# the encoder, too, remembers them.
IMAGES_PER_BATCH = 16
# Of libjpeg.
MAX_JPEG_SIDE = 65_500
_ORIENTATION = 0x0112
# Of its values, those whose rows are columns.
_TURNED = (5, 6, 7, 8)
_PLUGINS = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_MAX_BRANDS = 64


def decode_image(data, max_pixels=DEFAULT_MAX_PIXELS):
    """Decodes an image: upright, three channels, the first frame of an animation.

    Grey, palette, CMYK and 16-bit images are converted, transparent ones laid on white, EXIF
    orientation is applied. A baseline JPEG above `max_pixels` is decoded at 1/2, 1/4 or 1/8 of its
    size; other images above it are refused.

    Args:
        data: bytes of a JPEG, PNG, BMP, GIF, WebP or AVIF file; of HEIC where pillow-heif is.
        max_pixels: largest height x width to decode.

    Returns:
        uint8 array `[height, width, 3]`.

    Raises:
        ImageError: when the image cannot be decoded, is smaller than 8 x 8, or over a bound of
            `image_structure`.
    """
    with _opened(data, max_pixels) as (image, picture, _):
        return _pixels(image, picture)


def image_size(data, max_pixels=DEFAULT_MAX_PIXELS):
    """Returns `(height, width)` of an image: upright, and before it is reduced to be decoded.

    Args:
        data, max_pixels: as of `decode_image`.

    Raises:
        ImageError: as `decode_image`, as far as the head of the file tells.
    """
    with _opened(data, max_pixels) as (image, picture, (width, height)):
        is_turned = _orientation(image, picture) in _TURNED
    return (width, height) if is_turned else (height, width)


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
        ImageError: as `decode_image`, or it is too long for a JPEG.
    """
    if image is None:
        image = decode_image(data, max_pixels)
    with _opened(data, max_pixels) as (opened, picture, size):
        width, height = opened.size
        if (
            picture.format == "JPEG"
            and opened.mode in ("L", "RGB")
            and picture.orientation == 1
            and opened.size == size
            and not 0 < max_side < max(width, height)
        ):
            return data, "JPEG", height, width
    picture = Image.fromarray(image)
    if 0 < max_side < max(picture.size):
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if max(picture.size) > MAX_JPEG_SIDE:
        raise ImageError(
            f"the image is longer than a JPEG of it can be ({MAX_JPEG_SIDE} pixels): "
            f"{picture.width} x {picture.height}"
        )
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=JPEG_QUALITY)
    return encoded.getvalue(), "JPEG", picture.height, picture.width


@contextlib.contextmanager
def _opened(data, max_pixels):
    """Opens an image after checking what it declares, and turns Pillow's many errors into one.

    Yields `(image, picture, size)`, the size `(width, height)` before it is reduced.
    """
    picture = first_picture(data, max_pixels)
    try:
        # Not by `Image.open`: its limit of pixels is one for the whole process.
        with _plugin(picture)(io.BytesIO(picture.data)) as image:
            size = image.size
            _reduce(image, picture, max_pixels)
            check_size(*image.size, max_pixels)
            yield image, picture, size
    except ImageError:
        raise
    # Pillow's decoders raise almost anything on damaged files.
    except Exception as error:
        raise ImageError(f"the image cannot be decoded: {error}") from None


def _plugin(picture):
    """Returns the class of Pillow that opens a `FirstPicture`'s format."""
    if picture.format:
        return _PLUGINS[picture.format]
    brands = _brands(picture.data)
    if brands & _AVIF and features.check("avif"):
        return AvifImagePlugin.AvifImageFile
    if not brands & (_HEIF | _AVIF):
        raise ImageError(f"not an image that can be read ({IMAGE_FORMATS})")
    try:
        import pillow_heif
    except ImportError:
        kind = "AVIF" if brands & _AVIF else "HEIC"
        raise ImageError(f'the image is {kind}: to read it, pip install "vsa_tf[heif]"') from None
    return pillow_heif.HeifImageFile


def _brands(data):
    """Returns the brands of a file of ISO's base media format, a set of bytes."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), _MAX_BRANDS * 4)
    return {data[place : place + 4] for place in (8, *range(16, end, 4))}


def _reduce(image, picture, max_pixels):
    """Asks a baseline JPEG's decoder for a smaller image where the whole one is too large."""
    width, height = image.size
    # A progressive JPEG needs memory for all its coefficients at any reduction.
    if picture.format != "JPEG" or picture.is_progressive:
        return
    for scale in (1, 2, 4, 8):
        if -(-width // scale) * -(-height // scale) <= max_pixels:
            break
    if scale > 1:
        # Pillow takes the largest reduction that is not smaller than what is asked for.
        image.draft(None, (width // scale, height // scale))


def _pixels(image, picture):
    """Returns what `decode_image` does."""
    image.load()
    if picture.transparent:
        return _turned(_with_transparent_color(image, picture), picture.orientation)
    return _turned(np.array(_opaque_rgb(image)), _orientation(image, picture))


def _orientation(image, picture):
    if image.format == "AVIF":
        return image.getexif().get(_ORIENTATION, 1)
    return picture.orientation


def _turned(pixels, orientation):
    """Undoes EXIF's orientation of an array `[h, w, 3]`."""
    if orientation in _TURNED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _with_transparent_color(image, picture):
    """Lays a grey or RGB PNG with a transparent colour on white, uint8 `[h, w, 3]`."""
    depth = picture.data[24]
    samples = np.array(picture.transparent) % 2**depth
    pixels = np.asarray(image.convert("L") if image.mode == "1" else image).astype(np.int64)
    if depth < 8:
        # As Pillow has scaled the others.
        samples = samples * (255 // (2**depth - 1))
    elif depth == 16 and image.mode == "RGB":
        with _plugin(picture)(io.BytesIO(picture.data)) as low:
            # Pillow keeps the high bytes; taken for little-endian, they are the low ones.
            low.tile = [low.tile[0]._replace(args="RGB;16L")]
            pixels = 256 * pixels + np.asarray(low)
    pixels = pixels.reshape(image.height, image.width, -1)
    is_transparent = (pixels == samples).all(axis=2, keepdims=True)
    if depth == 16:
        pixels = pixels >> 8
    return np.where(is_transparent, 255, pixels.repeat(3 // pixels.shape[2], 2)).astype(np.uint8)


def to_rgb(image):
    """Returns a `PIL.Image.Image` as `decode_image` sees it: upright, in RGB, opaque on white."""
    image.load()
    return _opaque_rgb(ImageOps.exif_transpose(image))


def _opaque_rgb(image):
    if image.mode.startswith("I"):
        # convert() would clip 16-bit grey at 255 instead of scaling it.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
        image = Image.fromarray(grey.astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")
