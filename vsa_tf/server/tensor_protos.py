"""The protocol buffers of gRPC's requests and answers, read within bounds, and their arrays."""

import math

import numpy as np
import tensorflow as tf
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from vsa_tf.server.request_limits import ServingError

# Wire types: https://protobuf.dev/programming-guides/encoding
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
# What the numbers take in memory that are packed as varints.
_VARINT_BYTES = {
    FieldDescriptor.CPPTYPE_INT32: 4,
    FieldDescriptor.CPPTYPE_UINT32: 4,
    FieldDescriptor.CPPTYPE_INT64: 8,
    FieldDescriptor.CPPTYPE_UINT64: 8,
}
# Two bytes or more each.
_SMALLEST_FIELD = 2
# Of protobuf itself, which refuses what is nested deeper.
_DEEPEST = 100
# Of numpy's arrays.
_LARGEST_RANK = 64
# Of a string tensor, which holds pointers.
_POINTER_BYTES = 8
# Field of a TensorProto, by dtype.
_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    **{dtype: "int_val" for dtype in (tf.int32, tf.int16, tf.int8, tf.uint16, tf.uint8)},
}


def read_message(message_type, data, max_fields, max_bytes):
    """Returns a message.

    Two bytes can name an empty message, which takes two hundred bytes of memory.

    Args:
        message_type: class of a protocol buffer.
        data: bytes.
        max_fields: of the message and all within it.
        max_bytes: of the packed numbers of one field.

    Raises:
        ServingError: INVALID_ARGUMENT: there is more of them, or it is no such message.
    """
    if len(data) > _SMALLEST_FIELD * max_fields:
        try:
            _Walk(data, max_fields, max_bytes).count(0, len(data), message_type.DESCRIPTOR, 0)
        except IndexError:  # cut short; protobuf says so too
            pass
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise _invalid(f"Expected a {message_type.DESCRIPTOR.name}. Received: {error}") from error


class _Walk:
    """Goes through the fields of a message as they are on the wire, and makes nothing of them."""

    def __init__(self, data, max_fields, max_bytes):
        self._data = data
        self._max_fields = max_fields
        self._max_bytes = max_bytes
        self._num_fields = 0

    def count(self, position, end, descriptor, depth):
        while position < end and depth < _DEEPEST:
            self._num_fields += 1
            if self._num_fields > self._max_fields:
                raise _invalid(f"Expected at most {self._max_fields} values. Received: more")
            tag, position = self._varint(position)
            kind = tag & 7
            if kind == _VARINT:
                _, position = self._varint(position)
            elif kind == _DELIMITED:
                length, position = self._varint(position)
                field = descriptor.fields_by_number.get(tag >> 3)
                if field is not None and field.message_type is not None:
                    self.count(position, min(position + length, end), field.message_type, depth + 1)
                elif field is not None and field.is_packed:
                    self._check_packed(position, length, field)
                position += length
            else:
                position += _FIXED_BYTES.get(kind, 0)

    def _check_packed(self, position, length, field):
        item_bytes = _VARINT_BYTES.get(field.cpp_type)
        if item_bytes is None:  # as large in memory as here
            return
        codes = np.frombuffer(self._data[position : position + length], np.uint8)
        num_bytes = item_bytes * int(np.count_nonzero(codes < 128))  # the last byte of each
        if num_bytes > self._max_bytes:
            raise _invalid(
                f"Expected at most {self._max_bytes} bytes. Received: a tensor of {num_bytes}"
            )

    def _varint(self, position):
        value = shift = 0
        while True:
            code = self._data[position]
            position += 1
            value |= (code & 127) << shift
            shift += 7
            if code < 128:
                return value, position
            if shift > 63:
                raise IndexError


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", f"tensor parsing error: {message}")


def from_tensor_proto(proto, max_bytes=None):
    """Returns the numpy array that a `TensorProto` describes.

    Args:
        proto: the numbers in their typed field or as raw bytes; a single one, or the last one,
            stands for all that follow.
        max_bytes: of the array. A few bytes can ask for any number of them.

    Raises:
        ValueError: the protocol buffer contradicts itself, or is larger.
    """
    rank = len(proto.tensor_shape.dim)
    if rank > _LARGEST_RANK:  # their product might be a number of millions of digits
        raise ValueError(f"Expected at most {_LARGEST_RANK} dimensions. Received: {rank}")
    if proto.tensor_shape.unknown_rank or any(dim.size < 0 for dim in proto.tensor_shape.dim):
        raise ValueError("Expected a known shape. Received: a shape with unknown sizes")
    try:
        dtype = tf.as_dtype(proto.dtype)
        item_bytes = dtype.size or _POINTER_BYTES
    except TypeError as error:
        raise ValueError(f"Expected a dtype. Received: {proto.dtype}") from error
    size = math.prod(dim.size for dim in proto.tensor_shape.dim)
    num_bytes = item_bytes * size
    if max_bytes is not None and num_bytes > max_bytes:
        raise ValueError(f"Expected at most {max_bytes} bytes. Received: a tensor of {num_bytes}")
    num_given = len(getattr(proto, _FIELDS.get(dtype, "string_val")))
    if num_given > size:
        raise ValueError(f"Expected at most {size} values. Received: {num_given}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected a whole tensor. Received: {error}") from error


def to_tensor_proto(array):
    """Returns a `TensorProto` with the numbers in their typed field, as TensorFlow Serving's.

    `tf.make_tensor_proto` writes raw bytes instead, where clients that read `float_val` find
    nothing.

    Args:
        array: numpy array of any shape; strings are objects, bytes.
    """
    dtype = tf.as_dtype(array.dtype)
    if dtype not in _FIELDS:
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    proto.tensor_shape.SetInParent()  # a scalar's too
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.ravel()
    if _FIELDS[dtype] == "half_val":
        values = values.view(np.uint16)
    getattr(proto, _FIELDS[dtype]).extend(values.tolist())
    return proto
