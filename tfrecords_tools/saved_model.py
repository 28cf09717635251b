"""Networks given as a SavedModel, by a directory or a handle."""

import hashlib

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from vsa_tf.file_reading import reason_of
from vsa_tf.model_handles import fetch_saved_model, recorded_spec

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class SavedModelError(ValueError):
    """A SavedModel that cannot be used, and why."""


class SavedModel:
    """A loaded SavedModel with one signature.

    Attributes:
        name: what records say of its handle.
        module: the loaded object; it must stay alive as long as its signature is used.
        signature: the concrete function of `serving_default` (or `default`).
        input_name: name of the signature's only input.
        checksum: sha256 over the names and bytes of the model's files.
    """

    def __init__(self, handle):
        """Loads `handle`, see `vsa_tf.model_handles`.

        Raises:
            SavedModelError: it is none of a SavedModel with one signature of one input.
        """
        self.name = recorded_spec(handle)
        try:
            path = fetch_saved_model(handle)
        except ValueError as error:
            raise SavedModelError(str(error)) from error
        try:
            self.module = tf.saved_model.load(str(path))
        except Exception as error:  # of many types, where a file is damaged or missing
            raise SavedModelError(
                f"Expected a SavedModel that TensorFlow loads. Received: {handle!r}: "
                f"{reason_of(error)}"
            ) from error
        signatures = self.module.signatures
        names = [name for name in ("serving_default", "default") if name in signatures]
        if not names:
            raise SavedModelError(
                f"Expected a signature serving_default or default. Received: {handle!r} with "
                f"{sorted(signatures)}"
            )
        self.signature = signatures[names[0]]
        inputs = self.signature.structured_input_signature[1]
        if len(inputs) != 1:
            raise SavedModelError(
                f"Expected a signature with one input. Received: {handle!r} with {sorted(inputs)}"
            )
        self.input_name, self.input_spec = next(iter(inputs.items()))
        self.checksum = _checksum(path)

    def __call__(self, inputs):
        return self.signature(**{self.input_name: inputs})

    def feature_maps(self, channels):
        """Returns the function from the signature's input to its last feature maps.

        It reads the variables of `module`, and computes no more than the maps need.

        Args:
            channels: D of the maps, float32 `[b, h, w, D]`; what is pooled to one cell is none.

        Returns:
            A function of one tensor; None where the signature computes no such maps.
        """
        graph, definition = self.signature.graph, self.signature.graph.as_graph_def()
        functions = {each.signature.name: each for each in definition.library.function}

        def maps(inputs):
            known = {self.signature.inputs[0].name: inputs}
            for variable, inner in zip(self.signature.captured_inputs, graph.internal_captures):
                known[inner.name] = tf.compat.v1.get_default_graph().capture(variable)
            return _last_maps(definition, functions, known, channels)

        wrapped = tf.compat.v1.wrap_function(maps, [self.input_spec])
        if wrapped.structured_outputs is None:
            return None
        return wrapped.prune(wrapped.inputs[0], wrapped.structured_outputs)


def _last_maps(definition, functions, known, channels):
    """Adds a graph to the current one, and finds the maps in it or in a function it calls.

    Args:
        definition: the GraphDef.
        functions: dict of names to FunctionDefs.
        known: dict of names of the graph's inputs to tensors.
        channels: D of the maps.
    """
    names = [node.name for node in definition.node]
    operations = tf.graph_util.import_graph_def(definition, known, names, name="")
    for operation in reversed(operations):
        for tensor in operation.outputs:
            shape = tensor.shape
            if tensor.dtype == tf.float32 and shape.rank == 4 and shape[3] == channels:
                if shape[1:3] != (1, 1):
                    return tensor
        if operation.type in _CALLS:
            function = functions[operation.get_attr("f").name]
            arguments = zip(function.signature.input_arg, operation.inputs)
            inner = {f"{argument.name}:0": tensor for argument, tensor in arguments}
            body, _ = function_def_to_graph_def(function)
            maps = _last_maps(body, functions, inner, channels)
            if maps is not None:
                return maps
    return None


def _checksum(path):
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(str(file.relative_to(path)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
