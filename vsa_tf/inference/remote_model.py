"""A model that a server answers for."""

import base64
import http.client
import json
import time
import urllib.parse

import numpy as np

from vsa_tf.errors import InputError, VsaTfError, operation_reason
from vsa_tf.file_reading import parse_json, told_as
from vsa_tf.inference.signatures import check_numbers

_TIMEOUT_SECONDS = 600
# Between attempts while the server has no room for a request.
_PAUSES = (1, 2, 4, 8)
_DTYPES = {"DT_FLOAT": np.float32, "DT_INT32": np.int32, "DT_INT64": np.int64, "DT_STRING": object}
_INPUT_STATUSES = (400, 413)
_BUSY_STATUSES = (429, 503)


class RemoteModel:
    """Answers as `LocalModel` does, through the REST interface of TensorFlow Serving.

    Args:
        server: `HOST:PORT` of `vsa_tf.serve` or TensorFlow Serving.
        model_name: the model's name there; its newest version answers.

    Attributes:
        signatures: dict of name to the names of its inputs.

    Raises:
        VsaTfError: there is no such server or model.
    """

    def __init__(self, server, model_name):
        self._server = server
        self._path = f"/v1/models/{urllib.parse.quote(model_name, safe='')}"
        path = f"{self._path}/metadata"
        metadata = self._request("GET", path)
        with self._as_expected(path):
            definitions = dict(metadata["metadata"]["signature_def"]["signature_def"])
            # Of these one is another by a second name, and one is TensorFlow's own.
            for name in ("serving_default", "__saved_model_init_op"):
                definitions.pop(name, None)
            self.signatures = {
                name: tuple(sorted(definition["inputs"]))
                for name, definition in definitions.items()
            }
            self._dtypes = {
                name: {key: _DTYPES[tensor["dtype"]] for key, tensor in each["outputs"].items()}
                for name, each in definitions.items()
            }

    def call(self, name, **inputs):
        """Answers one signature; arguments, results and errors as of `LocalModel.call`.

        Raises:
            InputError: the server refuses an input.
            VsaTfError: it does not answer.
        """
        body = {
            "signature_name": name,
            "inputs": {key: [_json_value(value) for value in inputs[key]] for key in inputs},
        }
        path = f"{self._path}:predict"
        answer = self._request("POST", path, json.dumps(body))
        with self._as_expected(path):
            outputs, dtypes = answer["outputs"], self._dtypes[name]
            if len(dtypes) == 1:
                # A single output comes without its name.
                outputs = {next(iter(dtypes)): outputs}
            outputs = {key: np.array(value, dtypes[key]) for key, value in outputs.items()}
        return check_numbers(outputs)

    def _as_expected(self, path):
        return told_as(f"{self._server}{path} answers otherwise than TensorFlow Serving")

    def _request(self, method, path, body=None):
        for pause in (*_PAUSES, None):
            status, answer = self._send(method, path, body)
            if status not in _BUSY_STATUSES or pause is None:
                break
            time.sleep(pause)
        if status == 200:
            return answer
        message = operation_reason(str(answer.get("error", "no reason given"))).partition("\n")[0]
        if status in _INPUT_STATUSES and method == "POST":
            raise InputError(message)
        raise VsaTfError(f"{self._server}{path} answers {status}: {message}")

    def _send(self, method, path, body):
        connection = http.client.HTTPConnection(self._server, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise VsaTfError(
                f"no answer from --server={self._server}: {error}. Is it running, and is this its "
                "REST port?"
            ) from error
        finally:
            connection.close()
        try:
            answer = parse_json(content, path)
            return response.status, answer if isinstance(answer, dict) else {}
        except ValueError:
            if response.status == 200:
                raise VsaTfError(f"--server={self._server} answers {path} with no JSON") from None
            return response.status, {"error": content[:200].decode(errors="replace").strip()}


def _json_value(value):
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
