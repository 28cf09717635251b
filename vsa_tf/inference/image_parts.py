"""How the parts of image files are written: the table by which a graph walks over them.

The parts of a file are a chain, each of which says where the next begins. The bounds are those of
`tfrecords_tools.image_structure`.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from tfrecords_tools.image_structure import (
    MAX_BLOCKS,
    MAX_COMPRESSED_TEXTS,
    MAX_FILL_BYTES,
    MAX_PARTS,
    MAX_SCANS,
    MAX_SEGMENTS,
)

# The formats whose parts are walked over, by their place in `ROWS`.
JPEG, PNG, WEBP, GIF = range(4)
# Kinds of parts: what begins the pixels, EXIF, the size, a frame, an opacity, the last part, and
# what is counted by itself.
PIXELS, EXIF, SIZE, FRAME, OPACITY, END, COUNTED = range(7)
NUM_KINDS = 7
# Of a kind the first part is kept, the first if it stands before the pixels, or the last.
FIRST, BEFORE, LAST = range(3)
EXIF_MARK = b"Exif\0\0"
# Bytes that are read of a part.
HEAD = 12
_MOST_NAMES = 13


def number_weights(*sizes, order="big"):
    """Returns the weights of bytes in integers of some bytes each, one after the other.

    Args:
        *sizes: N sizes, in bytes.
        order: `"big"` or `"little"`.

    Returns:
        int64 array `[N, sum(sizes)]`.
    """
    weights = np.zeros((len(sizes), sum(sizes)), np.int64)
    start = 0
    for row, size in zip(weights, sizes):
        powers = 256 ** np.arange(size, dtype=np.int64)
        row[start : start + size] = powers if order == "little" else powers[::-1]
        start += size
    return weights


def _at(start, size, order="big"):
    """The weights of a part's first bytes in an integer that begins at one of them."""
    weights = number_weights(size, order=order)[0]
    return tuple(np.pad(weights, (start, HEAD - start - size)))


_NOWHERE = (0,) * HEAD


class _Kind(NamedTuple):
    """The parts of a kind: their names, at most 13, the extra that they have, and which is kept."""

    names: tuple
    extra: int = -1
    which: int = FIRST


def _named(*names, which=FIRST):
    return _Kind(tuple(int.from_bytes(name, "big") for name in names), which=which)


class RowNumbers(NamedTuple):
    """The numbers of a row of `ROWS`; 1 for what is true of it, 0 for what is not."""

    own: int
    least: int
    head: int
    content: int
    inside: int
    is_even: int
    is_alone: int
    ends_at: int
    start: int


@dataclasses.dataclass(frozen=True)
class _Row:
    """How parts of one sort are written, in bytes.

    Attributes:
        start: of the first.
        name, length, extra: where these are, of `_at`.
        own, least: of a part beside its length; the least length.
        is_even: whether parts end at even positions.
        head: what must be in the file for there to be a part.
        content: where a part's content begins.
        inside: where the parts of a frame begin.
        colors: where a frame has the flags of its colours, which stand before its parts; of `_at`.
        is_alone: whether each part counts as a run.
        kinds: dict of kind to `_Kind`.
        ends_at: whether the walk ends at a part of the kind `END`, or at any other.
        limits: of runs, parts, those of the kind `COUNTED`, and bytes between parts; each with its
            words.
    """

    start: int = 0
    name: tuple = _NOWHERE
    length: tuple = _NOWHERE
    extra: tuple = _NOWHERE
    own: int = 0
    least: int = 0
    is_even: bool = False
    head: int = 1
    content: int = 0
    inside: int = 0
    colors: tuple = _NOWHERE
    is_alone: bool = False
    kinds: dict = dataclasses.field(default_factory=dict)
    ends_at: bool = True
    limits: tuple = (
        (MAX_PARTS, f"{MAX_PARTS} chunks"),
        (MAX_BLOCKS, f"{MAX_BLOCKS} chunks"),
        (0, ""),
        (0, ""),
    )

    def numbers(self):
        """Those that are no weights, `RowNumbers`."""
        return RowNumbers(*(int(getattr(self, name)) for name in RowNumbers._fields))

    def weights(self):
        """Of name, length, extra and flags of colours, int64 `[4, HEAD]`."""
        return np.array([self.name, self.length, self.extra, self.colors])

    def names(self):
        """Of each kind, int64 `[NUM_KINDS, 13]`; -1 where there are fewer."""
        names = np.full((NUM_KINDS, _MOST_NAMES), -1)
        for kind, each in self.kinds.items():
            names[kind, : len(each.names)] = each.names
        return names

    def rules(self):
        """Of each kind the extra, -1 for any, and which is kept: int64 `[2, NUM_KINDS]`."""
        kinds = [self.kinds.get(kind, _Kind(())) for kind in range(NUM_KINDS)]
        return np.array([[each.extra for each in kinds], [each.which for each in kinds]])


