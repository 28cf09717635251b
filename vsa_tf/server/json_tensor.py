"""A value of a JSON request to an array."""

import binascii
import itertools

import numpy as np
import tensorflow as tf

from vsa_tf.server.dtype_name import dtype_name
from vsa_tf.server.quote_json import quote_json
from vsa_tf.server.serving_error import ServingError

_INTEGERS = {tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64}
# By dtype: whole numbers of more bits are not exact.
_MANTISSA_BITS = {tf.float32: 24, tf.float64: 53}
_TYPE_NAMES = {
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
    type(None): "Null",
}


def json_tensor(value, dtype):
    """Returns the numpy array of a JSON value: a scalar, or lists in lists, of equal lengths.

    Args:
        value: what `json.loads` gives. A string may be `{"b64": text}`.
        dtype: number of a `DataType`.

    Raises:
        ServingError: with the messages of TensorFlow Serving (util/json_tensor.cc): the lists
            differ in length or depth, or a value is not of the dtype.
    """
    shape = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    values = [value]
    for level, size in enumerate(shape):
        values = _next_level(values, level, size, len(shape))
    if any(isinstance(item, list) for item in values):
        raise _invalid(
            f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}"
        )
    dtype = tf.as_dtype(dtype)
    if dtype == tf.string:
        array = np.empty(len(values), object)  # np.array would make bytes of fixed length
        array[:] = [_string(item) for item in values]
    elif dtype == tf.bool:
        array = _booleans(values, dtype)
    elif dtype in _INTEGERS:
        array = _integers(values, dtype)
    elif dtype in _MANTISSA_BITS:
        array = _floats(values, dtype)
    else:
        raise ServingError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {quote_json(value)} to type: {_name(dtype)}",
        )
    return array.reshape(shape)


def _next_level(values, level, size, rank):
    for item in values:
        if not isinstance(item, list):
            raise _invalid(
                f"JSON Value: {quote_json(item)} found at incorrect level: {level + 1} in the "
                f"JSON DOM. Expected at level: {rank}"
            )
        if len(item) != size:
            raise _invalid(
                f"Encountered list at unexpected size: {len(item)} at level: {level} expected "
                f"size: {size}"
            )
    return list(itertools.chain.from_iterable(values))


def _check_types(values, dtype, types):
    # The types first, all at once: of a million numbers that is most of the time.
    if not set(map(type, values)) <= types:
        raise _type_error(next(item for item in values if type(item) not in types), dtype)


def _booleans(values, dtype):
    _check_types(values, dtype, {bool})
    return np.array(values, bool)


def _integers(values, dtype):
    _check_types(values, dtype, {int})
    try:
        return np.array(values, dtype.as_numpy_dtype)
    except OverflowError as error:
        outside = next(item for item in values if not dtype.min <= item <= dtype.max)
        raise _type_error(outside, dtype) from error


def _floats(values, dtype):
    _check_types(values, dtype, {int, float})
    largest_whole = 2 ** _MANTISSA_BITS[dtype] - 1
    for item in values:
        if type(item) is int and abs(item) > largest_whole:
            raise _lossy_error(item, dtype)
    array = np.array(values, np.float64)
    too_large = np.isfinite(array) & (np.abs(array) > dtype.max)
    if too_large.any():
        raise _lossy_error(values[int(np.argmax(too_large))], dtype)
    return array.astype(dtype.as_numpy_dtype)


def _string(value):
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise _invalid("JSON Parse error: The surrogate pair in string is invalid.") from error
    if not isinstance(value, dict):
        raise _type_error(value, tf.string)
    text = value.get("b64")
    if len(value) != 1 or not isinstance(text, str):
        raise _invalid(f"JSON Value: {quote_json(value)} not formatted correctly for base64 data")
    text = "".join(text.split())
    try:
        # As absl's decoder: the padding may be left out.
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise _invalid("Unable to base64 decode") from error


def _name(dtype):
    return dtype_name(dtype.as_datatype_enum)


def _type_error(value, dtype):
    kind = str(value) if isinstance(value, bool) else _TYPE_NAMES[type(value)]
    return _invalid(
        f"JSON Value: {quote_json(value)} Type: {kind} is not of expected type: {_name(dtype)}"
    )


def _lossy_error(value, dtype):
    return _invalid(
        f"Cannot convert JSON value: {quote_json(value)} to {_name(dtype)} without loss of "
        "precision."
    )


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", message)
