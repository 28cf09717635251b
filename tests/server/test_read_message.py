"""Messages of gRPC's requests: what two bytes can ask for is bounded before it is made."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.server.running_server import grpc_request
from vsa_tf.server.request_limits import ServingError
from vsa_tf.server.tensor_protos import read_message

_MEGABYTE = 1 << 20


def _read(data, max_fields=100, max_bytes=_MEGABYTE):
    return read_message(predict_pb2.PredictRequest, data, max_fields, max_bytes)


def _field(number, content):
    """A length-delimited field, as it is on the wire."""
    size, length = [], len(content)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content


def _input(tensor):
    return _field(2, _field(1, b"x") + _field(2, tensor))


@pytest.mark.parametrize(
    "data",
    [
        b"\x12\x00" * 101,  # entries of the map of inputs
        b"\x1a\x00" * 101,  # names of outputs
        _input(b"\x42\x00" * 101),  # empty strings of a tensor
        _input(_field(2, b"\x12\x00" * 101)),  # dimensions of its shape
        _input(b"\x7a\x00" * 101),  # variants, the largest messages
        b"\x50\x00" * 101,  # fields that the message does not have
    ],
)
def test_small_fields_without_number_are_refused(data):
    with pytest.raises(ServingError, match="INVALID_ARGUMENT.*at most 100 values"):
        _read(data)
    _read(data, max_fields=102 + 10)


def test_packed_numbers_are_counted_as_they_are_in_memory():
    # 200 numbers, of a byte each, are 8 bytes each as int64 and 4 as int32.
    for field, num_bytes in ((10, 1600), (7, 800)):
        data = _input(_field(field, b"\x01" * 200))
        with pytest.raises(ServingError, match=f"at most 700 bytes. Received: .* {num_bytes}"):
            _read(data, max_bytes=700)
        _read(data, max_bytes=1600)


def test_large_tensors_of_few_fields_are_read():
    image, numbers = [b"x" * 100000], np.arange(30000)
    request = grpc_request(
        image=image, numbers=numbers, typed=tf.make_tensor_proto(numbers.astype(np.float32))
    )
    request.inputs["packed"].dtype = tf.int32.as_datatype_enum
    request.inputs["packed"].int_val.extend(range(1000))
    assert _read(request.SerializeToString()) == request


@pytest.mark.parametrize("size", [1, 5, 300, 1000])
def test_a_message_cut_short_is_refused(size):
    request = grpc_request(image=[b"x" * 1000])
    with pytest.raises(ServingError, match="INVALID_ARGUMENT.*Expected a PredictRequest"):
        _read(request.SerializeToString()[:size], max_fields=20)


def test_a_message_nested_without_end_is_refused():
    tensor = b""
    for _ in range(400):
        tensor = _field(15, _field(3, tensor))  # a variant of a tensor of a variant ...
    with pytest.raises(ServingError, match="INVALID_ARGUMENT"):
        _read(_input(tensor))
