"""What a file of an image declares, read in a graph as `tfrecords_tools.image_structure` does.

The parts of a file are a chain, each of which says where the next begins. A loop walks over it and
ends at a bound; a run of parts of one length is one step.
"""

from typing import NamedTuple

import tensorflow as tf

from tfrecords_tools.image_structure import (
    MAX_BLOCKS,
    MAX_BYTES,
    MAX_COMPRESSED_TEXTS,
    MAX_EXIF_ENTRIES,
    MAX_FILL_BYTES,
    MAX_PARTS,
    MAX_SCANNED_PIXELS,
    MAX_SCANS,
    MAX_SEGMENTS,
    MIN_SIDE,
)

# What lies beyond the end of a file is read as zero.
_PADDING = 64
_EXIF = b"Exif\0\0"
_ORIENTATION, _LONG = 0x0112, 4
_EOI, _SOS, _APP1, _APP14 = 0xD9, 0xDA, 0xE1, 0xEE
# Of a run of parts, looked at in one step.
_WINDOW = 128


class FileBytes:
    """The bytes of a file, of which integers and slices are read at int64 positions.

    Args:
        encoded: string [].

    Attributes:
        data: uint8 [length + 64].
        length: int64 [].
    """

    def __init__(self, encoded):
        self.data = tf.io.decode_raw(tf.strings.join([encoded, b"\0" * _PADDING]), tf.uint8)
        self.length = tf.size(self.data, tf.int64) - _PADDING

    def numbers(self, position, *sizes, order="big"):
        """Returns unsigned integers of some bytes each, one after the other, list of int64 []."""
        position = tf.clip_by_value(position, 0, self.length)
        digits = tf.cast(self.data[position : position + sum(sizes)], tf.int64)
        return tf.unstack(tf.linalg.matvec(_places(sizes, order), digits))

    def number(self, position, size, order="big"):
        """Returns one of them, int64 []."""
        return self.numbers(position, size, order=order)[0]

    def has(self, position, text):
        """Returns whether the bytes `text` are there, bool []."""
        position = tf.clip_by_value(position, 0, self.length)
        return tf.reduce_all(self.data[position : position + len(text)] == list(text))

    def run(self, position, stride, size):
        """Returns how many parts follow each other, `stride` apart, that begin with the same bytes.

        Args:
            position: int64 [], of the first.
            stride: int64 [].
            size: bytes that are the same, int.

        Returns:
            int64 [], 1 to 128.
        """
        steps = tf.range(_WINDOW, dtype=tf.int64)
        places = (position + stride * steps)[:, None] + tf.range(size, dtype=tf.int64)
        heads = tf.gather(self.data, tf.clip_by_value(places, 0, self.length))
        is_other = tf.reduce_any(heads != heads[0], axis=1) | (places[:, -1] >= self.length)
        return tf.maximum(tf.reduce_min(tf.where(is_other, steps, _WINDOW)), 1)


def _places(sizes, order):
    """The value of every digit to every number, int64 [numbers, digits]."""
    rows, before = [], 0
    for size in sizes:
        powers = [256**place for place in range(size)]
        row = powers if order == "little" else powers[::-1]
        rows.append([0] * before + row + [0] * (sum(sizes) - before - size))
        before += size
    return tf.constant(rows, tf.int64)


def require(condition, *message):
    """Returns a context whose operations run only where a condition holds.

    Raises:
        tf.errors.InvalidArgumentError: when run, and it does not; its words are the message's.
    """
    return tf.control_dependencies([tf.debugging.Assert(condition, list(message))])


def check_size(width, height, max_pixels):
    """Returns the context of `require` for pictures of at least 8 x 8, at most `max_pixels`."""
    is_small = tf.minimum(width, height) < MIN_SIDE
    with require(
        ~is_small, f"Expected an image of at least {MIN_SIDE} pixels a side", width, height
    ):
        width = tf.identity(width)
    return require(
        width * height <= max_pixels,
        f"Expected an image of at most {max_pixels} pixels. Received:",
        width,
        height,
    )


def check_bytes(encoded):
    """Returns the context of `require` for files of at most `MAX_BYTES`."""
    length = tf.strings.length(encoded)
    return require(length <= MAX_BYTES, f"Expected an image of at most {MAX_BYTES} bytes", length)


