"""Requests that TensorFlow Serving answers before it takes any."""

import tensorflow as tf

_FILE = "assets.extra/tf_serving_warmup_requests"


def write_warm_up(path, model_name, signatures, examples):
    """Writes a request for every signature into a SavedModel's directory.

    Without them the first request of a client waits until TensorFlow has optimised the graph.

    Args:
        path: the directory, a `pathlib.Path`.
        model_name: name of the model in the requests.
        signatures: dict of name to the names of its inputs.
        examples: `Examples`; the first is taken.

    Returns:
        Whether they were written: they need the package tensorflow-serving-api.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    (path / _FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(path / _FILE)) as writer:
        for name, inputs in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = name
            for key in inputs:
                values = examples.image_bytes if key == "image_bytes" else examples.sentences
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values[:1]))
            log = prediction_log_pb2.PredictLog(request=request)
            entry = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(entry.SerializeToString())
    return True
