"""Requests to a SavedModel of any kind: directly, over REST and over gRPC."""

import base64
import http.client
import json

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

_TIMEOUT_SECONDS = 120


def make_inputs(loaded, signature_name, text, encoded, number=1):
    """Returns one row of inputs, a dict of name to numpy array.

    Args:
        loaded: `LoadedVersion`.
        signature_name: of the signature.
        text: for string inputs.
        encoded: bytes, for string inputs named `*_bytes`.
        number: for all others.
    """
    inputs = {}
    for name, info in loaded.signature(signature_name).inputs.items():
        shape = [1 if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
        dtype = tf.as_dtype(info.dtype).as_numpy_dtype
        if dtype is object:
            value = encoded if name.endswith("_bytes") else text.encode()
            inputs[name] = np.full(shape, value, object)
        else:
            inputs[name] = np.full(shape, number, dtype)
    return inputs


def direct_call(loaded, signature_name, inputs):
    """Returns a function that computes the outputs in this process."""
    return lambda: loaded.run(signature_name, inputs)


class RestClient:
    """A client that keeps its connection.

    Args:
        address: (host, port).
        model_name: in requests.
    """

    def __init__(self, address, model_name):
        self._connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_SECONDS)
        self._path = f"/v1/models/{model_name}:predict"

    @staticmethod
    def body(signature_name, inputs):
        """Returns the bytes of a columnar request."""
        values = {name: _json_value(name, array) for name, array in inputs.items()}
        return json.dumps({"signature_name": signature_name, "inputs": values}).encode()

    def send(self, body, path=None):
        """Returns the status and the body of the answer to `body`, unread."""
        self.begin(body, path)
        return self.end()

    def begin(self, body, path=None):
        """Sends `body`; `end` follows."""
        self._connection.request("POST", path or self._path, body)

    def end(self):
        """Returns the status and the body of the answer to what has been sent."""
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self):
        """Ends the connection; the next request begins another."""
        self._connection.close()

    @staticmethod
    def outputs(body, names):
        """Returns the outputs of an answer, a dict of name to list or value."""
        outputs = json.loads(body)["outputs"]
        outputs = {names[0]: outputs} if len(names) == 1 else outputs
        return {name: _from_base64(value) for name, value in outputs.items()}


class GrpcClient:
    """A client that keeps its connection.

    Args:
        address: (host, port).
        model_name: in requests.
    """

    def __init__(self, address, model_name):
        # Else all clients of a process share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        options += [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(f"{address[0]}:{address[1]}", options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model_name = model_name

    def request(self, signature_name, inputs):
        """Returns a `PredictRequest`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = signature_name
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        return request

    def send(self, request, timeout=_TIMEOUT_SECONDS):
        """Returns the name of the status code, and the `PredictResponse` or the message."""
        try:
            return "OK", self._stub.Predict(request, timeout)
        except grpc.RpcError as error:
            return error.code().name, error.details()

    def begin(self, request):
        """Sends a request; returns the future of its answer."""
        return self._stub.Predict.future(request, _TIMEOUT_SECONDS)

    def close(self):
        """Ends the connection."""
        self._channel.close()

    @staticmethod
    def outputs(response):
        """Returns the outputs of an answer, a dict of name to numpy array."""
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def same_outputs(expected, outputs):
    """Whether two answers agree: texts exactly, numbers up to what batching and JSON may change.

    Args:
        expected: dict of name to numpy array.
        outputs: dict of name to numpy array, list or value; texts are bytes or str.
    """
    if set(expected) != set(outputs):
        return False
    for name, array in expected.items():
        value = np.array(outputs[name], object if array.dtype == object else None)
        if value.shape != array.shape:
            return False
        if array.dtype == object:
            texts = [item.encode() if isinstance(item, str) else item for item in value.flat]
            if texts != list(array.flat):
                return False
        elif not np.allclose(value, array, rtol=1e-4, atol=1e-5, equal_nan=True):
            return False
    return True


def _json_value(name, array):
    if array.dtype != object:
        return array.tolist()
    if not name.endswith("_bytes"):
        return np.vectorize(bytes.decode, otypes=[object])(array).tolist()
    encode = np.vectorize(lambda value: {"b64": base64.b64encode(value).decode()}, otypes=[object])
    return encode(array).tolist()


def _from_base64(value):
    if isinstance(value, list):
        return [_from_base64(item) for item in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value
