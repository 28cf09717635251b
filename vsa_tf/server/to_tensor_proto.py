"""Arrays to the protocol buffers of gRPC's answers."""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

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