class Counts(NamedTuple):
    """Parts of a file: int64 [] each. A run of one length is one of `runs`."""

    runs: tf.Tensor
    blocks: tf.Tensor
    last: tf.Tensor

    @classmethod
    def none(cls):
        return cls(*(tf.constant(value, tf.int64) for value in (0, 0, -1)))

    def plus(self, part, count):
        """Adds `count` equal parts; `part` tells them from others."""
        is_new = tf.cast(part != self.last, tf.int64)
        return Counts(self.runs + is_new, self.blocks + count, tf.identity(part))

    def within(self):
        return (self.runs <= MAX_PARTS) & (self.blocks <= MAX_BLOCKS)

    def check(self, name):
        with require(self.runs <= MAX_PARTS, f"the image has more than {MAX_PARTS} {name}"):
            blocks = tf.identity(self.blocks)
        return require(blocks <= MAX_BLOCKS, f"the image has more than {MAX_BLOCKS} {name}")


class JpegHeader(NamedTuple):
    """Attributes:
    orientation: int64 [], EXIF's, 1 (upright) to 8; 1 where there is none.
    is_progressive: bool [].
    height, width: int64 [].
    num_channels: int64 [].
    has_adobe: bool [], whether Adobe's marker is there, which says how four channels are meant.
    """

    orientation: tf.Tensor
    is_progressive: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    num_channels: tf.Tensor
    has_adobe: tf.Tensor


def jpeg_header(encoded):
    """Walks over the segments and scans of a JPEG file.

    Args:
        encoded: string [], a JPEG file.

    Returns:
        `JpegHeader`.

    Raises:
        tf.errors.InvalidArgumentError: when run, for a file over a bound or without a picture.

    Reference: ITU-T T.81, annex B.
    """
    file = FileBytes(encoded)
    markers = _jpeg_markers(file)
    zero = tf.constant(0, tf.int64)

    def goes_on(position, parts, fill, scans, first_scan, exif, frame, adobe, is_open):
        within = (parts <= MAX_SEGMENTS) & (fill <= MAX_FILL_BYTES) & (scans <= MAX_SCANS)
        return is_open & within

    def next_segment(position, parts, fill, scans, first_scan, exif, frame, adobe, is_open):
        place = markers[tf.searchsorted(markers, position[None])[0]]
        marker, length = file.numbers(place + 1, 1, 2)
        is_open = (place < file.length) & (marker != _EOI)
        in_header = first_scan == 0
        fill += tf.where(in_header & is_open, place - position, 0)
        is_scan = is_open & (marker == _SOS)
        scans += tf.cast(is_scan, tf.int64)
        first_scan = tf.where(is_scan & in_header, place, first_scan)

        def first(found, known):
            return tf.where(is_open & in_header & found & (known == 0), place, known)

        low = marker % 16
        is_frame = (marker >= 0xC0) & (marker <= 0xCF) & (low != 4) & (low != 8) & (low != 12)
        frame = first(is_frame, frame)
        exif = first((marker == _APP1) & file.has(place + 4, _EXIF), exif)
        adobe = first((marker == _APP14) & (length >= 14) & file.has(place + 4, b"Adobe"), adobe)
        position = tf.minimum(place + 2 + tf.maximum(length, 2), file.length)
        parts += tf.cast(is_open, tf.int64)
        return position, parts, fill, scans, first_scan, exif, frame, adobe, is_open

    state = (zero + 2, *[zero] * 7, tf.constant(True))
    _, parts, fill, scans, first_scan, exif, frame, adobe, _ = tf.while_loop(
        goes_on, next_segment, state
    )
    with require(parts <= MAX_SEGMENTS, f"the image has more than {MAX_SEGMENTS} segments"):
        fill = tf.identity(fill)
    with require(
        fill <= MAX_FILL_BYTES,
        f"the image has more than {MAX_FILL_BYTES} bytes between the segments of a JPEG",
    ):
        scans = tf.identity(scans)
    with require(scans <= MAX_SCANS, f"the image has more than {MAX_SCANS} scans"):
        is_whole = (frame > 0) & (first_scan > 0)
    with require(is_whole, "the image cannot be decoded: it is a JPEG without a picture"):
        height, width, channels = file.numbers(frame + 5, 2, 2, 1)
    with require(
        (scans < 2) | (scans * height * width <= MAX_SCANNED_PIXELS),
        f"the image has too many scans (at most {MAX_SCANNED_PIXELS} pixels in all of them)",
    ):
        marker = file.number(frame + 1, 1)
    end = exif + 2 + file.number(exif + 2, 2)
    content = file.data[exif + 10 : tf.clip_by_value(end, exif + 10, file.length)]
    return JpegHeader(
        tf.cond(exif > 0, lambda: orientation(content), lambda: zero + 1),
        (marker % 4 == 2) & (marker > 0xC0),
        height,
        width,
        channels,
        adobe > 0,
    )


