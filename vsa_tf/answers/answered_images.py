"""What a model answers to many image files."""

import collections
import concurrent.futures
import os
import pathlib

from vsa_tf.saved_models.input_error import InputError

# Few enough for memory, and for the limits of a server.
_BATCH_SIZE = 16
_BATCH_BYTES = 16 << 20
# A model does not fill the cores by itself: decoding and suppression run on one.
_BATCHES_AT_A_TIME = min(4, len(os.sched_getaffinity(0)))


def answered_images(paths, ask):
    """Asks about image files, some at a time; what cannot be read stops none of the others.

    Args:
        paths: sequence of files.
        ask: takes a list of encoded images, bytes, and returns a list of their answers; raises
            InputError if it cannot read one of them. It is called by several threads at a time.

    Yields:
        `(path, answer, None)`, or `(path, None, reason)`, in the order of `paths`.
    """
    asked = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_BATCHES_AT_A_TIME) as pool:
        for batch in _batches(paths):
            asked.append(pool.submit(_answered, batch, ask))
            if len(asked) > _BATCHES_AT_A_TIME:
                yield from asked.popleft().result()
        while asked:
            yield from asked.popleft().result()


def _batches(paths):
    """Yields lists of `(path, data, reason)`; the reason is None where the file was read."""
    batch, size = [], 0
    for path in paths:
        data, reason = _read(path)
        if batch and (len(batch) == _BATCH_SIZE or size + len(data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((path, data, reason))
        size += len(data)
    if batch:
        yield batch


def _read(path):
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        return b"", error.strerror or str(error)
    return data, None if data else "the image file is empty"


def _answered(batch, ask):
    images = [data for _, data, reason in batch if reason is None]
    answers = iter(_each(images, ask))
    return [(path, None, reason) if reason else (path, *next(answers)) for path, _, reason in batch]


def _each(images, ask):
    """Returns `(answer, reason)` of each image."""
    if not images:
        return []
    try:
        return [(answer, None) for answer in ask(images)]
    except InputError as error:
        if len(images) == 1:
            return [(None, str(error))]
    # One of them failed them all: it is in one half, and the other goes through.
    half = len(images) // 2
    return _each(images[:half], ask) + _each(images[half:], ask)
