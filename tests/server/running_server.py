"""A running server and how its tests ask it."""

import http.client
import json

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from vsa_tf.server.request_limits import RequestLimits

LIMITS = RequestLimits(
    num_threads=2,
    max_waiting=2,
    max_batch_size=64,
    max_body_bytes=1 << 20,
    max_text_bytes=50000,
    timeout_seconds=20.0,
    idle_seconds=2.0,
)
GOOD = {"sentences": "a dog", "x": [1, 2, 3]}
# Long on any machine: about a second of matrix products.
NUM_BUSY_STEPS = 30000
BUSY = {"signature_name": "busy", "inputs": NUM_BUSY_STEPS}


def ask(server, method, path, body=None):
    """Returns the status and the body, a dict where it is JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    connection.request(method, path, body)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.headers["Content-Type"] == "application/json":
        return response.status, json.loads(body)
    return response.status, body


def predict(server, request, model="toy"):
    """Asks for `request`, bytes or what becomes JSON; returns the status and the body."""
    body = request if isinstance(request, bytes) else json.dumps(request)
    return ask(server, "POST", f"/v1/models/{model}:predict", body)


def grpc_request(model="toy", signature="", **inputs):
    """Returns a `PredictRequest`; inputs are `TensorProto`s or what becomes one."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(
            value if isinstance(value, tensor_pb2.TensorProto) else tf.make_tensor_proto(value)
        )
    return request
