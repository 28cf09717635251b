"""The body of a request in JSON, to arrays."""

import binascii
import itertools
import json
import math

import numpy as np
import tensorflow as tf

from vsa_tf.server.check_inputs import check_num_rows, dtype_name, takes_any_number_of_rows
from vsa_tf.server.request_limits import ServingError

_INTEGERS = {tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64}
# By dtype: whole numbers of more bits are not exact.
_MANTISSA_BITS = {tf.float32: 24, tf.float64: 53}
# Types of JSON values, as TensorFlow Serving's messages call them.
_TYPE_NAMES = {
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
    type(None): "Null",
}
# Each is followed by one, but for a closing bracket.
_STARTS_OF_VALUES = ",[{"
_CHUNK_BYTES = 1 << 18
_LONGEST_QUOTE = 100
# Of numpy's arrays.
_MOST_DIMENSIONS = 64
_WHITE_SPACE = b" \t\n\r\f\v"


class JsonRequest:
    """A request in TensorFlow Serving's row or columnar format.

    Args:
        body: bytes: `{"signature_name": text, "instances": [...]}` or `{..., "inputs": ...}`.
        limits: `RequestLimits`.

    Attributes:
        signature_name: empty where the request names none.
        is_row_format: whether the inputs come row by row, and the outputs are to.

    Raises:
        ServingError: INVALID_ARGUMENT, with the messages of util/json_tensor.cc.
    """

    def __init__(self, body, limits):
        self._limits = limits
        request = read_json_object(body, limits)
        self.signature_name = request.get("signature_name", "")
        if "instances" in request and "inputs" in request:
            raise _invalid(
                f"JSON Value: {quote_json(request)} Not formatted correctly expecting only one of "
                "'inputs' or 'instances' keys to exist "
            )
        self.is_row_format = "instances" in request
        if self.is_row_format:
            self._inputs = request["instances"]
            if not isinstance(self._inputs, list):
                raise _invalid(
                    f"JSON Value: {quote_json(request)} Excepting 'instances' to be an list/array"
                )
            if not self._inputs:
                raise _invalid(f"JSON Value: {quote_json(request)} No values in 'instances' array")
        elif "inputs" in request:
            self._inputs = request["inputs"]
        else:
            raise _invalid("Missing 'inputs' or 'instances' key")

    def arrays(self, signature_def):
        """Returns the inputs, a dict of name to numpy array, rows first.

        Args:
            signature_def: `SignatureDef` protocol buffer; it says which dtypes are meant.

        Raises:
            ServingError: INVALID_ARGUMENT.
        """
        dtypes = {name: info.dtype for name, info in sorted(signature_def.inputs.items())}
        if not dtypes:
            raise _invalid(
                f"Failed to get input map for signature: {self.signature_name or 'DEFAULT'}"
            )
        if not self.is_row_format:
            return self._from_columns(dtypes)
        if takes_any_number_of_rows(signature_def):
            check_num_rows(len(self._inputs), self._limits)
        return self._from_rows(dtypes)

    def _from_columns(self, dtypes):
        if not isinstance(self._inputs, dict) or _is_base64(self._inputs):
            if len(dtypes) > 1:
                raise _invalid(
                    "inputs is a plain value/list, but expecting an object as multiple input "
                    "tensors required as per tensorinfo_map"
                )
            return {name: json_tensor(self._inputs, dtype) for name, dtype in dtypes.items()}
        for name in dtypes:
            if name not in self._inputs:
                raise _invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: json_tensor(self._inputs[name], dtype) for name, dtype in dtypes.items()}

    def _from_rows(self, dtypes):
        are_objects = _is_object(self._inputs[0])
        if not are_objects and len(dtypes) > 1:
            raise _invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                "tensors required as per tensorinfo_map"
            )
        columns = {name: [] for name in dtypes}
        for number, row in enumerate(self._inputs):
            if are_objects != _is_object(row):
                wanted, got = ("object", "list") if are_objects else ("value/list", "object")
                raise _invalid(f"Expecting {wanted} but got {got} at item {number} of input list")
            if not are_objects:
                row = {next(iter(dtypes)): row}
            elif set(row) != set(dtypes):
                raise _invalid(
                    f"Failed to process element: {number} of 'instances' list. JSON object: "
                    f"{quote_json(row)} keys must be equal to: {','.join(dtypes)}"
                )
            for name, column in columns.items():
                try:
                    column.append(json_tensor(row[name], dtypes[name]))
                    _check_shape(column)
                except ServingError as error:
                    key = f" key: {name}" if are_objects else ""
                    raise _invalid(
                        f"Failed to process element: {number}{key} of 'instances' list. Error: "
                        f"{error}"
                    ) from error
        return {name: np.stack(column) for name, column in columns.items()}


