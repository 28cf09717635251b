"""What a SavedModel is made of."""

import pathlib

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def foreign_operations(path):
    """Returns the names of operations that TensorFlow alone has not, or not outside Python."""
    content = (pathlib.Path(path) / "saved_model.pb").read_bytes()
    (graph,) = (
        each.graph_def for each in saved_model_pb2.SavedModel.FromString(content).meta_graphs
    )
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    names = {node.op for node in nodes}
    functions = {function.signature.name for function in graph.library.function}
    core = (set(dir(tf.raw_ops)) | {"Placeholder", "NoOp"}) - {"PyFunc", "EagerPyFunc"}
    return names - functions - core
