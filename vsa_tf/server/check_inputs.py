"""Inputs of a request against the signature and the limits, before anything is computed."""

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from vsa_tf.server.request_limits import ServingError

_OPEN = -1


def check_inputs(signature_def, inputs, limits):
    """Refuses inputs that are not as the signature wants them.

    Args:
        signature_def: `SignatureDef` protocol buffer.
        inputs: dict of name to numpy array.
        limits: `RequestLimits`.

    Raises:
        ServingError: INVALID_ARGUMENT: names, dtype or shape are wrong, there are no rows or too
            many, inputs differ in their rows, or a text is too long.
    """
    _check_names(set(inputs), set(signature_def.inputs))
    num_rows = {}
    for name, array in inputs.items():
        info = signature_def.inputs[name]
        dtype = tf.as_dtype(array.dtype).as_datatype_enum
        if dtype != info.dtype:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"Expects input {name} to be {dtype_name(info.dtype)} but {dtype_name(dtype)} is "
                "provided",
            )
        _check_shape(name, array.shape, info.tensor_shape)
        if array.shape and _is_batch(info.tensor_shape):
            check_num_rows(len(array), limits)
            num_rows[name] = len(array)
        if info.dtype == tf.string.as_datatype_enum and not name.endswith("_bytes"):
            longest = max(map(len, array.flat), default=0)
            if longest > limits.max_text_bytes:
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Expected texts of at most {limits.max_text_bytes} bytes in input {name}. "
                    f"Received: one of {longest}",
                )
    # Else a graph may answer for some of them, or give one row to all of another input.
    if len(set(num_rows.values())) > 1:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(num_rows.items()))
        raise ServingError(
            "INVALID_ARGUMENT", f"Expected as many rows in each input. Received: {counts}"
        )


def check_num_rows(num_rows, limits):
    """Refuses a batch without rows, or of more than the limit.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    if num_rows < 1:
        raise ServingError("INVALID_ARGUMENT", "Expected at least one row. Received: none")
    if num_rows > limits.max_batch_size:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Task size {num_rows} is larger than maximum input batch size "
            f"{limits.max_batch_size}. Send fewer rows at a time",
        )


def takes_any_number_of_rows(signature_def):
    """Whether a signature leaves the rows of some input open: they are those of a batch."""
    return any(_is_batch(info.tensor_shape) for info in signature_def.inputs.values())


def _is_batch(shape):
    return shape.unknown_rank or (len(shape.dim) > 0 and shape.dim[0].size == _OPEN)


def _check_names(given, wanted):
    if given != wanted:
        raise ServingError(
            "INVALID_ARGUMENT",
            f"input size does not match signature: {len(given)}!={len(wanted)} "
            f"len({_set(given)}) != len({_set(wanted)}). Sent extra: {_set(given - wanted)}. "
            f"Missing but required: {_set(wanted - given)}.",
        )


def _check_shape(name, shape, wanted):
    sizes = [dim.size for dim in wanted.dim]
    fits = wanted.unknown_rank or (
        len(shape) == len(sizes)
        and all(size in (_OPEN, given) for size, given in zip(sizes, shape))
    )
    if not fits:
        text = ",".join("?" if size == _OPEN else str(size) for size in sizes)
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Expects input {name} of shape [{text}] but [{','.join(map(str, shape))}] is provided",
        )


def _set(names):
    return "{" + ",".join(sorted(names)) + "}"


def dtype_name(dtype):
    """Returns TensorFlow's own name of a `DataType` number: "float", not "float32"."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
