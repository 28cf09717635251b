"""Servers that answer otherwise than ours; tests/inference/test_model.py has ours."""

import http.server
import json
import threading

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.inference import remote_model as module
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.remote_model import RemoteModel


def test_no_server_is_one_line():
    with pytest.raises(VsaTfError, match="no answer from server=127.0.0.1:9"):
        RemoteModel("127.0.0.1:9", "aligner")


class _Answers(http.server.BaseHTTPRequestHandler):
    """Gives the answers that its server holds, one after the other."""

    def do_GET(self):
        status, body = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    """Starts a server that answers as it is told; returns its address."""
    servers = []

    def start(*answers):
        server = http.server.HTTPServer(("127.0.0.1", 0), _Answers)
        server.answers = list(answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


METADATA = {
    "metadata": {
        "signature_def": {
            "signature_def": {
                "score": {"inputs": {"sentences": {}}, "outputs": {"score": {"dtype": "DT_FLOAT"}}},
                "serving_default": {"inputs": {}, "outputs": {}},
            }
        }
    }
}


def test_a_source_opens_it_and_asks_for_its_signatures(scripted):
    server = scripted((200, json.dumps(METADATA).encode()))
    source = ModelSource(server=server, model_name="aligner")
    source.check("caption", "writes captions")  # a server is not asked before it is opened
    with pytest.raises(VsaTfError, match="signature caption. Received: aligner of .*score"):
        source.open("caption")


def test_a_busy_server_is_asked_again(scripted, monkeypatch):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    busy = (503, b'{"error": "no room"}')
    model = RemoteModel(scripted(busy, busy, (200, json.dumps(METADATA).encode())), "m")
    assert model.signatures == {"score": ("sentences",)}
    assert pauses == [1, 2]
    with pytest.raises(VsaTfError, match="503: no room"):
        RemoteModel(scripted(*[busy] * 5), "m")


@pytest.mark.parametrize(
    ("answer", "message"),
    [((200, b"<html>"), "with no JSON"), ((500, b"<html>"), "answers 500: <html>")],
)
def test_a_server_of_something_else_is_one_line(scripted, answer, message):
    with pytest.raises(VsaTfError, match=message):
        RemoteModel(scripted(answer), "m")
