"""What a model answers to many image files."""

import pathlib

from vsa_tf.saved_models.input_error import InputError

# Few enough for memory, and for the limits of a server.
_BATCH_SIZE = 16
_BATCH_BYTES = 16 << 20


def answered_images(paths, ask):
    """Asks about image files, some at a time; what cannot be read stops none of the others.

    Args:
        paths: sequence of files.
        ask: takes a list of encoded images, bytes, and returns a list of their answers; raises
            InputError if it cannot read one of them.

    Yields:
        `(path, answer, None)`, or `(path, None, reason)`, in the order of `paths`.
    """
    batch, size = [], 0
    for path in paths:
        data, reason = _read(path)
        if batch and (len(batch) == _BATCH_SIZE or size + len(data) > _BATCH_BYTES):
            yield from _answered(batch, ask)
            batch, size = [], 0
        batch.append((path, data, reason))
        size += len(data)
    yield from _answered(batch, ask)


def _read(path):
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        return b"", error.strerror or str(error)
    return data, None if data else "the image file is empty"


def _answered(batch, ask):
    images = [data for _, data, reason in batch if reason is None]
    answers = iter(_each(images, ask))
    for path, _, reason in batch:
        yield (path, None, reason) if reason else (path, *next(answers))


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