_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_FRAMES = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))
_EXTENSION, _IMAGE, _GRAPHIC_CONTROL = 0x21, 0x2C, 0xF9
ROWS = (
    _Row(  # Reference: ITU-T T.81, annex B.
        start=2,
        name=_at(1, 1),
        length=_at(2, 2),
        extra=_at(4, len(EXIF_MARK)),
        own=2,
        least=2,
        head=0,
        content=4,
        is_alone=True,
        kinds={
            PIXELS: _Kind((_SOS,)),
            EXIF: _Kind((_APP1,), int.from_bytes(EXIF_MARK, "big"), BEFORE),
            SIZE: _Kind(_FRAMES, which=BEFORE),
            # No marker is 0: that is the end of the file.
            END: _Kind((_EOI, 0)),
            COUNTED: _Kind((_SOS,)),
        },
        limits=(
            # The end is one more.
            (MAX_SEGMENTS + 1, f"{MAX_SEGMENTS} segments"),
            (MAX_SEGMENTS + 1, f"{MAX_SEGMENTS} segments"),
            (MAX_SCANS, f"{MAX_SCANS} scans"),
            (MAX_FILL_BYTES, f"{MAX_FILL_BYTES} bytes between the segments of a JPEG"),
        ),
    ),
    _Row(  # Reference: W3C, PNG specification, third edition.
        start=8,
        name=_at(4, 4),
        length=_at(0, 4),
        own=12,
        head=8,
        content=8,
        kinds={
            PIXELS: _named(b"IDAT"),
            EXIF: _named(b"eXIf"),
            OPACITY: _named(b"tRNS", which=BEFORE),
            END: _named(b"IEND"),
            COUNTED: _named(b"zTXt", b"iTXt", b"iCCP"),
        },
        limits=(
            (MAX_PARTS, f"{MAX_PARTS} chunks"),
            (MAX_BLOCKS, f"{MAX_BLOCKS} chunks"),
            (MAX_COMPRESSED_TEXTS, f"{MAX_COMPRESSED_TEXTS} compressed texts"),
            (0, ""),
        ),
    ),
    _Row(  # Reference: RFC 9649, section 2.
        start=12,
        name=_at(0, 4),
        length=_at(4, 4, "little"),
        own=8,
        is_even=True,
        head=8,
        content=8,
        inside=24,
        kinds={
            PIXELS: _named(b"VP8 ", b"VP8L"),
            EXIF: _named(b"EXIF"),
            SIZE: _named(b"VP8X"),
            FRAME: _named(b"ANMF", which=BEFORE),
            OPACITY: _named(b"ALPH", which=BEFORE),
        },
    ),
    _Row(  # Extensions and pictures. Reference: CompuServe, Graphics Interchange Format, 89a.
        start=13,
        name=_at(0, 1),
        extra=_at(1, 1),
        own=2,
        inside=11,
        colors=_at(9, 1),
        is_alone=True,
        kinds={
            FRAME: _Kind((_IMAGE,)),
            OPACITY: _Kind((_EXTENSION,), _GRAPHIC_CONTROL, LAST),
            END: _Kind((_EXTENSION, _IMAGE)),
        },
        ends_at=False,
        limits=(
            (MAX_PARTS, f"{MAX_PARTS} blocks"),
            (MAX_BLOCKS, f"{MAX_BLOCKS} blocks"),
            (0, ""),
            (0, ""),
        ),
    ),
    # The blocks behind each of them, up to one of no bytes.
    _Row(length=_at(0, 1), own=1),
)
