"""TensorFlow Serving's REST interface as a WSGI application."""

import json
import logging
import re

from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2
from werkzeug.wrappers import Request, Response

from vsa_tf.server.check_inputs import check_inputs
from vsa_tf.server.json_request import JsonRequest, read_json_object
from vsa_tf.server.json_response import json_response
from vsa_tf.server.model_catalog import ModelInformation
from vsa_tf.server.model_config import is_version
from vsa_tf.server.request_limits import ServingError

_LOGGER = logging.getLogger(__name__)
_HEALTH_PATH = "/health"
# Of model_servers/http_rest_api_util.cc.
_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST_PATH = re.compile(rf"{_MODEL}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET_PATH = re.compile(rf"{_MODEL}(?P<metadata>/metadata)?", re.IGNORECASE)


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
        # Else the two would know one another, and stay in memory until that is found out.
        request = Request(environ, populate_request=False)
        return api.response(request)(environ, start_response)

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
        return 200, self._pool.run(
            lambda deadline: self._post(method, spec, request.get_data(cache=False), deadline)
        )

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

    def _post(self, method, spec, body, deadline):
        if method != "predict":
            spec.signature_name = read_json_object(body, self._limits).get("signature_name", "")
            self._information.refuse(method, spec)
        request = JsonRequest(body, self._limits)
        loaded = self._information.find(spec)
        signature_def = loaded.signature(request.signature_name)
        inputs = request.arrays(signature_def)
        check_inputs(signature_def, inputs, self._limits)
        outputs = loaded.run(request.signature_name, inputs, deadline)
        return json_response(outputs, request.is_row_format)


def _model_spec(parts):
    spec = model_pb2.ModelSpec(name=parts["name"])
    if parts["version"]:
        version = parts["version"].lstrip("0") or "0"
        if not is_version(version):  # a larger number than any folder's
            raise ServingError(
                "NOT_FOUND", f"Servable not found for request: Specific({spec.name}, {version})"
            )
        spec.version.value = int(version)
    elif parts["label"]:
        spec.version_label = parts["label"]
    return spec


def _proto_json(message):
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
