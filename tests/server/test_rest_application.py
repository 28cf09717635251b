"""REST requests, by a plain HTTP client."""

import base64
import http.client
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.server.running_server import GOOD, ask, predict


def test_rows_come_back_as_rows(server):
    status, body = predict(server, {"instances": [GOOD, {"sentences": "é", "x": [0, -1, 4]}]})
    assert status == 200
    assert body == {
        "predictions": [
            {
                "length": 5,
                "multiple": [2, 4, 6],
                "upper": "A DOG",
                "raw_bytes": {"b64": base64.b64encode(b"a dog").decode()},
            },
            {
                "length": 2,
                "multiple": [0, -2, 8],
                "upper": "é",
                "raw_bytes": {"b64": base64.b64encode("é".encode()).decode()},
            },
        ]
    }


def test_columns_come_back_as_columns(server):
    request = {"inputs": {"sentences": ["b"], "x": [[1, float("nan"), 3]]}}
    status, body = predict(server, request)
    assert (status, body["outputs"]["upper"]) == (200, ["B"])
    np.testing.assert_array_equal(body["outputs"]["multiple"], [[2, np.nan, 6]])


def test_signatures_have_names_and_images_are_base64(server):
    png = tf.io.encode_png(np.full((2, 3, 3), 7, np.uint8)).numpy()
    instance = {"b64": base64.b64encode(png).decode()}
    request = {"signature_name": "image", "instances": [instance, instance]}
    assert predict(server, request) == (200, {"predictions": [7, 7]})


def test_versions_and_labels_are_chosen_by_the_path(server):
    def multiple(path):
        body = json.dumps({"instances": [GOOD]})
        status, body = ask(server, "POST", f"/v1/models/both{path}:predict", body)
        assert status == 200
        return body["predictions"][0]["multiple"][0]

    assert multiple("") == multiple("/versions/3") == 3
    assert multiple("/versions/2") == multiple("/labels/stable") == 2


def test_status_names_every_version(server):
    def version(number):
        status = {"error_code": "OK", "error_message": ""}
        return {"version": str(number), "state": "AVAILABLE", "status": status}

    path = "/v1/models/both"
    both = {"model_version_status": [version(3), version(2)]}
    assert ask(server, "GET", path) == (200, both)
    only = {"model_version_status": [version(2)]}
    assert ask(server, "GET", f"{path}/versions/2") == (200, only)
    assert ask(server, "GET", f"{path}/labels/stable") == (200, only)


def test_metadata_describes_the_signatures(server):
    status, body = ask(server, "GET", "/v1/models/both/versions/2/metadata")
    assert status == 200
    assert body["model_spec"] == {"name": "both", "signature_name": "", "version": "2"}
    signature = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "3", "name": ""}],
        "unknown_rank": False,
    }
    assert set(signature["outputs"]) == {"length", "multiple", "upper", "raw_bytes"}


def test_health_names_the_versions_that_answer(server):
    assert ask(server, "GET", "/health") == (200, {"models": {"toy": [1], "both": [3, 2]}})


def test_other_paths_are_the_pages(server):
    assert ask(server, "GET", "/index.html") == (200, b"<title>page</title>")


