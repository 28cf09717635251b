"""Arrays to protocol buffers and back."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from vsa_tf.server.tensor_protos import from_tensor_proto, to_tensor_proto

ARRAYS = [
    np.float32([[1.5, -2], [np.inf, 0]]),
    np.float64(3.25),
    np.float16([0.1, -7]),
    tf.constant([0.5, 3], tf.bfloat16).numpy(),
    np.int32([[[1]]]),
    np.int64([2**62]),
    np.uint8([0, 255]),
    np.int16([-300]),
    np.uint16([65535]),
    np.uint32([2**32 - 1]),
    np.uint64([2**64 - 1]),
    np.array([True, False]),
    np.array([b"\xff\x00", b""], object),
    np.zeros((2, 0), np.float32),
    np.complex64([1 + 2j]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back(array):
    # TensorFlow's own function is the client's.
    client = tf.make_ndarray(to_tensor_proto(array))
    server = from_tensor_proto(tf.make_tensor_proto(array))
    for returned in (client, server):
        assert returned.shape == array.shape
        assert returned.dtype == array.dtype
        np.testing.assert_array_equal(returned, array)


def test_numbers_lie_in_their_typed_field():
    proto = to_tensor_proto(np.float32([1.5, 2]))
    assert list(proto.float_val) == [1.5, 2]
    assert proto.tensor_content == b""


def _proto(dtype, sizes, **fields):
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, **fields)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (_proto(tf.float32, [-1], float_val=[1]), "unknown sizes"),
        (_proto(tf.float32, [2], tensor_content=b"abc"), "Expected a whole tensor"),
        (_proto(tf.float32, [2, 2], tensor_content=bytes(4)), "Expected a whole tensor"),
        (tensor_pb2.TensorProto(dtype=0, float_val=[1]), "Received"),
        # Sizes whose product has a million digits.
        (_proto(tf.float32, [2**62] * 65, float_val=[1]), "at most 64 dimensions. Received: 65"),
        (_proto(tf.float32, [2], float_val=[1, 2, 3]), "at most 2 values. Received: 3"),
        # One number stands for all: 12 bytes that ask for four gigabytes.
        (_proto(tf.float32, [10**9], float_val=[1]), "Received: a tensor of 4000000000"),
        (_proto(tf.string, [10**9], string_val=[b""]), "Received: a tensor of 8000000000"),
    ],
)
def test_broken_and_boundless_protos_are_refused(proto, message):
    with pytest.raises(ValueError, match=message):
        from_tensor_proto(proto, max_bytes=1000)