def _jpeg_markers(file):
    """Returns where a marker is, in order, and the length: int64 [M + 1]."""
    places = tf.where(file.data[:-1] == 0xFF)[:, 0]
    codes = tf.cast(tf.gather(file.data, places + 1), tf.int32)
    # A byte of data is stuffed, restarts are part of a scan, TEM means nothing.
    is_marker = (codes > 1) & (codes < 0xFF) & ((codes < 0xD0) | (codes > 0xD7))
    return tf.concat([tf.boolean_mask(places, is_marker), [file.length]], axis=0)


def orientation(content):
    """Reads the orientation of a TIFF structure, int64 []; 1 where there is none.

    Args:
        content: uint8 [bytes].

    Reference: EXIF 2.3, section 4.6.
    """
    length = tf.size(content, tf.int64)
    data = tf.cast(tf.pad(content, [[0, 16]]), tf.int64)
    is_little = data[0] == ord("I")

    def number(position, size):
        digits = [tf.gather(data, tf.clip_by_value(position + i, 0, length)) for i in range(size)]
        big = sum(digit * 256**place for place, digit in enumerate(digits[::-1]))
        little = sum(digit * 256**place for place, digit in enumerate(digits))
        return tf.where(is_little, little, big)

    start = number(tf.constant(4, tf.int64), 4)
    count = tf.where(start + 2 <= length, number(start, 2), 0)
    with require(
        count <= MAX_EXIF_ENTRIES, f"the image has more than {MAX_EXIF_ENTRIES} EXIF entries"
    ):
        entries = start + 2 + 12 * tf.range(count)
    is_long = number(entries + 2, 2) == _LONG
    values = tf.where(is_long, number(entries + 8, 4), number(entries + 8, 2))
    is_whole = entries + 10 + 2 * tf.cast(is_long, tf.int64) <= length
    is_found = (number(entries, 2) == _ORIENTATION) & (entries + 4 <= length)
    value = tf.concat([tf.boolean_mask(tf.where(is_whole, values, 1), is_found), [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


class PngHeader(NamedTuple):
    """Attributes:
    orientation: int64 [], EXIF's.
    has_alpha: bool [], whether it has an opacity for each pixel or a transparent colour.
    """

    orientation: tf.Tensor
    has_alpha: tf.Tensor


def png_header(encoded):
    """Walks over the chunks of a PNG file; arguments, results and errors as of `jpeg_header`.

    Reference: W3C, PNG specification, third edition.
    """
    file = FileBytes(encoded)
    zero = tf.constant(0, tf.int64)
    names = [int.from_bytes(name, "big") for name in (b"zTXt", b"iTXt", b"iCCP")]
    pixels, end, exif_name, trns_name = (
        int.from_bytes(name, "big") for name in (b"IDAT", b"IEND", b"eXIf", b"tRNS")
    )

    def goes_on(position, counts, texts, exif, trns, has_pixels, is_open):
        return is_open & counts.within() & (texts <= MAX_COMPRESSED_TEXTS)

    def next_chunk(position, counts, texts, exif, trns, has_pixels, is_open):
        length, name = file.numbers(position, 4, 4)
        run = file.run(position, length + 12, 8)
        counts = counts.plus(length * 2**32 + name, run)
        texts += tf.where(tf.reduce_any(name == names), run, 0)
        exif = tf.where((name == exif_name) & (exif == 0), position, exif)
        trns = tf.where((name == trns_name) & (trns == 0) & ~has_pixels, position, trns)
        position += run * (length + 12)
        is_open = (name != end) & (position + 8 <= file.length)
        return position, counts, texts, exif, trns, has_pixels | (name == pixels), is_open

    state = (zero + 8, Counts.none(), zero, zero, zero, tf.constant(False), file.length >= 16)
    _, counts, texts, exif, trns, _, _ = tf.while_loop(goes_on, next_chunk, state)
    with counts.check("chunks"):
        texts = tf.identity(texts)
    with require(
        texts <= MAX_COMPRESSED_TEXTS,
        f"the image has more than {MAX_COMPRESSED_TEXTS} compressed texts",
    ):
        color_type = file.number(zero + 25, 1)
    # Of another length it counts for nothing.
    length = tf.where(trns > 0, file.number(trns, 4), 0)
    has_color = (color_type == 0) & (length == 2) | (color_type == 2) & (length == 6)
    has_alpha = has_color | (color_type == 3) & (length > 0) | (color_type >= 4)
    end = exif + 8 + file.number(exif, 4)
    content = file.data[exif + 8 : tf.clip_by_value(end, exif + 8, file.length)]
    return PngHeader(tf.cond(exif > 0, lambda: orientation(content), lambda: zero + 1), has_alpha)
