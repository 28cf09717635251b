"""What a file of an image declares, read before anything is decoded, and the bounds it must keep.

A few bytes can ask a decoder for gigabytes, or for minutes: here the parts of a file are counted,
and what makes the pixels of its first picture is all that is left of it.
`vsa_tf.inference.graph_images` does the same in a graph, with the same bounds.
"""

import re
import struct
from typing import NamedTuple

DEFAULT_MAX_PIXELS = 24_000_000
# A smaller picture shows nothing; the encoders would only see their own interpolation.
MIN_SIDE = 8
# No photograph of 24 million pixels needs more.
MAX_BYTES = 256 << 20
# Segments and scans of a JPEG.
MAX_SEGMENTS = 512
# Chunks of a PNG or WebP, blocks of a GIF up to the end of its first picture; a run of those of one
# length, as encoders write them, is one part.
MAX_PARTS = 1024
# A JPEG's bytes between the segments before its first scan, which mean nothing.
MAX_FILL_BYTES = 65_535
# Every scan of a progressive JPEG passes over the whole picture; encoders write about ten.
MAX_SCANS = 64
MAX_SCANNED_PIXELS = 16 * DEFAULT_MAX_PIXELS
# Those of runs counted one by one.
MAX_BLOCKS = 100_000
# Of the main directory of an EXIF segment or chunk; cameras write about twenty.
MAX_EXIF_ENTRIES = 1000
# Chunks of a PNG that a decoder unpacks, up to 8 MB each, though they hold no pixels.
MAX_COMPRESSED_TEXTS = 16

_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
_GREY, _COLOR = 0, 2
_EXTENSION, _IMAGE, _GRAPHIC_CONTROL = 0x21, 0x2C, 0xF9
_LONG = 4
# What is left out: a byte of data is stuffed, restarts are part of a scan, TEM means nothing.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
_SOI, _EOI, _SOS, _APP0, _APP1, _APP14, _APP15, _COM = b"\xd8\xd9\xda\xe0\xe1\xee\xef\xfe"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset(b"\xc2\xc6\xca\xce")


class ImageError(ValueError):
    """An image that cannot be used; the message is the reason."""


class FirstPicture(NamedTuple):
    """What a file says of its first picture.

    Attributes:
        data: bytes, a file of that picture alone, without what does not change its pixels.
        format: as Pillow names it, such as `"JPEG"`; empty: one that is not walked over.
        orientation: EXIF's, 1 (upright) to 8.
        is_progressive: whether it is a progressive JPEG.
        transparent: of a grey or RGB PNG, the samples of the transparent colour, tuple of 1 or 3
            int; else empty.
    """

    data: bytes
    format: str = ""
    orientation: int = 1
    is_progressive: bool = False
    transparent: tuple = ()


def first_picture(data, max_pixels=DEFAULT_MAX_PIXELS):
    """Reads what a file declares.

    Args:
        data: bytes of an encoded image.
        max_pixels: largest height x width of a picture, where it cannot be decoded at less.

    Returns:
        `FirstPicture`.

    Raises:
        ImageError: the file is empty, damaged, or over a bound.
    """
    if not data:
        raise ImageError("the image file is empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"the image file of {len(data)} bytes is too large (at most {MAX_BYTES})")
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data, max_pixels)
        if data[:8] == _PNG:
            return _png(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return _gif(data, max_pixels)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data, max_pixels)
        if data[:2] == b"BM":
            return _bmp(data)
    except (IndexError, struct.error):
        raise ImageError("the image cannot be decoded: it ends too early") from None
    return FirstPicture(data)


def check_size(width, height, max_pixels=DEFAULT_MAX_PIXELS):
    """Raises ImageError for a picture of less than 8 x 8 or more than `max_pixels` pixels."""
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"the image of {width} x {height} pixels is too small "
            f"(at least {MIN_SIDE} x {MIN_SIDE})"
        )
    if width * height > max_pixels:
        raise ImageError(
            f"the image of {width} x {height} pixels is too large (--max_image_pixels={max_pixels})"
        )


def _check_count(number, most, what):
    if number > most:
        raise ImageError(f"the image has more than {most} {what}")


def _jpeg(data, max_pixels):
    """Reference: ITU-T T.81, annex B."""
    header, position, num_parts, num_fill, num_scans = [data[:2]], 2, 0, 0, 0
    exif, frame, end = None, None, len(data)
    is_progressive, first_scan = False, 0
    while match := _JPEG_MARKER.search(data, position):
        place, marker = match.start(), data[match.start() + 1]
        if not first_scan:
            num_fill += place - position
            _check_count(num_fill, MAX_FILL_BYTES, "bytes between the segments of a JPEG")
        if marker == _EOI:
            end = place + 2
            break
        num_parts += 1
        _check_count(num_parts, MAX_SEGMENTS, "segments")
        (length,) = struct.unpack_from(">H", data, place + 2)
        position = place + 2 + max(length, 2)
        if marker == _SOS:
            num_scans += 1
            _check_count(num_scans, MAX_SCANS, "scans")
            first_scan = first_scan or place
        elif marker in _FRAMES and frame is None:
            frame = struct.unpack_from(">HH", data, place + 5)
            is_progressive = marker in _PROGRESSIVE
        has_exif = marker == _APP1 and data[place + 4 : place + 10] == _EXIF
        if has_exif and exif is None and not first_scan:
            exif = data[place + 10 : position]
        # The others hold nothing that changes a pixel, and Pillow reads them all.
        is_kept = marker != _COM and not _APP0 < marker <= _APP15 or marker == _APP14
        if not first_scan and is_kept:
            header.append(data[place:position])
    if frame is None or not first_scan:
        raise ImageError("the image cannot be decoded: it is a JPEG without a picture")
    if is_progressive:
        check_size(*frame[::-1], max_pixels)
    _check_scans(num_scans, *frame)
    plain = b"".join([*header, data[first_scan:end]])
    return FirstPicture(plain, "JPEG", _orientation(exif), is_progressive)


