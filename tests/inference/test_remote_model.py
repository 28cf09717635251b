import http.server
import json
import threading

import numpy as np
import pytest

from tests.inference.small_models import make_model_dir, photographs, save_detector, save_encoder
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference import remote_model as module
from vsa_tf.inference.export_model import GraphModel
from vsa_tf.inference.exported_model import ExportedModel
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.remote_model import RemoteModel
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer

SENTENCES = ["a red dog plays", "Boys", "the man's dog & the <grass> naïve"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small alignment model as a SavedModel, `models/1`."""
    folder = tmp_path_factory.mktemp("served")
    networks = {
        "image_encoder": save_encoder(folder / "encoder"),
        "detector": save_detector(folder / "detector"),
    }
    settings = AlignmentSettings(joint_size=6)
    make_model_dir(folder / "model", "alignment", settings, num_regions=4, **networks)
    (folder / "models").mkdir()
    GraphModel(LocalModel(folder / "model", **networks)).save(folder / "models" / "1")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    configs = [ModelConfig("aligner", str(folder / "models"))]
    with ModelServer(configs, settle_seconds=0) as server:
        while not server.catalog.available()["aligner"]:
            threading.Event().wait(0.05)
        yield f"127.0.0.1:{server.rest_port}"


def test_every_signature_answers_as_the_saved_model_itself(folder, server):
    remote, exported = RemoteModel(server, "aligner"), ExportedModel(folder / "models")
    assert remote.signatures == exported.signatures
    for name, keys in remote.signatures.items():
        inputs = {key: photographs(3) if key == "image_bytes" else SENTENCES for key in keys}
        received, expected = remote.call(name, **inputs), exported.call(name, **inputs)
        assert received.keys() == expected.keys()
        for key, value in expected.items():
            assert received[key].dtype == value.dtype, key
            np.testing.assert_array_equal(received[key], value)


def test_an_image_that_cannot_be_read_is_an_input_error(server):
    with pytest.raises(InputError, match="^[^\n]+$"):
        RemoteModel(server, "aligner").call("embed_image", image_bytes=[b"no image"])


def test_an_unknown_model_is_refused(server):
    with pytest.raises(VsaTfError, match="answers 404.*stranger"):
        RemoteModel(server, "stranger")


def test_a_source_opens_it_and_asks_for_its_signatures(server):
    source = ModelSource(server=server, model_name="aligner")
    source.check("caption", "writes captions")  # a server is not asked before it is opened
    with pytest.raises(VsaTfError, match="signature caption. Received: aligner of .*align"):
        source.open("caption")


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
