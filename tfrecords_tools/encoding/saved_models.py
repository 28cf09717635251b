"""Networks given as a SavedModel, by a directory or a handle."""

import functools
import hashlib

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from tfrecords_tools.encoding.region_encoders import ENCODER_INPUTS
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


class SavedModelNetwork:
    """A network with the TF-Hub image-feature-vector signature: images `[b, s, s, 3]` to `[b, D]`.

    Args:
        handle: directory or TF-Hub handle.
        encoder_input: see `make_encoder`.
    """

    def __init__(self, handle, encoder_input=""):
        self.model = SavedModel(handle)
        self.name = self.model.name
        outputs = self.model.signature.structured_outputs
        self.output = "default" if "default" in outputs else next(iter(outputs))
        shape = outputs[self.output].shape
        if len(outputs) > 1 and self.output != "default" or len(shape) != 2 or shape[1] is None:
            raise SavedModelError(
                f"Expected an image-feature-vector signature with one output [b, D]. Received: "
                f"{handle!r} with outputs { {k: tuple(v.shape) for k, v in outputs.items()} }"
                f"{_of_detector(handle, outputs)}"
            )
        takes = self.model.input_spec
        self.own_input = {"float32": "0..1", "uint8": "0..255"}.get(takes.dtype.name)
        size = next(filter(None, takes.shape[1:3].as_list()), None)
        if self.own_input is None or not takes.shape.is_compatible_with((None, size, size, 3)):
            raise SavedModelError(
                "Expected an encoder of float32 or uint8 images [b, s, s, 3]. Received: "
                f"{handle!r}, which takes {takes.dtype.name} {takes.shape}"
            )
        self.encoder_input = encoder_input or self.own_input
        if takes.dtype.is_integer and self.encoder_input != "0..255":
            raise SavedModelError(
                f"Expected --encoder_input=0..255 for {handle!r}, which takes uint8. "
                f"Received: --encoder_input={encoder_input}"
            )
        self.feature_size = shape[1]
        self.map_channels = self.feature_size
        self.fixed_size = size
        self.own_size = self.fixed_size or 224
        self.tracked = self.model.module

    def describe(self):
        description = {
            "spec": self.name,
            "sha256": self.model.checksum,
            "feature_size": self.feature_size,
        }
        if self.encoder_input != self.own_input:
            # Else as in the records of before there was this choice, which so stay valid.
            description["encoder_input"] = self.encoder_input
        return description

    def normalized(self, images):
        """uint8 `[n, s, s, 3]` to the tensor that the network expects; in a graph too."""
        images = tf.cast(images, self.model.input_spec.dtype)
        if images.dtype.is_integer:
            return images
        mean, deviation = ENCODER_INPUTS[self.encoder_input]
        if self.encoder_input == "caffe":
            images = images[..., ::-1]
        return (images - mean) / deviation

    def vectors(self, images):
        return self.graph_vectors(images).numpy()

    def maps(self, images):
        return self.graph_maps(images).numpy()

    def graph_vectors(self, images):
        return self.model(self.normalized(images))[self.output]

    def graph_maps(self, images):
        return self.map_function(self.normalized(images))

    @functools.cached_property
    def map_function(self):
        """The function from what the network expects to the feature maps."""
        function = self.model.feature_maps(self.feature_size)
        if function is None:
            raise ValueError(
                "--region_features=pool and both need a network with a feature map of "
                f"{self.feature_size} channels before its output. Received: {self.name}, which has "
                "none; use crop"
            )
        return function


def _of_detector(handle, outputs):
    """Returns how to give a detector that was given as the encoder; empty where it is none."""
    if "detection_boxes" not in outputs:
        return ""
    has_pyramid = any(name.startswith("decoder_") for name in outputs)
    features = ", and its own features as --image_encoder=detector" if has_pyramid else ""
    return f". It is a detector: give it as --detector={handle}{features}"


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
