"""What a SavedModel is made of."""

import tensorflow as tf


def foreign_operations(path):
    """Returns the names of operations that TensorFlow alone has not, or not outside Python."""
    graph = tf.saved_model.load(str(path)).signatures["serving_default"].graph
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    names = {node.op for node in nodes}
    functions = {function.signature.name for function in definition.library.function}
    core = set(dir(tf.raw_ops)) | {"Placeholder", "NoOp"} - {"PyFunc", "EagerPyFunc"}
    return names - functions - core
