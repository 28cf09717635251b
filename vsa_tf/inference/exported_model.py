"""A trained model with all it needs, as the functions of a SavedModel."""

import tensorflow as tf

from vsa_tf.saved_models.graph_alignment import GraphAlignment
from vsa_tf.saved_models.graph_captioner import GraphCaptioner
from vsa_tf.saved_models.graph_fragments import GraphFragments
from vsa_tf.saved_models.graph_photographs import GraphPhotographs
from vsa_tf.saved_models.graph_relations import GraphRelations
from vsa_tf.saved_models.graph_sentences import GraphSentences
from vsa_tf.saved_models.graph_two_branch import GraphTwoBranch

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
            whole_frame = getattr(trained.settings.model, "whole_frame", False)
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
