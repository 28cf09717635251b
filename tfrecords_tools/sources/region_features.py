"""Regions of one photograph as files of features have them, and what tells boxes of another layout.

A row of a TSV file, or the arrays of one or two `.npz` and `.npy` files.
"""

import base64
import collections
import contextlib
from typing import NamedTuple

import numpy as np

from tfrecords_tools.sources.source import GivenRegions
from vsa_tf.boxes import WHOLE_FRAME, boxes_of_pixels
from vsa_tf.file_reading import is_count, open_array, read_arrays_of

# Columns of a row, by their number: the authors', and those of LXMERT.
_AUTHORS = "image_id image_w image_h num_boxes boxes features"
_LXMERT = "img_id img_h img_w objects_id objects_conf attrs_id attrs_conf num_boxes boxes features"
_LAYOUTS = {len(names.split()): names.split() for names in (_AUTHORS, _LXMERT)}
IDS = ("image_id", "img_id")
# What arrays are called.
_FEATURES, _BOXES, _COUNT = ("x", "feat", "features"), ("bbox", "boxes"), ("num_bbox", "num_boxes")
_HEIGHT, _WIDTH = ("image_h", "img_h", "image_height"), ("image_w", "img_w", "image_width")
# A hundred regions of 2048 numbers take 1.1 MB.
MOST_BYTES = 64 << 20
# Shapes (width by height) of a photograph and of what features were made of, if it is another size.
_SHAPE_TOLERANCE = 0.03
# Of fewer photographs nothing is concluded from how far boxes reach.
_FEWEST, _LEAST_REACH = 10, 0.5


class Row(NamedTuple):
    """A row of a TSV file.

    Attributes:
        name: of the photograph.
        size: `(height, width)` of the photograph.
        boxes: float32 `[R, 4]`, in pixels.
        num_numbers: in the features of all regions.
        features: these numbers, float32 in base64.
    """

    name: str
    size: tuple[int, int]
    boxes: np.ndarray
    num_numbers: float
    features: bytes


