"""How far the answers of two models are apart."""

import numpy as np


def answer_differences(model, other, examples):
    """Compares the answers to every signature.

    Args:
        model: a `LiveModel`, asked row by row.
        other: an `ExportedModel`, asked all rows at once: both ways must give the same.
        examples: `Examples`.

    Returns:
        dict of signature to dict of output to the largest difference of a number: relative for
        numbers above 1, infinite where texts, shapes or names differ.
    """
    differences = {}
    for name, inputs in model.signatures.items():
        rows = _inputs(inputs, examples)
        together = other.call(name, **rows)
        found = dict.fromkeys(together, 0.0)
        for index in range(len(examples.sentences)):
            row = {key: values[index : index + 1] for key, values in rows.items()}
            alone = model.call(name, **row)
            for output in alone.keys() | together.keys():
                difference = np.inf
                if output in alone and output in together:
                    difference = _difference(alone[output][0], together[output][index])
                found[output] = max(found.get(output, 0.0), difference)
        differences[name] = found
    return differences


def _inputs(names, examples):
    return {
        name: examples.image_bytes if name == "image_bytes" else examples.sentences
        for name in names
    }


def _difference(expected, received):
    """Of a row's output; among other rows it may be padded further."""
    expected, received = np.asarray(expected), np.asarray(received)
    fits = expected.ndim == received.ndim and expected.dtype.kind == received.dtype.kind
    if not fits or any(np.less(received.shape, expected.shape)):
        return np.inf
    received = received[tuple(slice(size) for size in expected.shape)]
    differs = expected != received
    if not differs.any():
        return 0.0
    if expected.dtype.kind not in "fi":
        return np.inf
    expected, received = (values[differs].astype(np.float64) for values in (expected, received))
    difference = np.abs(expected - received) / np.maximum(np.abs(expected), 1.0)
    return float(np.where(np.isfinite(difference), difference, np.inf).max())
