import json

import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.server.json_tensor import json_tensor
from vsa_tf.server.serving_error import ServingError


def _read(text, dtype):
    return json_tensor(json.loads(text), dtype.as_datatype_enum)


@pytest.mark.parametrize(
    ("text", "dtype", "expected"),
    [
        ("3", tf.int32, np.int32(3)),
        ("[[1, 2, 3], [4, 5, 6]]", tf.int64, np.int64([[1, 2, 3], [4, 5, 6]])),
        ("[0.1, 1, -2e3, 16777215]", tf.float32, np.float32([0.1, 1, -2000, 16777215])),
        ("[NaN, Infinity, -Infinity]", tf.float32, np.float32([np.nan, np.inf, -np.inf])),
        ("[9007199254740991]", tf.float64, np.float64([9007199254740991])),
        ("[true, false]", tf.bool, np.array([True, False])),
        ("[255, 0]", tf.uint8, np.uint8([255, 0])),
        ("[18446744073709551615]", tf.uint64, np.uint64([2**64 - 1])),
        ("[]", tf.float32, np.zeros(0, np.float32)),
        ("[[], []]", tf.float32, np.zeros((2, 0), np.float32)),
    ],
)
def test_numbers_keep_shape_and_dtype(text, dtype, expected):
    array = _read(text, dtype)
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape
    np.testing.assert_array_equal(array, expected)


def test_strings_are_utf8_bytes_or_base64():
    array = _read('[["é", "\\u0000"], [{"b64": "/+8="}, {"b64": "/+8"}]]', tf.string)
    assert array.dtype == object
    # ff ef in base64, with its padding and without.
    assert array.tolist() == [["é".encode(), b"\0"], [b"\xff\xef", b"\xff\xef"]]


@pytest.mark.parametrize(
    ("text", "dtype", "message"),
    [
        ('"a"', tf.float32, 'JSON Value: "a" Type: String is not of expected type: float'),
        ("true", tf.int32, "JSON Value: true Type: True is not of expected type: int32"),
        ("1.0", tf.int32, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ("[1, null]", tf.float32, "JSON Value: null Type: Null is not of expected type: float"),
        ("1", tf.bool, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ("[1, 256]", tf.uint8, "JSON Value: 256 Type: Number is not of expected type: uint8"),
        ("2147483648", tf.int32, "JSON Value: 2147483648 Type: Number is not of expected"),
        ("5", tf.string, "JSON Value: 5 Type: Number is not of expected type: string"),
        ('{"b64": "AA=="}', tf.float32, "Type: Object is not of expected type: float"),
        # 2 ** 24 and the largest float32 are the limits.
        ("16777216", tf.float32, "Cannot convert JSON value: 16777216 to float without loss"),
        ("3.5e38", tf.float32, "Cannot convert JSON value: 3.5e+38 to float without loss"),
        ("[[1, 2], [3]]", tf.int32, "unexpected size: 1 at level: 1 expected size: 2"),
        ("[1, [2]]", tf.int32, "Encountered list at unexpected level: 1 expected < 1"),
        (
            "[[1], 2]",
            tf.int32,
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ('{"b64": "A"}', tf.string, "Unable to base64 decode"),
        ('{"b64": "AAA?"}', tf.string, "Unable to base64 decode"),
        ('{"b64": 5}', tf.string, "not formatted correctly for base64 data"),
        ('{"b64": "AA==", "c": 1}', tf.string, "not formatted correctly for base64 data"),
        ('"\\ud800"', tf.string, "surrogate pair in string is invalid"),
    ],
)
def test_what_is_not_of_the_dtype_is_named(text, dtype, message):
    with pytest.raises(ServingError) as error:
        _read(text, dtype)
    assert error.value.code == "INVALID_ARGUMENT"
    assert message in error.value.message


def test_dtypes_that_json_lacks_are_unimplemented():
    with pytest.raises(ServingError, match="UNIMPLEMENTED.*to type: half"):
        _read("1.5", tf.float16)


def test_messages_stay_short():
    with pytest.raises(ServingError) as error:
        _read(json.dumps("x" * 100000), tf.float32)
    assert len(error.value.message) < 200
