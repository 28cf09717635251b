"""A SavedModel that answers questions about photographs."""

import re

import numpy as np
import tensorflow as tf

from vsa_tf.inference.answers import GraphAlignment, GraphCaptioner, GraphFragments, GraphTwoBranch
from vsa_tf.inference.graph_photographs import GraphPhotographs
from vsa_tf.inference.graph_sentences import GraphRelations, GraphSentences
from vsa_tf.inference.signatures import InputError, version_path
from vsa_tf.program import ProgramError

_STRINGS = tf.TensorSpec([None], tf.string)


class GraphModel(tf.Module):
    """The answers of a `LiveModel`, in core TensorFlow operations.

    Args:
        live: the `LiveModel`.

    Attributes:
        functions: dict of signature to concrete function, the main one first; inputs are strings
            `[B]`.

    Raises:
        ProgramError: the detector cannot be part of a SavedModel.
    """

    def __init__(self, live):
        super().__init__()
        trained, model = live.trained, live.trained.model
        self._photographs = GraphPhotographs(live.reader)
        reads_dependencies = trained.settings.model.reads_dependencies
        read = GraphRelations if reads_dependencies else GraphSentences
        self._sentences = read(trained.text, trained.settings.data.max_words)
        # A list of plain variables: the SavedModel shall not know of Keras.
        self._variables = [variable.value for variable in model.variables]
        # A function of its own, traced once and kept once: by far the largest part.
        photographs = tf.function(self._photographs, input_signature=[_STRINGS], autograph=False)
        parts = model, photographs, self._sentences
        if reads_dependencies:
            answers = GraphFragments(*parts)
        elif "align" in live.signatures:
            answers = GraphAlignment(*parts, live.settings.smoothness)
        elif "caption" in live.signatures:
            whole_frame = trained.settings.model.whole_frame
            answers = GraphCaptioner(
                *parts, live.settings.make_decoder(), live.of_regions, whole_frame
            )
        else:
            answers = GraphTwoBranch(*parts)
        self.functions = {
            name: _traced(getattr(answers, name), inputs)
            for name, inputs in live.signatures.items()
        }

    def save(self, path):
        """Writes the SavedModel; its default signature is the main one."""
        main = next(iter(self.functions.values()))
        tf.saved_model.save(self, str(path), {"serving_default": main, **self.functions})


def _traced(function, inputs):
    specification = [tf.TensorSpec([None], tf.string, name=name) for name in inputs]
    traced = tf.function(function, input_signature=specification, autograph=False)
    return traced.get_concrete_function()


class ExportedModel:
    """Answers as `LiveModel` does, by a SavedModel that `vsa_tf.export` has written.

    Args:
        saved_model: its directory, or the one above it, whose newest version is taken.

    Attributes:
        path: directory of the version.
        signatures: dict of name to the names of its inputs.

    Raises:
        ProgramError: there is no SavedModel.
    """

    def __init__(self, saved_model):
        self.path = version_path(saved_model)
        try:
            self._module = tf.saved_model.load(str(self.path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ProgramError(f"{self.path} cannot be loaded: {error}") from error
        self._functions = dict(self._module.signatures)
        # One of the others, by another name.
        self._functions.pop("serving_default", None)
        self.signatures = {
            name: tuple(sorted(function.structured_input_signature[1]))
            for name, function in self._functions.items()
        }

    def call(self, name, **inputs):
        """Answers one signature; arguments, results and errors as of `LiveModel.call`."""
        tensors = {key: tf.constant(value, tf.string) for key, value in inputs.items()}
        try:
            outputs = self._functions[name](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise InputError(_reason(error.message)) from error
        return {key: _array(value) for key, value in outputs.items()}


def _reason(message):
    """The line that says what is wrong, without the operations and functions around it."""
    line = message.partition("\n\t [[")[0].rstrip().rpartition("\n")[2]
    return re.sub(r"^(\{\{.*?\}\} )?(assertion failed: )?", "", line)


def _array(tensor):
    array = tensor.numpy()
    if array.dtype != object:
        return array
    decode = np.vectorize(lambda value: value.decode("utf-8"), otypes=[object])
    return decode(array) if array.size else array
