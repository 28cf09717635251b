"""Checkpoints that are whole or absent, and that say what does not fit."""

import io
import json
import pathlib
import re

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import parse_json, read_arrays_of
from vsa_tf.files import write_atomically

_PROGRESS = "progress.json"


class CheckpointError(VsaTfError):
    """A checkpoint that cannot be read, or is of another model."""


def save_checkpoint(path, variables, progress):
    """Writes variables and progress to one file, atomically.

    A run killed at any moment leaves the old file or the new one, never a part of it.

    Args:
        path: the file.
        variables: list of Keras variables; seeds and counters are variables too.
        progress: a JSON value, such as the number of steps done.
    """
    path = pathlib.Path(path)
    arrays = {
        f"{index:04d}:{variable.path}": np.asarray(variable.value)
        for index, variable in enumerate(variables)
    }
    content = io.BytesIO()
    np.savez(content, **{_PROGRESS: np.array(json.dumps(progress))}, **arrays)
    write_atomically(path, content.getbuffer())


def restore_checkpoint(path, variables):
    """Assigns the values of a checkpoint to variables.

    Args:
        path: a file of `save_checkpoint`.
        variables: the variables that were saved, in the same order, built.

    Returns:
        The progress that was saved.

    Raises:
        CheckpointError: the file is unreadable, or holds other variables.
    """
    try:
        arrays = read_arrays_of(path)
    except (OSError, VsaTfError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: {error}. Restore the file, or remove it and "
            "train again"
        ) from error
    if _PROGRESS not in arrays:
        raise CheckpointError(f"{path} is not a checkpoint: it has no {_PROGRESS}")
    progress = parse_json(str(arrays.pop(_PROGRESS)), path)
    if len(arrays) < len(variables):
        raise CheckpointError(
            f"Expected {len(variables)} variables in {path}. Received: {len(arrays)}; it is of "
            "another model or optimiser. Use another --model_dir."
        )
    # The arrays are checked before any is assigned: a refused checkpoint changes nothing.
    values = []
    for variable, name in zip(variables, sorted(arrays)):
        saved_path, value = name.partition(":")[2], arrays[name]
        is_fitting = neutral_path(saved_path) == neutral_path(variable.path)
        # Texts and times are no numbers; V is how numpy stores bfloat16.
        if not is_fitting or value.shape != tuple(variable.shape) or value.dtype.kind in "SUMm":
            raise CheckpointError(
                f"Expected {variable.path} of shape {tuple(variable.shape)} in {path}. Received: "
                f"{saved_path} of shape {value.shape}, {value.dtype}; it is of another model. "
                "Use another --model_dir."
            )
        values.append(value)
    for variable, value in zip(variables, values):
        variable.assign(value)
    return progress


def neutral_path(path):
    """Returns the path of a variable without the numbers that Keras appends to names used again."""
    # In the middle too: an optimiser's variables are named after the model's, slashes replaced.
    return re.sub(r"_[0-9]+(?=[_/]|$)", "", path)
