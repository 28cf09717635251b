"""numpy's files of Python's objects, which are pickles: the data in them, and nothing is called.

Source: Python, "pickle — Data stream format" (pickletools); numpy, `numpy.lib.format`.
"""

import io
import math
import pathlib
import pickle
import re

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import checked_texts, reason_of

# The types of numbers and texts of arrays in a pickle; objects are `O8`.
_PLAIN_DTYPE = re.compile(r"[biufSU][1-9]\d{0,8}")


def read_objects(path):
    """Reads a `.npy` file of Python's objects, as `numpy.save` writes a list of dicts or a dict.

    Such a file is a pickle, which can call whatever it names. Here a name stands for data, or the
    file is refused: nothing of it, nor of numpy, is called. Files of Python 2 are read, too.

    Args:
        path: of the file.

    Returns:
        What it holds of dicts, lists, tuples, numbers, str and bytes, and of arrays of these: those
        of objects are lists, the others numpy's. A str of Python 2 is one, if it was UTF-8.

    Raises:
        OSError: the file cannot be read.
        VsaTfError: it is no such file, or asks for more than data.
    """
    data = io.BytesIO(pathlib.Path(path).read_bytes())
    try:
        version = np.lib.format.read_magic(data)
        read_header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_header = np.lib.format.read_array_header_2_0
        if not read_header(data)[2].hasobject:
            raise ValueError("an array of numbers")
        # Python 2 has bytes where numpy's state is; latin-1 keeps them.
        return _as_data(_DataUnpickler(data, encoding="latin-1").load(), {})
    except Exception as error:  # whatever numpy's header and bytes that are no pickle lead to
        raise VsaTfError(
            f"Expected dicts, lists, texts and numbers in {path}, saved by numpy. Received: "
            f"{reason_of(error)}"
        ) from None


class _Pickled:
    """What stands for a value of a class; the class itself takes no state."""

    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state


class _PickledBytes(_Pickled):
    """Bytes, as Python 3 writes them for Python 2."""

    def value(self):
        return self.arguments[0].encode("latin-1")


class _PickledDtype(_Pickled):
    def array(self, data):
        """Returns the numbers or texts of bytes, `[n]`."""
        code, order = self.arguments[0], self.state[1] if self.state else "|"
        if not _PLAIN_DTYPE.fullmatch(code) or order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of type {order}{code}")
        data = data.value() if isinstance(data, _PickledBytes) else data
        data = data.encode("latin-1") if isinstance(data, str) else data
        return checked_texts(np.frombuffer(data, order + code))


class _PickledScalar(_Pickled):
    def value(self):
        dtype, data = self.arguments
        return dtype.array(data).item()


class _PickledArray(_Pickled):
    def value(self):
        _, shape, dtype, is_fortran, data = self.state
        if not isinstance(data, list):
            return dtype.array(data).reshape(shape, order="F" if is_fortran else "C")
        if len(shape) > 1 or len(data) != math.prod(shape):
            raise ValueError(f"an array of objects of shape {shape}, {len(data)} of them")
        return data if shape else data[0]


# numpy has moved its modules.
_DATA_NAMES = {
    "numpy.ndarray": None,
    "numpy.dtype": _PickledDtype,
    "numpy.core.multiarray._reconstruct": _PickledArray,
    "numpy._core.multiarray._reconstruct": _PickledArray,
    "numpy.core.multiarray.scalar": _PickledScalar,
    "numpy._core.multiarray.scalar": _PickledScalar,
    "_codecs.encode": _PickledBytes,
}


class _DataUnpickler(pickle._Unpickler):
    """Python's own unpickler in Python: that in C allocates what a damaged file declares."""

    dispatch = {
        code: read
        for code, read in pickle._Unpickler.dispatch.items()
        # Not in files of numpy's, whose protocols are 2 to 4; this one allocates at once, too.
        if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module, name):
        if f"{module}.{name}" not in _DATA_NAMES:
            raise ValueError(f"a pickle that asks for {module}.{name}, which is no data")
        return _DATA_NAMES[f"{module}.{name}"]


def _as_data(value, seen):
    """Returns what was unpickled with values for what stands for them.

    Args:
        value: of the pickle.
        seen: dict of ids to `(value, its data)`: a pickle can hold a list in a thousand places.
    """
    if isinstance(value, str):
        # One of Python 2, or a text of few letters.
        try:
            return value.encode("latin-1").decode()
        except UnicodeError:
            return value
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, (_PickledArray, _PickledScalar, _PickledBytes)):
        data = value.value()
        data = data if isinstance(data, np.ndarray) else _as_data(data, seen)
    elif isinstance(value, dict):
        data = {_as_data(key, seen): _as_data(entry, seen) for key, entry in value.items()}
    elif isinstance(value, (list, tuple)):
        data = type(value)([_as_data(entry, seen) for entry in value])
    elif value is None or isinstance(value, (bool, int, float, bytes)):
        return value
    else:
        raise ValueError(f"a pickle of a {type(value).__name__}")
    seen[id(value)] = value, data
    return data
