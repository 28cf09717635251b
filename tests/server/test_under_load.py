"""A server while many ask it: what is replaced, what is given up, and what stays in memory.

The short form of `python -m tests.soak --only=server`.
"""

import contextlib
import gc
import http.client
import json
import shutil
import socket
import threading
import time
import weakref

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc
from werkzeug.wrappers import Request

from tests.server.running_server import GOOD, NUM_BUSY_STEPS, grpc_request, predict
from tests.server.server_process import MODEL
from tests.soak.load import Load, Questions, wait_until
from tests.soak.server_soak import next_version, stop_under_load
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer
from vsa_tf.server.model_versions import ModelVersions
from vsa_tf.server.request_limits import RequestLimits, ServingError, _Job

# Two that take long leave two for all others.
_LIMITS = RequestLimits(num_threads=4, max_body_bytes=4 << 20)


class _Running:
    """A server of this process, as `ServerProcess` is one of another."""

    def __init__(self, base):
        config = ModelConfig(MODEL, str(base))
        self._context = contextlib.ExitStack()
        self.server = self._context.enter_context(
            ModelServer([config], _LIMITS, settle_seconds=0, poll_seconds=0.1)
        )
        self.rest_address = "127.0.0.1", self.server.rest_port
        self.grpc_address = "127.0.0.1", self.server.port

    def stop(self):
        started = time.monotonic()
        self._context.close()  # nothing, the second time
        return 0, time.monotonic() - started


@pytest.fixture
def running(tmp_path, saved_models):
    shutil.copytree(saved_models[1], tmp_path / "base" / "1")
    server = _Running(tmp_path / "base")
    yield server
    server.stop()


def test_nothing_is_lost_when_a_version_comes_nor_when_the_server_stops(
    running, tmp_path, saved_models
):
    versions = [saved_models[factor] for factor in (1, 2, 3)]
    load = Load(running, Questions(versions), _LIMITS.max_body_bytes)
    load.start(4)
    try:
        wait_until(lambda: load.counts.keys() >= {"answered", "refused", "given up"})
        available = running.server.catalog.available
        next_version(lambda: available()[MODEL], load, tmp_path / "base", versions)
        num_answered = load.counts["answered"]
        wait_until(lambda: load.counts["answered"] >= num_answered + 20)
        faults = stop_under_load(running, load, versions, busy_seconds=1)
    finally:
        load.stop()
    assert faults + load.faults == []
    assert set(load.counts) == {"answered", "refused", "given up", "turned away"}


def test_a_stopping_server_sends_answers_to_their_end(running):
    """Even to one who begins to read them only then."""
    rows = [{"sentences": "a" * 50000, "x": [1, 2, 3]}] * 40
    body = json.dumps({"instances": rows}).encode()
    connection = http.client.HTTPConnection(*running.rest_address, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    connection.request("POST", f"/v1/models/{MODEL}:predict", body)
    time.sleep(1)
    stopping = threading.Thread(target=running.stop)
    stopping.start()
    time.sleep(0.5)
    response = connection.getresponse()
    predictions = json.loads(response.read())["predictions"]
    assert [len(row["upper"]) for row in predictions] == [50000] * 40
    connection.close()
    stopping.join()


def test_requests_leave_nothing_in_memory(server, channel):
    """Not only once all that is not needed any more is looked for."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    kinds = (_Job, Request, ServingError)
    gc.collect()
    gc.disable()
    try:
        statuses = [
            predict(server, {"instances": [GOOD]})[0],
            predict(server, {"instances": [{"sentences": 1, "x": [1, 2, 3]}]})[0],
            predict(server, b"no JSON")[0],
            predict(server, {"instances": [GOOD]}, model="none")[0],
        ]
        codes = []
        for request, timeout in (
            (grpc_request(sentences=["a"], x=[["b"]]), 30),
            (grpc_request("none"), 30),
            (grpc_request(signature="busy", num_steps=np.int32(NUM_BUSY_STEPS)), 0.1),
        ):
            with pytest.raises(grpc.RpcError) as error:
                stub.Predict(request, timeout)
            codes.append(error.value.code().name)
        del error
        deadline = time.monotonic() + 20
        while (left := _alive(kinds)) and time.monotonic() < deadline:
            time.sleep(0.2)  # the late one is still computed
    finally:
        gc.enable()
    assert statuses == [200, 400, 400, 404]
    assert codes == ["INVALID_ARGUMENT", "NOT_FOUND", "DEADLINE_EXCEEDED"]
    assert left == 0


def _alive(kinds):
    return sum(isinstance(each, kinds) for each in gc.get_objects())


def test_a_version_is_forgotten_when_its_last_request_ends(tmp_path, saved_models):
    shutil.copytree(saved_models[1], tmp_path / "1")
    versions = ModelVersions(ModelConfig("toy", str(tmp_path)), settle_seconds=0)
    versions.poll()
    used = versions.find()
    graph = weakref.ref(used._session.graph)
    shutil.copytree(saved_models[2], tmp_path / "2")
    gc.disable()
    try:
        versions.poll()
        assert versions.find().version == 2
        used.run("busy", {"num_steps": np.int32(1)})
        del used
        versions.poll()
        assert graph() is None
    finally:
        gc.enable()
    versions.close()