def _check_scans(num_scans, height, width):
    if num_scans > 1 and num_scans * height * width > MAX_SCANNED_PIXELS:
        raise ImageError(
            f"the image of {width} x {height} pixels has too many scans: {num_scans} (at most "
            f"{MAX_SCANNED_PIXELS} pixels in all of them)"
        )


def _orientation(exif):
    """Reads the orientation of a TIFF structure; 1 where there is none.

    Reference: EXIF 2.3, section 4.6.
    """
    if not exif:
        return 1
    order = "<" if exif[:1] == b"I" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        _check_count(count, MAX_EXIF_ENTRIES, "EXIF entries")
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, place)
            if tag == _ORIENTATION:
                (value,) = struct.unpack_from(order + {_LONG: "I"}.get(kind, "H"), exif, place + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def _png(data):
    """Reference: W3C, PNG specification, third edition."""
    kept, position, exif, transparent = [_PNG], len(_PNG), None, None
    parts, num_texts, has_pixels = _Parts("chunks"), 0, False
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        content = data[position + 8 : end - 4]
        parts.add(length, kind)
        num_texts += kind in (b"zTXt", b"iTXt", b"iCCP")
        _check_count(num_texts, MAX_COMPRESSED_TEXTS, "compressed texts")
        has_pixels |= kind == b"IDAT"
        if kind == b"eXIf" and exif is None:
            exif = content
        is_first = kind == b"tRNS" and transparent is None and not has_pixels
        if is_first:
            transparent = content
        # A chunk is critical where its first letter is large.
        if is_first or kind[:1].isupper():
            kept.append(data[position:end])
        position = end
        if kind == b"IEND":
            break
    color_type = data[25]
    samples = ()
    if color_type in (_GREY, _COLOR) and transparent is not None:
        # Pillow would compare it with samples of another depth.
        kept = [chunk for chunk in kept if chunk[4:8] != b"tRNS"]
        # Of another length it counts for nothing.
        if len(transparent) == 2 * (1 + color_type):
            samples = struct.unpack(">" + "H" * (1 + color_type), transparent)
    return FirstPicture(b"".join(kept), "PNG", _orientation(exif), transparent=samples)


class _Parts:
    """Counts the parts of a file; a run of parts of one length is one."""

    def __init__(self, name):
        self._name, self._last, self._num_runs, self._num = name, None, 0, 0

    def add(self, *part):
        self._num += 1
        self._num_runs += part != self._last
        self._last = part
        _check_count(self._num_runs, MAX_PARTS, self._name)
        _check_count(self._num, MAX_BLOCKS, self._name)


def _gif(data, max_pixels):
    """Reference: CompuServe, Graphics Interchange Format, version 89a."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _color_table_bytes(flags)
    header, control, parts = data[:position], b"", _Parts("blocks")
    while (introducer := data[position]) == _EXTENSION:
        start, position = position, _blocks_end(data, position + 2, parts)
        if data[start + 1] == _GRAPHIC_CONTROL:
            control = data[start:position]
    if introducer != _IMAGE:
        raise ImageError("the image cannot be decoded: it is a GIF without a picture")
    left, top, own_width, own_height, flags = struct.unpack_from("<HHHHB", data, position + 1)
    check_size(max(width, left + own_width), max(height, top + own_height), max_pixels)
    # After the colours, the size of the codes.
    end = _blocks_end(data, position + 10 + _color_table_bytes(flags) + 1, parts)
    return FirstPicture(b"".join([header, control, data[position:end], b";"]), "GIF")


def _color_table_bytes(flags):
    return 3 << 1 + flags % 8 if flags & 0x80 else 0


def _blocks_end(data, position, parts):
    # Every chain is a part of its own.
    parts.add("chain", position)
    while length := data[position]:
        parts.add(length)
        position += 1 + length
    return position + 1


def _webp(data, max_pixels):
    """Reference: RFC 9649, section 2."""
    position, parts, exif, has_frame = 12, _Parts("chunks"), None, False
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        parts.add(length, kind)
        start, position = position + 8, position + 8 + length + length % 2
        if kind == b"ANMF" and not has_frame:
            # The picture of a frame is a chunk within it.
            has_frame, position = True, start + 16
        elif kind == b"VP8X":
            # Three bytes each, one less than the size.
            sizes = (data[start + 4 : start + 7], data[start + 7 : start + 10])
            check_size(*(1 + int.from_bytes(size, "little") for size in sizes), max_pixels)
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, start + 1)
            check_size(1 + bits % 2**14, 1 + (bits >> 14) % 2**14, max_pixels)
        elif kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, start + 6)
            check_size(width % 2**14, height % 2**14, max_pixels)
        elif kind == b"EXIF" and exif is None:
            exif = data[start:position].removeprefix(_EXIF)
    return FirstPicture(data, "WEBP", _orientation(exif))


def _bmp(data):
    """Reference: Microsoft, BITMAPINFOHEADER."""
    if len(data) >= 50 and data[14] > 12 and data[28] in (4, 8) and data[46:50] == b"\2\0\0\0":
        # Pillow would take the indices of two colours, black and white, for single bits.
        data = data[:46] + bytes(4) + data[50:]
    return FirstPicture(data, "BMP")
