"""The gRPC side of the server."""

import concurrent.futures
import logging

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from vsa_tf.server.check_inputs import check_inputs
from vsa_tf.server.model_catalog import ModelInformation
from vsa_tf.server.request_limits import MAX_CONNECTIONS, ServingError
from vsa_tf.server.tensor_protos import from_tensor_proto, read_message, to_tensor_proto

_LOGGER = logging.getLogger(__name__)
# As many threads again as requests that are computed or wait: for status and metadata.
_SPARE_THREADS = 4
# Of requests other than Predict, which are small, and are not refused when many are computed.
_MOST_FIELDS = 10000
# A client that is silent so long is asked whether it is still there.
_KEEPALIVE_MILLISECONDS = 30000


class GrpcServer:
    """Serves PredictionService and ModelService through tensorflow-serving-api.

    Args:
        catalog: `ModelCatalog`.
        pool: `RequestPool` that computes the answers.
        limits: `RequestLimits`.
        host: address to listen on.
        port: 0: any free one.

    Attributes:
        port: the port in use.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(self, catalog, pool, limits, host, port):
        num_threads = limits.max_requests + _SPARE_THREADS
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(num_threads, thread_name_prefix="grpc"),
            maximum_concurrent_rpcs=num_threads,
            options=[
                ("grpc.max_receive_message_length", limits.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MILLISECONDS),
                ("grpc.max_connection_idle_ms", round(1000 * limits.idle_seconds)),
                ("grpc.server_handshake_timeout_ms", round(1000 * limits.idle_seconds)),
                ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
                # Else a second server on the port would take half of the requests, in silence.
                ("grpc.so_reuseport", 0),
            ],
        )
        information = ModelInformation(catalog)
        self._server.add_generic_rpc_handlers(
            [
                _handlers("PredictionService", _PredictionService(information, pool, limits)),
                _handlers("ModelService", _ModelService(information)),
            ]
        )
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on {host}:{port}") from error

    def start(self):
        """Begins to answer."""
        self._server.start()

    def stop(self, seconds):
        """Refuses new requests, ends running ones after `seconds`, and waits for neither.

        Returns:
            `threading.Event` that is set at the end.
        """
        return self._server.stop(seconds)


def _handlers(name, servicer):
    """What answers a service's requests, which come as bytes: they are read within the limits."""
    methods = [method for method in dir(servicer) if not method.startswith("_")]
    return grpc.method_handlers_generic_handler(
        f"tensorflow.serving.{name}",
        {
            method: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, method),
                response_serializer=lambda response: response.SerializeToString(),
            )
            for method in methods
        },
    )


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, information, pool, limits):
        self._information = information
        self._pool = pool
        self._limits = limits

    def Predict(self, data, context):
        return _answer(
            context,
            # In the pool from here on: so many messages are in memory at a time, no more.
            lambda: self._pool.run(
                lambda deadline: self._predict(data, context, deadline), context.time_remaining()
            ),
        )

    def GetModelMetadata(self, data, context):
        request_type = get_model_metadata_pb2.GetModelMetadataRequest
        return _answer(context, lambda: self._information.metadata(_read_small(request_type, data)))

    def Classify(self, data, context):
        self._refuse("classify", classification_pb2.ClassificationRequest, data, context)

    def Regress(self, data, context):
        self._refuse("regress", regression_pb2.RegressionRequest, data, context)

    def _refuse(self, method, request_type, data, context):
        _answer(
            context,
            lambda: self._information.refuse(method, _read_small(request_type, data).model_spec),
        )

    def _predict(self, data, context, deadline):
        if not context.is_active():  # the client has gone while the request was waiting
            raise ServingError("CANCELLED", "The client has cancelled the request")
        request = read_message(
            predict_pb2.PredictRequest, data, self._limits.max_values, self._limits.max_body_bytes
        )
        loaded = self._information.find(request.model_spec)
        signature_name = request.model_spec.signature_name
        signature_def = loaded.signature(signature_name)
        output_names = _output_names(request.output_filter, signature_def)
        inputs = {}
        for name, proto in request.inputs.items():
            try:
                inputs[name] = from_tensor_proto(proto, self._limits.max_body_bytes)
            except ValueError as error:
                raise ServingError(
                    "INVALID_ARGUMENT", f"tensor parsing error: {name}: {error}"
                ) from error
        check_inputs(signature_def, inputs, self._limits)
        outputs = loaded.run(signature_name, inputs, deadline)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = loaded.name
        response.model_spec.version.value = loaded.version
        response.model_spec.signature_name = signature_name or "serving_default"
        for name in output_names or outputs:
            response.outputs[name].CopyFrom(to_tensor_proto(outputs[name]))
        return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, information):
        self._information = information

    def GetModelStatus(self, data, context):
        request_type = get_model_status_pb2.GetModelStatusRequest
        return _answer(context, lambda: self._information.status(_read_small(request_type, data)))


def _read_small(request_type, data):
    return read_message(request_type, data, _MOST_FIELDS, _MOST_FIELDS)


def _answer(context, function):
    try:
        return function()
    except ServingError as error:
        code, message = error.code, error.message
    except Exception as error:  # an error in this server: it is told, and stays up
        _LOGGER.exception("gRPC")
        code, message = "INTERNAL", f"Internal error: {type(error).__name__}"
    context.abort(getattr(grpc.StatusCode, code), message)


def _output_names(names, signature_def):
    seen = set()
    for name in names:
        if name not in signature_def.outputs:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"output tensor alias not found in signature: {name} Outputs expected to be in the "
                f"set {{{','.join(sorted(signature_def.outputs))}}}.",
            )
        if name in seen:
            raise ServingError("INVALID_ARGUMENT", f"duplicate output tensor alias: {name}")
        seen.add(name)
    return list(names)
