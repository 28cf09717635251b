import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from vsa_tf.server.json_request import JsonRequest, count_json_values, json_tensor, quote_json
from vsa_tf.server.request_limits import RequestLimits, ServingError


def _signature(**dtypes):
    signature_def = meta_graph_pb2.SignatureDef()
    for name, dtype in dtypes.items():
        signature_def.inputs[name].dtype = dtype.as_datatype_enum
    return signature_def


LIMITS = RequestLimits()
ONE = _signature(x=tf.float32)
TWO = _signature(sentence=tf.string, x=tf.float32)


def _arrays(signature_def, **request):
    return JsonRequest(json.dumps(request).encode(), LIMITS).arrays(signature_def)


def test_rows_of_one_input_are_its_values():
    arrays = _arrays(ONE, instances=[[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(arrays["x"], np.float32([[1, 2], [3, 4], [5, 6]]))


def test_rows_of_one_input_may_name_it():
    np.testing.assert_array_equal(_arrays(ONE, instances=[{"x": 1}, {"x": 2}])["x"], [1, 2])


def test_rows_of_several_inputs_are_objects():
    arrays = _arrays(TWO, instances=[{"x": [1], "sentence": "a"}, {"sentence": "b", "x": [2]}])
    np.testing.assert_array_equal(arrays["x"], [[1], [2]])
    assert arrays["sentence"].tolist() == [b"a", b"b"]


def test_a_base64_object_is_a_value_and_no_row_of_names():
    arrays = _arrays(_signature(image_bytes=tf.string), instances=[{"b64": "QUI="}, "c"])
    assert arrays["image_bytes"].tolist() == [b"AB", b"c"]


def test_columns_are_whole_inputs():
    np.testing.assert_array_equal(_arrays(ONE, inputs=[[1, 2]])["x"], [[1, 2]])
    np.testing.assert_array_equal(_arrays(ONE, inputs={"x": 7})["x"], 7)
    arrays = _arrays(TWO, inputs={"sentence": ["a"], "x": [1]})
    assert arrays["sentence"].tolist() == [b"a"]


def test_the_signature_is_named_or_left_out():
    assert JsonRequest(b'{"inputs": 1}', LIMITS).signature_name == ""
    assert (
        JsonRequest(b'{"inputs": 1, "signature_name": "align"}', LIMITS).signature_name == "align"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"image", "JSON Parse error: Expecting value at offset: 0"),
        (b'{"inputs": "\x01"}', "JSON Parse error: Invalid control character at"),
        (b'{"inputs": "\xff"}', "JSON Parse error: 'utf-8' codec can't decode"),
        (b"[" * 200000, "JSON Parse error: maximum recursion depth exceeded"),
        (b'{"inputs": ' + b"1" * 5000 + b"}", "JSON Parse error: Exceeds the limit"),
        (b"[1]", "JSON Value: [1] Is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"signature_name": 5, "inputs": 1}', "'signature_name' key must be a string"),
        (b'{"inputs": 1, "instances": [1]}', "only one of 'inputs' or 'instances'"),
        (b'{"instances": {"x": 1}}', "Excepting 'instances' to be an list/array"),
        (b'{"instances": []}', "No values in 'instances' array"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body, message):
    with pytest.raises(ServingError) as error:
        JsonRequest(body, LIMITS)
    assert error.value.http_status == 400
    assert message in error.value.message


@pytest.mark.parametrize(
    ("signature_def", "request_", "message"),
    [
        (TWO, {"instances": [1]}, "instances is a plain list, but expecting list of objects"),
        (TWO, {"inputs": [1]}, "inputs is a plain value/list, but expecting an object"),
        (TWO, {"inputs": {"x": 1}}, "Missing named input: sentence in 'inputs' object."),
        (TWO, {"instances": [{"x": 1}]}, "keys must be equal to: sentence,x"),
        (ONE, {"instances": [1, {"x": 1}]}, "Expecting value/list but got object at item 1"),
        (ONE, {"instances": [{"x": 1}, 1]}, "Expecting object but got list at item 1"),
        (
            ONE,
            {"instances": [[1], [1, 2]]},
            "Failed to process element: 1 of 'instances' list. "
            "Error: INVALID_ARGUMENT: Expecting tensor size: 1 but got: 2",
        ),
        (
            ONE,
            {"instances": [{"x": [[1], [2]]}, {"x": [[1, 2]]}]},
            "element: 1 key: x of "
            "'instances' list. Error: INVALID_ARGUMENT: Expecting shape [2,1] but got: [1,2]",
        ),
        (_signature(), {"inputs": 1}, "Failed to get input map for signature: DEFAULT"),
    ],
)
def test_inputs_that_the_signature_does_not_have_are_refused(signature_def, request_, message):
    with pytest.raises(ServingError) as error:
        _arrays(signature_def, **request_)
    assert error.value.code == "INVALID_ARGUMENT"
    assert message in error.value.message


def _tensor(text, dtype):
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
    array = _tensor(text, dtype)
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape
    np.testing.assert_array_equal(array, expected)


def test_strings_are_utf8_bytes_or_base64():
    array = _tensor('[["é", "\\u0000"], [{"b64": "/+8="}, {"b64": "/+8"}]]', tf.string)
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
        _tensor(text, dtype)
    assert error.value.code == "INVALID_ARGUMENT"
    assert message in error.value.message


def test_dtypes_that_json_lacks_are_unimplemented():
    with pytest.raises(ServingError, match="UNIMPLEMENTED.*to type: half"):
        _tensor("1.5", tf.float16)


def test_a_message_quotes_the_start_of_a_long_value():
    with pytest.raises(ServingError) as error:
        _tensor(json.dumps("x" * 100000), tf.float32)
    assert len(error.value.message) < 200


class TestBounds:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("[1]", 1),
            ('{"a": [1, 2], "b": 3}', 4),
            ('["a, [b] {c}", ","]', 2),
            (r'["\"", 1, "a\\", [2]]', 5),
            (r'["\\\",", 1]', 2),
            ('["é,Ģ,∢", 1]', 2),
        ],
    )
    def test_values_are_counted_but_not_within_strings(self, monkeypatch, text, count):
        json.loads(text)
        assert count_json_values(text.encode()) == count
        with monkeypatch.context() as patch:  # strings that go from one chunk to the next
            patch.setattr("vsa_tf.server.json_request._CHUNK_BYTES", 2)
            assert count_json_values(text.encode()) == count

    @pytest.mark.parametrize("value", ["[]", "{}", '""', "0", '{"": 0}'])
    def test_more_values_than_the_limit_are_refused_before_they_are_made(self, value):
        limits = RequestLimits(max_values=100)
        body = f'{{"instances": [{", ".join([value] * 101)}]}}'.encode()
        with pytest.raises(ServingError, match="INVALID_ARGUMENT: Expected at most 100 values"):
            JsonRequest(body, limits)

    def test_commas_in_texts_are_no_values(self):
        limits = RequestLimits(max_values=100)
        body = json.dumps({"inputs": ['a, b", ' * 1000, '[{"' * 1000]}).encode()
        signature_def = _signature(sentences=tf.string)
        assert JsonRequest(body, limits).arrays(signature_def)["sentences"].shape == (2,)

    def test_other_encodings_in_which_a_quote_may_be_half_a_letter_are_refused(self):
        for encoding in ("utf-16", "utf-32"):
            with pytest.raises(ServingError, match="JSON Parse error"):
                JsonRequest('{"inputs": 1}'.encode(encoding), LIMITS)
        assert JsonRequest('{"inputs": 1}'.encode("utf-8-sig"), LIMITS).signature_name == ""

    def test_too_many_rows_are_refused_before_they_are_read(self):
        open_rows = _signature(x=tf.float32)
        open_rows.inputs["x"].tensor_shape.dim.add(size=-1)
        with pytest.raises(ServingError, match="Task size 65 is larger"):
            _arrays(open_rows, instances=["not a number"] * 65)

    def test_lists_nested_deeper_than_any_tensor_are_refused(self):
        for depth in (65, 900):
            with pytest.raises(ServingError, match=f"at most 64 lists in lists. Received: {depth}"):
                _tensor("[" * depth + "1" + "]" * depth, tf.float32)
        assert _tensor("[" * 64 + "1" + "]" * 64, tf.float32).ndim == 64

    def test_white_space_in_base64_is_left_out(self):
        assert _tensor('{"b64": "\\n/+\\t8\\r\\n ="}', tf.string).item() == b"\xff\xef"
        with pytest.raises(ServingError, match="Unable to base64 decode"):
            _tensor('{"b64": "/+8é"}', tf.string)

    def test_a_message_quotes_the_start_of_many_values(self):
        text = quote_json([[]] * 1000)
        assert text == "[" + "[], " * 24 + "[],..."
