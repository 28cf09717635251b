"""The protocol buffers of gRPC's requests to arrays."""

import math

import tensorflow as tf

# Of a string tensor, which holds pointers.
_POINTER_BYTES = 8


def from_tensor_proto(proto, max_bytes=None):
    """Returns the numpy array that a `TensorProto` describes.

    Args:
        proto: the numbers in their typed field or as raw bytes; a single one, or the last one,
            stands for all that follow.
        max_bytes: of the array. A few bytes can ask for any number of them.

    Raises:
        ValueError: the protocol buffer contradicts itself, or is larger.
    """
    if proto.tensor_shape.unknown_rank or any(dim.size < 0 for dim in proto.tensor_shape.dim):
        raise ValueError("Expected a known shape. Received: a shape with unknown sizes")
    try:
        dtype = tf.as_dtype(proto.dtype)
        item_bytes = dtype.size or _POINTER_BYTES
    except TypeError as error:
        raise ValueError(f"Expected a dtype. Received: {proto.dtype}") from error
    num_bytes = item_bytes * math.prod(dim.size for dim in proto.tensor_shape.dim)
    if max_bytes is not None and num_bytes > max_bytes:
        raise ValueError(f"Expected at most {max_bytes} bytes. Received: a tensor of {num_bytes}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected a whole tensor. Received: {error}") from error
