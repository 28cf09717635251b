"""Protocol buffers of requests, whose size in memory is bounded before they are read."""

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

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
