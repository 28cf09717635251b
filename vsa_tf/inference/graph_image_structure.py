"""What a file of an image declares, read in a graph as `tfrecords_tools.image_structure` does.

One loop walks over the parts of every format, by the table of `image_parts`, and ends at a bound; a
run of parts of one length is one step.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrecords_tools.image_structure import MAX_EXIF_ENTRIES
from vsa_tf.inference.graph_checks import require
from vsa_tf.inference.image_parts import (
    COUNTED,
    END,
    EXIF,
    EXIF_MARK,
    FIRST,
    FRAME,
    GIF,
    HEAD,
    JPEG,
    LAST,
    NUM_KINDS,
    PIXELS,
    PNG,
    ROWS,
    RowNumbers,
    number_weights,
)

# What lies beyond the end of a file is read as zero: more than is read of one place.
_PADDING = 1024
# Of a run of parts, looked at in one step.
_WINDOW = 128
_ORIENTATION, _LONG = 0x0112, 4


class FileBytes:
    """The bytes of a file, of which integers are read at int64 positions up to its end.

    Args:
        encoded: string [].

    Attributes:
        data: uint8 [length + 1024].
        length: int64 [].
    """

    def __init__(self, encoded):
        self.data = tf.io.decode_raw(tf.strings.join([encoded, b"\0" * _PADDING]), tf.uint8)
        self.length = tf.size(self.data, tf.int64) - _PADDING

    def byte(self, position):
        """Returns one of them, int64 []."""
        return tf.cast(tf.gather(self.data, position), tf.int64)

    def bytes(self, positions, count):
        """Returns `count` of them at each of some positions, int64 `[..., count]`."""
        return self.byte(positions + np.arange(count))

    def numbers(self, position, *sizes, order="big"):
        """Returns unsigned integers of some bytes each, one after the other, list of int64 []."""
        weights = number_weights(*sizes, order=order)
        data = self.bytes(position, weights.shape[1])
        return tf.unstack(tf.reduce_sum(data * weights, axis=1))


class Parts(NamedTuple):
    """What was found on the way over a file.

    Attributes:
        positions: list of int64 [], by kind: of the part that is kept, 0 where there is none.
        lengths: list of int64 [], by kind: its length.
        counted: int64 [], how many there are of the kind `COUNTED`.
        end: int64 [], where the walk ended.
        orientation: int64 [], EXIF's, 1 (upright) to 8; 1 where there is none.
    """

    positions: list
    lengths: list
    counted: tf.Tensor
    end: tf.Tensor
    orientation: tf.Tensor


class _State(NamedTuple):
    """Where a walk is.

    Attributes:
        position: int64 [], of the next part.
        row: int32 [], which of `ROWS` it is written by.
        last: int64 [], name and length of the part before, which a run goes on with; or -1.
        positions, lengths: int64 [NUM_KINDS], as those of `Parts`.
        totals: int64 [4], what the row's `limits` bound.
        is_open: bool [], whether there is a next part.
    """

    position: tf.Tensor
    row: tf.Tensor
    last: tf.Tensor
    positions: tf.Tensor
    lengths: tf.Tensor
    totals: tf.Tensor
    is_open: tf.Tensor


def walk(file, number):
    """Walks over the parts of a file.

    Args:
        file: the `FileBytes`.
        number: int32 [], its format: `JPEG` to `GIF`; another has no parts.

    Returns:
        `Parts`.

    Raises:
        tf.errors.InvalidArgumentError: when run, for a file over a bound.
    """
    row = tf.minimum(number, GIF)
    numbers = _numbers(row)
    markers = _jpeg_markers(file, tf.equal(number, JPEG))
    limits = tf.gather(np.array([[limit for limit, _ in each.limits] for each in ROWS[:-1]]), row)
    # A GIF's colours stand before its parts.
    start = numbers.start + color_bytes(tf.where(tf.equal(row, GIF), file.byte(10), 0))
    state = _State(
        position=start,
        row=row,
        last=tf.constant(-1, tf.int64),
        positions=np.zeros(NUM_KINDS, np.int64),
        lengths=np.zeros(NUM_KINDS, np.int64),
        totals=np.zeros(4, np.int64),
        is_open=(number <= GIF) & (start + numbers.head <= file.length),
    )
    (state,) = tf.while_loop(
        lambda state: state.is_open & tf.reduce_all(state.totals <= limits),
        lambda state: (_next_part(file, markers, state),),
        (state,),
    )
    is_over = state.totals > limits
    words = [[f"the image has more than {word}" for _, word in each.limits] for each in ROWS[:-1]]
    message = tf.gather(tf.gather(words, row), tf.argmax(is_over))
    with require(~tf.reduce_any(is_over), message):
        positions, lengths = tf.unstack(state.positions), tf.unstack(state.lengths)
    exif = positions[EXIF]
    start = exif + numbers.content
    has_mark = tf.reduce_all(file.bytes(start, len(EXIF_MARK)) == list(EXIF_MARK))
    start += tf.where(has_mark & (number != PNG), tf.constant(len(EXIF_MARK), tf.int64), 0)
    end = exif + tf.minimum(numbers.own, numbers.content) + lengths[EXIF]
    end = tf.where(exif > 0, tf.minimum(end, file.length), start)
    orientation = _orientation(file, start, end)
    return Parts(positions, lengths, state.totals[2], state.position, orientation)


def _next_part(file, markers, state):
    """Returns the `_State` after the next part, and those that follow it and begin alike."""
    row, position, numbers = state.row, state.position, _numbers(state.row)
    place = tf.where(tf.equal(row, JPEG), _next_marker(markers, position), position)
    data = file.bytes(place, HEAD)
    name, length, extra, colors = tf.unstack(tf.reduce_sum(data * _of_row(row, "weights"), axis=1))
    extras, rules = tf.unstack(_of_row(row, "rules"))
    is_kind = tf.reduce_any(_of_row(row, "names") == name, axis=1)
    is_kind &= (extras < 0) | (extras == extra)
    has = tf.unstack(state.positions > 0)
    is_first = ((rules == FIRST) | ~has[PIXELS]) & (state.positions == 0)
    is_kept = is_kind & ((rules == LAST) | is_first)
    enters = tf.unstack(is_kept)[FRAME]
    kinds = tf.unstack(tf.cast(is_kind, tf.int64))
    # What a frame holds are the next parts.
    stride = numbers.own + tf.maximum(length, numbers.least)
    stride = tf.where(
        enters, numbers.inside + color_bytes(colors), stride + numbers.is_even * (stride % 2)
    )
    run = _run(file, place, data, stride, numbers.head)
    run = tf.where(enters | (numbers.is_alone > 0) | (run == 0), tf.constant(1, tf.int64), run)
    part = length * 2**32 + name
    fill = tf.where(has[PIXELS], tf.constant(0, tf.int64), place - position)
    new = [tf.cast(part != state.last, tf.int64), run, run * kinds[COUNTED], fill]
    # A GIF's parts are chains of blocks, of which the last has no bytes.
    position = tf.minimum(place + run * stride, file.length)
    is_gif = row >= GIF
    closes = is_gif & (file.byte(position) == 0)
    is_open = (kinds[END] != numbers.ends_at) & (position + numbers.head <= file.length)
    return _State(
        position=position + tf.cast(closes, tf.int64),
        row=tf.where(is_gif, tf.where(closes, GIF, GIF + 1), row),
        last=tf.where(numbers.is_alone > 0, tf.constant(-1, tf.int64), part),
        positions=tf.where(is_kept, place, state.positions),
        lengths=tf.where(is_kept, length, state.lengths),
        totals=state.totals + tf.stack(new),
        is_open=is_open & ~(closes & (enters | has[FRAME])),
    )


def _run(file, place, data, stride, head):
    """How many parts follow each other that begin with the same bytes, 0 at the file's end."""
    steps = tf.constant(np.arange(_WINDOW))
    places = place + stride * steps
    others = file.bytes(tf.reshape(tf.minimum(places, file.length), (-1, 1)), HEAD) != data
    is_other = tf.reduce_any(others & (np.arange(HEAD) < head), axis=1)
    return tf.reduce_min(tf.where(is_other | (places + head > file.length), steps, _WINDOW))


