"""TensorFlow Serving's REST interface as a WSGI application, and the server that runs it."""

import json
import logging
import re
import socket
import threading

import waitress
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2
from waitress import wasyncore
from werkzeug.wrappers import Request, Response

from vsa_tf.server.check_inputs import check_inputs
from vsa_tf.server.json_request import JsonRequest, read_json_object
from vsa_tf.server.json_response import json_response
from vsa_tf.server.model_catalog import ModelInformation
from vsa_tf.server.request_limits import ServingError

_LOGGER = logging.getLogger(__name__)
_HEALTH_PATH = "/health"
# Of model_servers/http_rest_api_util.cc.
_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST_PATH = re.compile(rf"{_MODEL}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET_PATH = re.compile(rf"{_MODEL}(?P<metadata>/metadata)?", re.IGNORECASE)
_LARGEST_VERSION = 2**63 - 1
# As many threads again as requests that are computed or wait: for status and health, and to say
# that the server is busy.
_SPARE_THREADS = 4
# Connections that only listen or send slowly take no thread, only a file descriptor.
_MAX_CONNECTIONS = 512


def create_application(catalog, pool, limits, pages=None):
    """Returns the WSGI application.

    Args:
        catalog: `ModelCatalog`.
        pool: `RequestPool` that computes the answers.
        limits: `RequestLimits`.
        pages: WSGI application for all paths but those of models (`/v1/`) and `/health`; None:
            there are no other.
    """
    api = _RestInterface(catalog, pool, limits)

    def application(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if pages is not None and path != _HEALTH_PATH and not path.lower().startswith("/v1/"):
            return pages(environ, start_response)
        return api.response(Request(environ))(environ, start_response)

    return application


class _RestInterface:
    def __init__(self, catalog, pool, limits):
        self._catalog = catalog
        self._pool = pool
        self._limits = limits
        self._information = ModelInformation(catalog)

    def response(self, request):
        try:
            status, body = self._answer(request)
        except ServingError as error:
            status, body = error.http_status, json.dumps({"error": error.message})
        except Exception as error:  # an error in this server: it is told, and stays up
            _LOGGER.exception("%s %s", request.method, request.path)
            status, body = 500, json.dumps({"error": f"Internal error: {type(error).__name__}"})
        return Response(body, status, content_type="application/json")

    def _answer(self, request):
        if request.path == _HEALTH_PATH:
            available = self._catalog.available()
            return 200 if all(available.values()) else 503, json.dumps({"models": available})
        if not request.path.lower().startswith("/v1/"):
            raise ServingError("NOT_FOUND", f"There is nothing at {request.path}")
        paths = {"POST": _POST_PATH, "GET": _GET_PATH}.get(request.method)
        match = paths and paths.fullmatch(request.path)
        if not match:
            raise ServingError(
                "INVALID_ARGUMENT", f"Malformed request: {request.method} {request.path}"
            )
        parts = match.groupdict()
        spec = _model_spec(parts)
        if request.method == "GET":
            return 200, self._information_text(spec, parts["metadata"])
        method = parts["method"].lower()
        # In the pool from the first byte on: so many bodies are in memory at a time, no more.
        return 200, self._pool.run(lambda: self._post(method, spec, request.get_data(cache=False)))

    def _information_text(self, spec, metadata):
        if not metadata:
            request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
            return _proto_json(self._information.status(request))
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        response = self._information.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return (
            f'{{\n"model_spec":{_proto_json(response.model_spec)},\n'
            f'"metadata": {{"signature_def": {_proto_json(signatures)}}}\n}}\n'
        )

    def _post(self, method, spec, body):
        if method != "predict":
            spec.signature_name = read_json_object(body).get("signature_name", "")
            self._information.refuse(method, spec)
        request = JsonRequest(body)
        loaded = self._information.find(spec)
        signature_def = loaded.signature(request.signature_name)
        inputs = request.arrays(signature_def)
        check_inputs(signature_def, inputs, self._limits)
        outputs = loaded.run(request.signature_name, inputs)
        return json_response(outputs, request.is_row_format)


def _model_spec(parts):
    spec = model_pb2.ModelSpec(name=parts["name"])
    if parts["version"]:
        if int(parts["version"]) > _LARGEST_VERSION:
            raise ServingError(
                "INVALID_ARGUMENT", f"Failed to convert version: {parts['version']} to numeric."
            )
        spec.version.value = int(parts["version"])
    elif parts["label"]:
        spec.version_label = parts["label"]
    return spec


def _proto_json(message):
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


class HttpServer:
    """Serves a WSGI application with waitress, in threads.

    One thread reads and writes all connections, so that slow clients and those that hang hold up
    nobody; large bodies wait in temporary files.

    Args:
        application: WSGI application.
        host: address to listen on.
        port: 0: any free one.
        limits: `RequestLimits`.

    Attributes:
        port: the port in use.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(self, application, host, port, limits):
        # How many wait is known, and refused above the limit; no need to log each.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        # Bound here: waitress would start its threads before it finds the port taken.
        listener = socket.create_server((host, port))
        self._connections = {}
        self._server = waitress.create_server(
            application,
            map=self._connections,
            sockets=[listener],
            threads=limits.max_requests + _SPARE_THREADS,
            connection_limit=_MAX_CONNECTIONS,
            asyncore_use_poll=True,
            # waitress refuses bodies of just this length too.
            max_request_body_size=limits.max_body_bytes + 1,
            channel_timeout=max(round(limits.idle_seconds), 1),
            cleanup_interval=max(round(limits.idle_seconds / 4), 1),
            ident=None,
        )
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="http", daemon=True)

    def start(self):
        """Begins to answer."""
        self._thread.start()

    def stop(self, seconds):
        """Closes all connections, once running requests are answered, but after `seconds`."""
        self._server.accepting = False
        self._server.task_dispatcher.shutdown(timeout=seconds)
        # In the server's own thread, which may be polling what is to be closed.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._connections))
        self._thread.join(seconds)
