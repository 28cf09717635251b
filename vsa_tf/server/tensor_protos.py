"""Arrays and the protocol buffers of gRPC's requests and answers."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

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
