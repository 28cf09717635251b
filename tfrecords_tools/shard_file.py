"""A file of records that is whole or absent."""

import contextlib
import errno
import os
import uuid

import tensorflow as tf


@contextlib.contextmanager
def shard_file(path):
    """Opens a file of records; at no moment does a part of it lie under its name.

    Args:
        path: the shard; one that exists is replaced when the new one is whole.

    Yields:
        A `tf.io.TFRecordWriter`.

    Raises:
        OSError: when the file cannot be written, for example because the disk is full.
    """
    folder, name = os.path.split(path)
    # Two processes never write the same file, even if one outlived its parent or another machine
    # was given the shard as well.
    partial = os.path.join(folder, f".{name}.partial-{uuid.uuid4().hex}")
    try:
        try:
            with tf.io.TFRecordWriter(partial) as writer:
                yield writer
        except tf.errors.OpError as error:
            raise _as_os_error(error, path) from error
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise


def _as_os_error(error, path):
    """TensorFlow reports a full disk as its own error."""
    if "No space left on device" in str(error) or isinstance(
        error, tf.errors.ResourceExhaustedError
    ):
        return OSError(errno.ENOSPC, "No space left on device", path)
    return OSError(errno.EIO, error.message, path)
