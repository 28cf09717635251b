"""Outputs of a Predict request to JSON."""

import base64
import json
import math

import numpy as np

from vsa_tf.server.request_limits import ServingError

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def json_response(outputs, is_row_format):
    """Returns the body of an answer, bytes, as TensorFlow Serving writes it.

    Args:
        outputs: dict of name to numpy array.
        is_row_format: whether the request was: `{"predictions": [row, ...]}`, where each row is
            the value of the only output, or an object of all. Else `{"outputs": ...}`.

    Strings of outputs named `*_bytes` become `{"b64": text}`. Numbers have as many digits as tell
    them apart, and infinite ones are `Infinity` and `NaN`, which JSON itself lacks. White space
    differs, and bytes that are not UTF-8 are replaced, where TensorFlow Serving would write a
    document that no client can read.

    Raises:
        ServingError: the outputs cannot be split into rows, or a dtype cannot be written.
    """
    if not is_row_format:
        texts = {name: _nested(name, array, 0)[0] for name, array in outputs.items()}
        return f'{{"outputs": {_object(texts)}}}'.encode()
    num_rows = _num_rows(outputs)
    columns = {name: _nested(name, array, 1) for name, array in outputs.items()}
    rows = [
        _object({name: column[row] for name, column in columns.items()}) for row in range(num_rows)
    ]
    return f'{{"predictions": [{", ".join(rows)}]}}'.encode()


def _num_rows(outputs):
    expected = None
    for name, array in outputs.items():
        if not array.shape:
            raise ServingError("INVALID_ARGUMENT", f"Tensor name: {name} has no shape information ")
        if expected is not None and len(array) != expected:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: "
                f"{expected}",
            )
        expected = len(array)
    return expected


def _object(texts):
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


def _nested(name, array, axis):
    """The JSON texts of the parts of an array along its first `axis` axes, a flat list."""
    texts = _value_texts(name, array.ravel())
    for level in reversed(range(axis, array.ndim)):
        size = array.shape[level]
        texts = [
            f"[{', '.join(texts[part * size : (part + 1) * size])}]"
            for part in range(math.prod(array.shape[:level]))
        ]
    return texts


def _value_texts(name, values):
    if values.dtype == object:
        if name.endswith("_bytes"):
            return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in values]
        return [json.dumps(value.decode(errors="replace"), ensure_ascii=False) for value in values]
    if values.dtype == bool:
        return ["true" if value else "false" for value in values.tolist()]
    if values.dtype.kind in "iu":
        return list(map(str, values.tolist()))
    if values.dtype == np.float64:
        return _decimals(values, 17)
    if values.dtype in (np.float16, np.float32):
        return _decimals(values.astype(np.float32), 9)
    raise ServingError(
        "INVALID_ARGUMENT", f"Failed to write JSON value for tensor type: {values.dtype}"
    )


def _decimals(values, num_digits):
    """Six digits where they are exact, else `num_digits`, which always are."""
    numbers = values.tolist()
    texts = [f"{number:g}" for number in numbers]
    exact = np.array(list(map(float, texts))).astype(values.dtype) == values
    return [
        _with_point(text if is_exact else f"{number:.{num_digits}g}")
        for text, number, is_exact in zip(texts, numbers, exact.tolist())
    ]


def _with_point(text):
    if text[-1] in "fn":
        return _NOT_FINITE[text]
    # Whole numbers too are to be read as floating-point ones.
    return text if "." in text or "e" in text else f"{text}.0"
