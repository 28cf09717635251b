"""Asks answers as they are asked: eagerly, and within a SavedModel's graph."""

import functools

import keras
import pytest
import tensorflow as tf

from tests.inference.answer_batches import TEXT
from vsa_tf.inference.answers import (
    AlignmentAnswers,
    CaptionAnswers,
    FragmentAnswers,
    TwoBranchAnswers,
)
from vsa_tf.inference.exported_model import as_arrays


@pytest.fixture(params=["eagerly", "in a graph"])
def answer(request):
    """`_answer`, one way after the other."""
    if request.param == "in a graph" and keras.backend.backend() != "tensorflow":
        pytest.skip("a SavedModel is TensorFlow's")
    return functools.partial(_answer, request.param == "in a graph")


def _answer(in_graph, kind, model, name, *batches, **settings):
    """Returns the answer of a model.

    Args:
        in_graph: in a graph that knows neither the number of rows nor that of words.
        kind: of the model: `alignment` (of words), `fragments` (of relations), `two_branch` or
            `captions`.
        model: the Keras model.
        name: of the signature.
        *batches: of images, of sentences, or of both, dicts of arrays.
        **settings: smoothness of an alignment; of captions those of `CaptionAnswers`.

    Returns:
        dict of arrays; strings are str.
    """
    function = getattr(_make(kind, model, **settings), name)
    if in_graph:
        batches = [{key: tf.constant(value) for key, value in each.items()} for each in batches]
        signature = [_specification(each) for each in batches]
        function = tf.function(function, input_signature=signature, autograph=False)
    return as_arrays(function(*batches))


def _make(kind, model, smoothness=0.3, text=TEXT, decoder=None, **settings):
    if kind == "alignment":
        return AlignmentAnswers(model, smoothness)
    if kind == "captions":
        return CaptionAnswers(model, text, decoder, **settings)
    return {"fragments": FragmentAnswers, "two_branch": TwoBranchAnswers}[kind](model)


def _specification(batch):
    """A graph knows the number of regions, but not those of rows and words."""
    words = ("token_ids", "tokens", "relations", "heads", "dependents")
    return {
        name: tf.TensorSpec([None, *([None] if name in words else value.shape[1:])], value.dtype)
        for name, value in batch.items()
    }
