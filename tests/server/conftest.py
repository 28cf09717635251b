"""A server that the tests of both of its sides share."""

import shutil

import grpc
import pytest

from tests.server.running_server import LIMITS
from tests.server.small_saved_models import write_small_model
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """SavedModels that multiply by 1, 2 and 3, a dict of that factor to the directory."""
    folder = tmp_path_factory.mktemp("saved_models")
    return {factor: write_small_model(folder / str(factor), factor) for factor in (1, 2, 3)}


def _pages(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>page</title>"]


@pytest.fixture(scope="module")
def server(tmp_path_factory, saved_models):
    """Serves `toy`, which multiplies by 2, and versions 2 and 3 of `both`."""
    bases = tmp_path_factory.mktemp("bases")
    shutil.copytree(saved_models[2], bases / "toy" / "1")
    for version in (2, 3):
        shutil.copytree(saved_models[version], bases / "both" / str(version))
    configs = [
        ModelConfig("toy", str(bases / "toy")),
        ModelConfig("both", str(bases / "both"), policy="all", labels={"stable": 2}),
    ]
    with ModelServer(configs, LIMITS, settle_seconds=0, pages=lambda *_: _pages) as server:
        yield server


@pytest.fixture(scope="module")
def channel(server):
    """A gRPC channel to the server."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
