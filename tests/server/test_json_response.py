import json

import numpy as np
import pytest

from vsa_tf.server.json_response import json_response
from vsa_tf.server.request_limits import ServingError


def _strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_the_only_output_is_not_named():
    x = np.float32([[1, 2.5], [3, 4]])
    assert json_response({"y": x}, True) == b'{"predictions": [[1.0, 2.5], [3.0, 4.0]]}'
    assert json_response({"y": x}, False) == b'{"outputs": [[1.0, 2.5], [3.0, 4.0]]}'


def test_several_outputs_are_objects():
    outputs = {"n": np.int64([1, 2]), "ok": np.array([True, False])}
    assert json.loads(json_response(outputs, True)) == {
        "predictions": [{"n": 1, "ok": True}, {"n": 2, "ok": False}]
    }
    assert json.loads(json_response(outputs, False)) == {
        "outputs": {"n": [1, 2], "ok": [True, False]}
    }


def test_bytes_are_base64_by_the_output_s_name():
    outputs = {"text": _strings('é"\n<b>'.encode()), "raw_bytes": _strings(b"\xff\xef")}
    assert json.loads(json_response(outputs, False)) == {
        "outputs": {"text": ['é"\n<b>'], "raw_bytes": [{"b64": "/+8="}]}
    }


def test_texts_that_are_not_utf8_are_still_json():
    body = json_response({"text": _strings(b"a\xff")}, False)
    assert json.loads(body) == {"outputs": ["a\ufffd"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.2), "0.2"),  # not 0.20000000298, which it is as a double
        (np.float32(1 / 3), "0.333333343"),
        (np.float32(9000000), "9e+06"),
        (np.float32(16777215), "16777215.0"),
        (np.float32(-0.0), "-0.0"),
        (np.float64(1 / 3), "0.33333333333333331"),
        (np.float16(0.1), "0.0999755859"),  # 1638 / 16384, the nearest half
        (np.float32(np.nan), "NaN"),
        (np.float32(np.inf), "Infinity"),
        (np.float64(-np.inf), "-Infinity"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.int8(-5), "-5"),
    ],
)
def test_numbers_are_as_short_as_tensorflow_serving_s(value, text):
    assert json_response({"y": np.array(value)}, False) == f'{{"outputs": {text}}}'.encode()


def test_every_float_reads_back_the_same():
    bits = np.random.default_rng(0).integers(0, 2**32, 20000, np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    body = json.loads(json_response({"y": values}, False))
    np.testing.assert_array_equal(np.float32(body["outputs"]), values)


@pytest.mark.parametrize("shape", [(2, 0), (2, 0, 3), (0, 2), (2, 3, 0), (1, 2, 3)])
def test_empty_axes_keep_their_place(shape):
    values = np.arange(np.prod(shape)).reshape(shape)
    body = json_response({"y": values}, True)
    assert json.loads(body) == {"predictions": values.tolist()}


def test_rows_need_equally_long_outputs():
    with pytest.raises(ServingError, match="b has inconsistent batch size: 2 expecting: 1"):
        json_response({"a": np.zeros(1), "b": np.zeros(2)}, True)
    with pytest.raises(ServingError, match="Tensor name: a has no shape information"):
        json_response({"a": np.float32(1)}, True)


def test_dtypes_that_json_lacks_are_refused():
    with pytest.raises(ServingError, match="Failed to write JSON value for tensor type: complex64"):
        json_response({"a": np.zeros(1, np.complex64)}, True)
