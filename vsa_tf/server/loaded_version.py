"""A SavedModel in memory."""

import pathlib
import re

import tensorflow as tf
import tensorflow_text  # noqa: F401 - its operations, which TensorFlow Serving has built in
from tensorflow.core.protobuf import saved_model_pb2

from vsa_tf.server.serving_error import ServingError

_DEFAULT_SIGNATURE = "serving_default"
# Where TensorFlow would say where a node was defined in Python; a SavedModel does not know.
_NO_TRACE = "<stack traces unavailable>\n"
_FUNCTION_NAME = re.compile(r" \[Op:[^\]]*\]$")
_CODE_NAMES = {
    value: name
    for name, value in vars(tf.errors).items()
    if name.isupper() and isinstance(value, int)
}


class LoadedVersion:
    """One version of a model: its signatures, and what they compute.

    Args:
        name: of the model.
        version: int.
        path: the SavedModel's directory.

    Attributes:
        signature_defs: dict of name to `SignatureDef` protocol buffer.

    Raises:
        Exception: of many types, where the directory holds no whole SavedModel.
    """

    def __init__(self, name, version, path):
        self.name = name
        self.version = version
        self._module = tf.saved_model.load(str(path))
        # What tf.saved_model.load gives no more: the names of tensors and the signatures' methods.
        saved_model = saved_model_pb2.SavedModel()
        saved_model.ParseFromString(pathlib.Path(path, "saved_model.pb").read_bytes())
        graph = next(
            graph
            for graph in saved_model.meta_graphs
            if tf.saved_model.SERVING in graph.meta_info_def.tags
        )
        self.signature_defs = dict(graph.signature_def)

    def signature(self, name):
        """Returns the `SignatureDef` called `name`, the default one for an empty name.

        Raises:
            ServingError: there is none.
        """
        name = name or _DEFAULT_SIGNATURE
        # The SavedModel's own entries, `__saved_model_init_op`, compute nothing.
        if name not in self._module.signatures or name not in self.signature_defs:
            raise ServingError(
                "INVALID_ARGUMENT", f'Serving signature name: "{name}" not found in signature def'
            )
        return self.signature_defs[name]

    def run(self, name, inputs, output_names=()):
        """Computes a signature.

        Args:
            name: of the signature, or empty.
            inputs: dict of name to numpy array, as the signature wants them.
            output_names: outputs to return; none: all.

        Returns:
            A dict of name to numpy array.

        Raises:
            ServingError: what TensorFlow said, with its status code.
        """
        signature = self._module.signatures[name or _DEFAULT_SIGNATURE]
        try:
            outputs = signature(**{key: tf.constant(value) for key, value in inputs.items()})
        except tf.errors.OpError as error:
            message = _FUNCTION_NAME.sub("", error.message.rpartition(_NO_TRACE)[2])
            code = _CODE_NAMES.get(error.error_code, "UNKNOWN")
            raise ServingError(code, message) from error
        return {key: outputs[key].numpy() for key in output_names or sorted(outputs)}
