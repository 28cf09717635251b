"""Names of dtypes, as error messages give them."""

from tensorflow.core.framework import types_pb2


def dtype_name(dtype):
    """Returns TensorFlow's own name of a `DataType` number: "float", not "float32"."""
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