def test_connections_are_kept(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    for body in ({"instances": [GOOD]}, {"instances": "wrong"}, {"instances": [GOOD]}):
        connection.request("POST", "/v1/models/toy:predict", json.dumps(body))
        response = connection.getresponse()
        assert response.status == (400 if body["instances"] == "wrong" else 200)
        response.read()
        socket_ = connection.sock
        assert socket_ is not None
    connection.close()


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (b"", 400, "JSON Parse error: The document is empty"),
        (b"\xff\xd8\xff\xe0 a photograph", 400, "JSON Parse error"),
        (
            {"signature_name": "image", "instances": [{"b64": "iVBORw0KG"}]},
            400,
            "Unable to base64 decode",
        ),
        # A photograph cut short is decoded from base64, but no image.
        (
            {"signature_name": "image", "instances": [{"b64": "iVBORw0K"}]},
            400,
            "Unknown image file format",
        ),
        ({"signature_name": "image", "instances": ["<script>"]}, 400, "Unknown image file format"),
        (
            {"instances": [{"sentences": "a", "x": [1, 2]}]},
            400,
            "Expects input x of shape [?,3] but [1,2] is provided",
        ),
        (
            {"instances": [{"sentences": ["a"], "x": [1, 2, 3]}]},
            400,
            "Expects input sentences of shape [?] but [1,1] is provided",
        ),
        (
            {"instances": [{"sentences": 5, "x": [1, 2, 3]}]},
            400,
            "JSON Value: 5 Type: Number is not of expected type: string",
        ),
        (
            {"instances": [{"sentences": "a", "x": ["1", 2, 3]}]},
            400,
            'JSON Value: "1" Type: String is not of expected type: float',
        ),
        (
            {"signature_name": "align", "instances": [1]},
            400,
            'Serving signature name: "align" not found in signature def',
        ),
        ({"signature_name": "__saved_model_init_op", "inputs": []}, 400, "not found"),
        (
            {"instances": [{**GOOD, "sentences": "x" * 100000}]},
            400,
            "Expected texts of at most 50000 bytes in input sentences. Received: one of 100000",
        ),
        (
            {"instances": [GOOD] * 1000},
            400,
            "Task size 1000 is larger than maximum input batch size 64",
        ),
        ({"inputs": {"sentences": ["a"]}}, 400, "Missing named input: x in 'inputs' object."),
        (
            {"inputs": {"sentences": ["a"], "x": [[1, 2, 3]] * 3}},
            400,
            "Expected as many rows in each input. Received: sentences: 1, x: 3",
        ),
        (
            {"signature_name": "image", "inputs": []},
            400,
            "Expected at least one row. Received: none",
        ),
    ],
)
def test_bad_rest_requests_are_told_what_is_wrong(server, request_, status, message):
    got, body = predict(server, request_)
    assert got == status
    assert list(body) == ["error"]
    assert message in body["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/none:predict", 404, "Servable not found for request: Latest(none)"),
        ("POST", "/v1/models/toy/versions/7:predict", 404, "request: Specific(toy, 7)"),
        ("POST", "/v1/models/none/versions/7:predict", 404, "request: Specific(none, 7)"),
        ("POST", f"/v1/models/toy/versions/{2**63}:predict", 404, f"Specific(toy, {2**63})"),
        ("GET", f"/v1/models/toy/versions/{'9' * 5000}", 404, "Specific(toy, 9999"),
        # Arabic-Indic digits: Python's int would take them for 1.
        ("GET", "/v1/models/toy/versions/%D9%A1", 400, "Malformed request"),
        ("POST", "/v1/models/toy/labels/new:predict", 400, "Unrecognized servable version label"),
        (
            "POST",
            "/v1/models/toy:classify",
            400,
            "Expected classification signature method_name to "
            "be tensorflow/serving/classify. Was: tensorflow/serving/predict",
        ),
        ("POST", "/v1/models/toy:regress", 400, "Expected regression signature method_name"),
        ("POST", "/v1/models/toy:guess", 400, "Malformed request: POST /v1/models/toy:guess"),
        ("POST", "/v1/models/toy", 400, "Malformed request: POST /v1/models/toy"),
        ("DELETE", "/v1/models/toy", 400, "Malformed request: DELETE"),
        ("GET", "/v1/models/toy:predict", 400, "Malformed request: GET"),
        ("GET", "/v1/models/none", 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/toy/versions/7", 404, "Could not find version 7 of model toy"),
        ("GET", "/v1/models/none/metadata", 404, "Servable not found for request: Latest(none)"),
        ("GET", "/v1/models/toy/versions/7/metadata", 404, "request: Specific(toy, 7)"),
    ],
)
def test_unknown_paths_models_and_versions_are_named(server, method, path, status, message):
    body = json.dumps({"instances": [GOOD]}) if method == "POST" else None
    got, answer = ask(server, method, path, body)
    assert got == status
    assert message in answer["error"]


@pytest.mark.parametrize("text", ["", "\0\x1b[31m\r\n\t", "<script>alert(1)</script>", "🐕"])
def test_any_text_is_passed_on_as_it_is(server, text):
    status, body = predict(server, {"instances": [{**GOOD, "sentences": text}]})
    assert status == 200
    assert base64.b64decode(body["predictions"][0]["raw_bytes"]["b64"]) == text.encode()