def color_bytes(flags):
    """Returns the bytes of a GIF's table of colours, by its flags, int64 []."""
    sizes = [0] * 128 + [3 << 1 + flags % 8 for flags in range(128, 256)]
    return tf.gather(tf.constant(sizes, tf.int64), flags)


def _numbers(row):
    return RowNumbers(*tf.unstack(_of_row(row, "numbers")))


def _of_row(row, name):
    """What the row of that number gives of that name."""
    return tf.gather(np.array([getattr(each, name)() for each in ROWS]), row)


def _jpeg_markers(file, is_jpeg):
    """Returns where a marker is, in order, and the length: int64 `[M + 1]`."""
    places = tf.squeeze(tf.where(file.data[: tf.where(is_jpeg, file.length, 0)] == 0xFF), 1)
    # A byte of data is stuffed, restarts are part of a scan, TEM means nothing.
    is_marker = [not (code < 2 or 0xD0 <= code < 0xD8 or code == 0xFF) for code in range(256)]
    chosen = tf.squeeze(tf.where(tf.gather(is_marker, file.byte(places + 1))), 1)
    return tf.concat([tf.gather(places, chosen), [file.length]], axis=0)


def _next_marker(markers, position):
    rows = tf.reshape(markers, (1, -1))
    place = tf.raw_ops.LowerBound(sorted_inputs=rows, values=tf.reshape(position, (1, 1)))
    return tf.gather(markers, tf.squeeze(place))


def _orientation(file, start, end):
    """Reads the orientation of a TIFF structure between two positions.

    Reference: EXIF 2.3, section 4.6.
    """
    is_little = file.byte(start) == ord("I")

    def numbers(positions, *sizes):
        """Integers at each of some positions, int64 `[..., numbers]`, within the file or 0."""
        orders = (number_weights(*sizes, order=order) for order in ("little", "big"))
        weights = tf.where(is_little, *orders)
        data = file.bytes(tf.minimum(positions, file.length), weights.shape[1])
        return tf.reduce_sum(data * weights, axis=-1)

    first = start + tf.squeeze(numbers(start + 4, 4))
    count = tf.where(first + 2 <= end, tf.squeeze(numbers(first, 2)), 0)
    message = f"the image has more than {MAX_EXIF_ENTRIES} EXIF entries"
    with require(count <= MAX_EXIF_ENTRIES, message):
        entries = first + 2 + 12 * tf.range(count)
    places = tf.reshape(entries, (-1, 1, 1))
    tags, kinds, _, shorts, _ = tf.unstack(numbers(places, 2, 2, 4, 2, 2), axis=1)
    longs = tf.squeeze(numbers(places + 8, 4), 1)
    is_long = kinds == _LONG
    is_whole = entries + tf.where(is_long, tf.constant(12, tf.int64), 10) <= end
    values = tf.where(is_whole, tf.where(is_long, longs, shorts), 1)
    is_found = (tags == _ORIENTATION) & (entries + 4 <= end)
    # The first, or none.
    place = tf.argmax(tf.concat([is_found, [True]], axis=0))
    value = tf.gather(tf.concat([values, [1]], axis=0), place)
    return tf.where((value >= 1) & (value <= 8), value, 1)
