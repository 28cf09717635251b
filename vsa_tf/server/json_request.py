"""The body of a Predict request in JSON."""

import numpy as np

from vsa_tf.server.json_tensor import json_tensor
from vsa_tf.server.quote_json import quote_json
from vsa_tf.server.read_json_object import read_json_object
from vsa_tf.server.serving_error import ServingError


class JsonRequest:
    """A request in TensorFlow Serving's row or columnar format.

    Args:
        body: bytes: `{"signature_name": text, "instances": [...]}` or `{..., "inputs": ...}`.

    Attributes:
        signature_name: empty where the request names none.
        is_row_format: whether the inputs come row by row, and the outputs are to.

    Raises:
        ServingError: INVALID_ARGUMENT, with the messages of util/json_tensor.cc.
    """

    def __init__(self, body):
        request = read_json_object(body)
        self.signature_name = request.get("signature_name", "")
        if "instances" in request and "inputs" in request:
            raise _invalid(
                f"JSON Value: {quote_json(request)} Not formatted correctly expecting only one of "
                "'inputs' or 'instances' keys to exist "
            )
        self.is_row_format = "instances" in request
        if self.is_row_format:
            self._inputs = request["instances"]
            if not isinstance(self._inputs, list):
                raise _invalid(
                    f"JSON Value: {quote_json(request)} Excepting 'instances' to be an list/array"
                )
            if not self._inputs:
                raise _invalid(f"JSON Value: {quote_json(request)} No values in 'instances' array")
        elif "inputs" in request:
            self._inputs = request["inputs"]
        else:
            raise _invalid("Missing 'inputs' or 'instances' key")

    def arrays(self, signature_def):
        """Returns the inputs, a dict of name to numpy array, rows first.

        Args:
            signature_def: `SignatureDef` protocol buffer; it says which dtypes are meant.

        Raises:
            ServingError: INVALID_ARGUMENT.
        """
        dtypes = {name: info.dtype for name, info in sorted(signature_def.inputs.items())}
        if not dtypes:
            raise _invalid(
                f"Failed to get input map for signature: {self.signature_name or 'DEFAULT'}"
            )
        return self._from_rows(dtypes) if self.is_row_format else self._from_columns(dtypes)

    def _from_columns(self, dtypes):
        if not isinstance(self._inputs, dict) or _is_base64(self._inputs):
            if len(dtypes) > 1:
                raise _invalid(
                    "inputs is a plain value/list, but expecting an object as multiple input "
                    "tensors required as per tensorinfo_map"
                )
            return {name: json_tensor(self._inputs, dtype) for name, dtype in dtypes.items()}
        for name in dtypes:
            if name not in self._inputs:
                raise _invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: json_tensor(self._inputs[name], dtype) for name, dtype in dtypes.items()}

    def _from_rows(self, dtypes):
        are_objects = _is_object(self._inputs[0])
        if not are_objects and len(dtypes) > 1:
            raise _invalid(
                "instances is a plain list, but expecting list of objects as multiple input "
                "tensors required as per tensorinfo_map"
            )
        columns = {name: [] for name in dtypes}
        for number, row in enumerate(self._inputs):
            if are_objects != _is_object(row):
                wanted, got = ("object", "list") if are_objects else ("value/list", "object")
                raise _invalid(f"Expecting {wanted} but got {got} at item {number} of input list")
            if not are_objects:
                row = {next(iter(dtypes)): row}
            elif set(row) != set(dtypes):
                raise _invalid(
                    f"Failed to process element: {number} of 'instances' list. JSON object: "
                    f"{quote_json(row)} keys must be equal to: {','.join(dtypes)}"
                )
            for name, column in columns.items():
                try:
                    column.append(json_tensor(row[name], dtypes[name]))
                    _check_shape(column)
                except ServingError as error:
                    key = f" key: {name}" if are_objects else ""
                    raise _invalid(
                        f"Failed to process element: {number}{key} of 'instances' list. Error: "
                        f"{error}"
                    ) from error
        return {name: np.stack(column) for name, column in columns.items()}


def _check_shape(column):
    first, last = column[0], column[-1]
    if first.size != last.size:
        raise _invalid(f"Expecting tensor size: {first.size} but got: {last.size}")
    if first.shape != last.shape:
        raise _invalid(f"Expecting shape {_shape_text(first)} but got: {_shape_text(last)}")


def _shape_text(array):
    return f"[{','.join(map(str, array.shape))}]"


def _is_base64(value):
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _is_object(value):
    return isinstance(value, dict) and not _is_base64(value)


def _invalid(message):
    return ServingError("INVALID_ARGUMENT", message)