def parse_row(line, names=None):
    """Parses a row of the authors' columns, of LXMERT's, or of those that `names` lists.

    Args:
        line: its bytes.
        names: of the columns; None: by their number.

    Returns:
        `Row`; its features are not decoded.

    Raises:
        ValueError: the reason why it cannot be used.
    """
    values = line.rstrip(b"\r\n").split(b"\t")
    names = names or _LAYOUTS.get(len(values), ())
    if len(values) != len(names) or not {*_AUTHORS.split()[3:]} <= set(names):
        raise ValueError(
            f"{len(values)} columns where there are {', '.join(names or _AUTHORS.split())}"
        )
    row = dict(zip(names, values))
    name, *numbers = (
        next((row[name] for name in own if name in row), b"").decode("utf-8-sig", "replace")
        for own in (IDS, _HEIGHT, _WIDTH, _COUNT)
    )
    if not name or not all(map(is_count, numbers)):
        raise ValueError(f"an id, height, width and count of {[name[:40], *numbers]}"[:200])
    height, width, count = map(int, numbers)
    boxes = _numbers(row["boxes"], "boxes")
    if not count or len(boxes) != 4 * count:
        raise ValueError(f"{len(boxes) / 4:g} boxes where num_boxes is {count}")
    # As many as it spells, which four characters a three bytes tell.
    text = row["features"]
    num_numbers = (len(text) * 3 // 4 - text[-2:].count(b"=")) / 4
    return Row(name, (height, width), boxes.reshape(-1, 4), num_numbers, text)


def _numbers(text, what):
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except ValueError as error:
        raise ValueError(f"{what} that are no base64 of float32 ({error})") from None


def read_regions(reader, feature_size, size=None):
    """Reads the regions of a photograph.

    Args:
        reader: what the index has of it.
        feature_size: D.
        size: `(height, width)` of the photograph as it is stored, or None.

    Returns:
        `GivenRegions`, the whole frame first: the mean of the regions.

    Raises:
        OSError: a file cannot be read.
        ValueError: the reason why it cannot be used.
    """
    kind, path, *place = reader
    if kind == "table":
        offset, length, names = place
        with open(path, "rb") as file:
            file.seek(offset)
            row = parse_row(file.read(length), names)
        boxes, own_size = row.boxes, row.size
        features = _numbers(row.features, "features").reshape(len(boxes), -1)
    else:
        features, boxes, own_size = read_arrays([path, *place])
    if features.shape[1] != feature_size:
        raise ValueError(
            f"features of {features.shape[1]} numbers where others have {feature_size}"
        )
    if own_size is None and size is None:
        raise ValueError("boxes in pixels of an image of unknown size: give --images")
    if own_size is not None and size is not None:
        ratio = own_size[1] * size[0] / max(1, own_size[0] * size[1])
        if abs(ratio - 1) > _SHAPE_TOLERANCE:
            raise ValueError(
                f"features of an image of {own_size[1]} x {own_size[0]} pixels, where the "
                f"photograph has {size[1]} x {size[0]}"
            )
    boxes = boxes_of_pixels(boxes, *(own_size or size))
    with np.errstate(invalid="ignore", over="ignore"):  # the writer says what is not finite
        features = np.asarray(features, np.float32)
        frame = features.mean(axis=0, keepdims=True)
    return GivenRegions(
        np.concatenate([frame, features]), np.concatenate([WHOLE_FRAME, boxes]), own_size or size
    )


def read_arrays(paths):
    """Reads the arrays of a photograph.

    Args:
        paths: of the `.npz` or `.npy` files that have its name.

    Returns:
        `(features [R, D], boxes [R, 4], (height, width) or None)`.

    Raises:
        OSError: a file cannot be read.
        ValueError: the reason why they cannot be used.
    """
    arrays = {}
    for path in paths:
        if path.lower().endswith(".npy"):
            array = open_array(path)
            arrays[_BOXES[0] if array.ndim == 2 and array.shape[1] == 4 else _FEATURES[0]] = array
        else:
            names = (*_FEATURES, *_BOXES, *_COUNT, *_HEIGHT, *_WIDTH)
            arrays |= read_arrays_of(path, names, of_others=MOST_BYTES)
    features, boxes, count, height, width = (
        next((arrays[name] for name in names if name in arrays), None)
        for names in (_FEATURES, _BOXES, _COUNT, _HEIGHT, _WIDTH)
    )
    shapes = [None if array is None else array.shape for array in (features, boxes)]
    if None in shapes or len(shapes[0]) != 2 or shapes[1][1:] != (4,) or 0 in shapes[0] + shapes[1]:
        received = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(
            f"Expected {' or '.join(_FEATURES)} [R, D] and {' or '.join(_BOXES)} [R, 4]. Received: "
            f"{received or 'none'}"
        )
    if features.dtype.kind != "f" or boxes.dtype.kind not in "fiu":
        raise ValueError(f"features of {features.dtype} and boxes of {boxes.dtype}")
    if len(features) != len(boxes) == shapes[0][1]:
        features = features.T  # as some write them
    count, height, width = map(_whole, (count, height, width))
    if count and count <= len(boxes):
        features, boxes = features[:count], boxes[:count]
    elif count is not None:
        raise ValueError(f"{len(boxes)} boxes where num_bbox is {count}")
    if len(features) != len(boxes):
        raise ValueError(f"features of {len(features)} regions, and {len(boxes)} boxes")
    return features, boxes, (height, width) if height and width else None


def _whole(array):
    """Returns an array of one number as an int; None where there is none."""
    if array is None or array.size != 1 or array.dtype.kind not in "iuf":
        return None
    value = array.item()
    return int(value) if abs(value) < 1 << 31 else None


_LAYOUT = "xmin, ymin, xmax, ymax"
_OTHER_LAYOUTS = {
    "ymin, xmin, ymax, xmax": lambda boxes: boxes[:, [1, 0, 3, 2]],
    "x, y, width, height": lambda boxes: np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]),
}


class BoxLayout:
    """Tells from the boxes of all photographs whether they are in pixels, and in which order.

    Args:
        spec: what messages call the files.
    """

    def __init__(self, spec):
        self._spec, self._first = spec, ""
        self._num_rows, self._reach = 0, 0.0
        self._others = collections.Counter()

    def add(self, boxes, size):
        """Takes in a photograph's boxes.

        Args:
            boxes: float32 `[R, 4]`.
            size: `(height, width)` of the photograph.

        Raises:
            ValueError: they are not within it.
        """
        self._num_rows += 1
        try:
            scaled = boxes_of_pixels(boxes, *size)
        except ValueError as error:
            self._first = self._first or str(error)
            self._others[_LAYOUT] += 1
            for name, read in _OTHER_LAYOUTS.items():
                with contextlib.suppress(ValueError):
                    boxes_of_pixels(read(boxes), *size)
                    self._others[name] += 1
            raise
        self._reach = max(self._reach, scaled.max().item())

    def check(self):
        """Refuses the files where most boxes are of another layout.

        Raises:
            ValueError: saying which one it looks like.
        """
        expected = f"Expected boxes {_LAYOUT} in pixels of the images in {self._spec}. Received: "
        num_wrong = self._others[_LAYOUT]
        if num_wrong * 2 > self._num_rows:
            best = max(_OTHER_LAYOUTS, key=lambda name: self._others[name])
            looks = f" that look like {best}" if self._others[best] * 2 > num_wrong else ""
            raise ValueError(f"{expected}boxes{looks}: {self._first}")
        if self._num_rows >= _FEWEST and self._reach < _LEAST_REACH:
            raise ValueError(
                f"{expected}boxes that all end within {self._reach:.2g} of their images, which "
                "look normalised, or in pixels of smaller images"
            )
