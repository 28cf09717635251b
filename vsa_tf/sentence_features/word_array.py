"""Words as an array, for files that hold arrays only."""

import json

import numpy as np


def words_to_array(words):
    """Returns uint8 `[bytes]` of a sequence of str."""
    return np.frombuffer(json.dumps(list(words)).encode("ascii"), np.uint8)


def array_to_words(array):
    """Returns the tuple of str that `words_to_array` got."""
    return tuple(json.loads(array.tobytes().decode("ascii")))
