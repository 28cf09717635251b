"""A SavedModel that answers questions about photographs. It needs TensorFlow, and no Keras."""

import contextlib
import sys

import numpy as np

from vsa_tf.errors import InputError, VsaTfError, operation_reason
from vsa_tf.file_reading import reason_of
from vsa_tf.files import MODEL_CARD, check_files
from vsa_tf.inference.signatures import check_numbers, version_path

# Of up to so many photographs, all of them together take less time longer than their graph takes
# to be optimised.
_FEW = 16


def _tensorflow():
    """Returns TensorFlow; Keras is imported later, by what uses it.

    TensorFlow's last line imports it, if it is there, for optimisers in SavedModels; ours hold
    none. scikit-learn, pandas and matplotlib come with it, and it takes two fifths of the time.
    """
    blocked = {f"{keras}.src.optimizers" for keras in ("keras", "tf_keras")} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(blocked))
    try:
        import tensorflow
    finally:
        for name in blocked:
            del sys.modules[name]
    return tensorflow


tf = _tensorflow()


class ExportedModel:
    """Answers as `LocalModel` does, by a SavedModel that `vsa_tf.export` has written.

    Args:
        saved_model: its directory, or the one above it, whose newest version is taken.
        num_photographs: how many it will be asked about. For a few, TensorFlow does not optimise
            graphs, in the whole process: that is a third of the time that the first answer takes.
            None: any number.

    Attributes:
        path: directory of the version.
        signatures: dict of name to the names of its inputs.

    Raises:
        VsaTfError: there is no SavedModel, or one of its files is not as it was written.
    """

    def __init__(self, saved_model, num_photographs=None):
        self.path = version_path(saved_model)
        check_files(self.path, MODEL_CARD)
        if num_photographs is not None and num_photographs <= _FEW:
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        try:
            self._module = tf.saved_model.load(str(self.path))
        except Exception as error:  # of many types, where a file is damaged or missing
            raise VsaTfError(
                f"{self.path} cannot be loaded: {reason_of(error)}. Export the model again"
            ) from error
        self._functions = dict(self._module.signatures)
        # One of the others, by another name.
        self._functions.pop("serving_default", None)
        self.signatures = {
            name: tuple(sorted(function.structured_input_signature[1]))
            for name, function in self._functions.items()
        }

    def call(self, name, **inputs):
        """Answers one signature; arguments, results and errors as of `LocalModel.call`."""
        function = self._functions[name]
        wanted = function.structured_input_signature[1]
        tensors = {key: tf.constant(value, wanted[key].dtype) for key, value in inputs.items()}
        with input_errors():
            return check_numbers(as_arrays(function(**tensors)))


@contextlib.contextmanager
def input_errors():
    """Raises InputError where an operation of a model refuses an input."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise InputError(operation_reason(error.message)) from error


def as_arrays(outputs):
    """Returns a dict of tensors as one of numpy arrays; strings are arrays of str."""
    return {key: _array(np.asarray(value)) for key, value in outputs.items()}


def _array(array):
    if array.dtype != object:
        return array
    return np.vectorize(tf.compat.as_str, otypes=[object])(array) if array.size else array
