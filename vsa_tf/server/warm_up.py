"""Requests that a SavedModel brings with it, to be answered before those of clients."""

import pathlib

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from vsa_tf.server.from_tensor_proto import from_tensor_proto

_FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


def warm_up(loaded, path):
    """Answers the warm-up requests of a SavedModel, so that the first client does not wait.

    Args:
        loaded: `LoadedVersion`.
        path: its directory, with or without assets.extra/tf_serving_warmup_requests: a TFRecord
            file of `PredictionLog` protocol buffers. Only those of Predict are used.

    Raises:
        Exception: of many types, where the file is broken or a request cannot be answered.
    """
    file = pathlib.Path(path) / _FILE
    if not file.is_file():
        return
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.HasField("predict_log"):
            request = log.predict_log.request
            inputs = {name: from_tensor_proto(proto) for name, proto in request.inputs.items()}
            loaded.run(request.model_spec.signature_name, inputs)