def _check_shape(column):
    first, last = column[0], column[-1]
    if first.size != last.size:
        raise _invalid(f"Expecting tensor size: {first.size} but got: {last.size}")
    if first.shape != last.shape:
        raise _invalid(f"Expecting shape {_shape_text(first)} but got: {_shape_text(last)}")


def _shape_text(array):
    return f"[{','.join(map(str, array.shape))}]"


def _is_base64(value):
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _is_object(value):
    return isinstance(value, dict) and not _is_base64(value)


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
    if len(shape) > _MOST_DIMENSIONS:
        raise _invalid(
            f"Expected at most {_MOST_DIMENSIONS} lists in lists. Received: {len(shape)}"
        )
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
    try:
        digits = text.encode("ascii").translate(None, _WHITE_SPACE)
        # As absl's decoder: the padding may be left out.
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)
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


def quote_json(value):
    """Returns a JSON value as text, cut short: it may be a photograph, or a million lists."""
    text = ""
    try:
        for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
            text += part
            if len(text) > _LONGEST_QUOTE:
                return f"{text[:_LONGEST_QUOTE]}..."
    except RecursionError:
        return "nested too deeply to show"
    return text


def read_json_object(body, limits):
    """Returns the object that a request's body holds, a dict.

    Args:
        body: bytes. Its `signature_name`, where it has one, is a string.
        limits: `RequestLimits`.

    Raises:
        ServingError: INVALID_ARGUMENT: it is no JSON object, or holds too many values.
    """
    if not body:
        raise _invalid("JSON Parse error: The document is empty")
    # Most photographs and sentences have few commas: then the quicker count says enough.
    if sum(body.count(ord(start)) for start in _STARTS_OF_VALUES) > limits.max_values:
        if count_json_values(body, limits.max_values) > limits.max_values:
            raise _invalid(f"Expected at most {limits.max_values} values in JSON. Received: more")
    try:
        # UTF-8 alone, in which no other character holds the bytes that were counted.
        request = json.loads(body.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise _invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or nested without end
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise _invalid(f"JSON Value: {quote_json(request)} Is not object")
    if not isinstance(request.get("signature_name", ""), str):
        raise _invalid(
            f"JSON Value: {quote_json(request)} not formatted correctly. 'signature_name' key "
            "must be a string value."
        )
    return request


def count_json_values(body, most=math.inf):
    """Returns how many values a JSON text holds, without reading it: commas and opening brackets.

    Those within strings do not count. Of an empty list or object one too many is counted.

    Args:
        body: bytes, UTF-8.
        most: the counting ends soon after.

    >>> count_json_values(b'{"inputs": ["a, [b] c", 2]}')
    3
    """
    # What an escape stands for is neither a quote nor the beginning of another escape.
    codes = np.frombuffer(body.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    count, is_string = 0, False
    for first in range(0, len(codes), _CHUNK_BYTES):
        chunk = codes[first : first + _CHUNK_BYTES]
        # From an odd quote on to the next it is a string.
        in_string = np.logical_xor.accumulate(chunk == ord('"')) ^ is_string
        is_string = in_string[-1]
        count += sum(np.count_nonzero((chunk == ord(c)) & ~in_string) for c in _STARTS_OF_VALUES)
        if count > most:
            break
    return int(count)


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", message)
