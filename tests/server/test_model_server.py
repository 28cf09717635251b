"""The server as a whole: clients that hang, too many of them, new versions, the end."""

import http.client
import json
import shutil
import socket
import threading
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tests.server.running_server import BUSY, GOOD, LIMITS, ask, grpc_request, predict
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer
from vsa_tf.server.request_limits import MAX_CONNECTIONS, RequestLimits


class TestHangingClients:
    def _send(self, server, data):
        client = socket.create_connection(("127.0.0.1", server.rest_port), timeout=30)
        client.sendall(data)
        return client

    def test_they_hold_up_nobody_and_are_cut_off(self, server):
        # Half a header, half a body, and nothing at all: more of them than there are threads.
        half_body = b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{"
        clients = [
            self._send(server, data) for data in (b"POST /v1", half_body, b"") for _ in range(10)
        ]
        started = time.monotonic()
        assert predict(server, {"instances": [GOOD]})[0] == 200
        assert time.monotonic() - started < 1
        # A read that ends, with or without an error's text before, is the end of the connection.
        for client in clients:
            while client.recv(1000):
                pass
            client.close()

    def test_grpc_clients_that_only_connect_hold_up_nobody(self, server, channel):
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(grpc_request(sentences=["a"], x=[[1.0, 2.0, 3.0]]), 5)
        for client in clients:
            client.close()

    def test_a_client_that_goes_away_is_forgotten(self, server):
        body = json.dumps({"instances": [GOOD]}).encode()
        head = f"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(20):
            self._send(server, head.encode() + body).close()
        while predict(server, {"instances": [GOOD]})[0] == 503:  # their requests are computed
            pass
        assert predict(server, {"instances": [GOOD]})[0] == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(server):
    client = socket.create_connection(("127.0.0.1", server.rest_port), timeout=30)
    client.sendall(b"POST /v1/models/toy:predict HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
    client.close()
    # A body of just the limit is read.
    status, body = predict(server, b" " * (1 << 20))
    assert (status, body["error"][:16]) == (400, "JSON Parse error")


def test_a_busy_server_refuses_what_it_cannot_hold_and_recovers(tmp_path, saved_models):
    shutil.copytree(saved_models[2], tmp_path / "1")
    limits = RequestLimits(num_threads=1, max_waiting=2)
    with ModelServer([ModelConfig("toy", str(tmp_path))], limits, settle_seconds=0) as server:
        results = []
        clients = [
            threading.Thread(target=lambda: results.append(predict(server, BUSY))) for _ in range(8)
        ]
        for client in clients:
            client.start()
        while len(results) < 5:  # the requests that found no place come back at once
            assert ask(server, "GET", "/health")[0] == 200
        refusal = {"error": "The server is busy with 3 requests. Try again later"}
        assert results[:5] == [(503, refusal)] * 5
        for client in clients:
            client.join()
        assert [status for status, _ in results[5:]] == [200] * 3
        assert predict(server, {"instances": [GOOD]})[0] == 200


def test_answers_that_take_too_long_are_ended(tmp_path, saved_models):
    shutil.copytree(saved_models[2], tmp_path / "1")
    limits = RequestLimits(num_threads=1, max_waiting=0, timeout_seconds=0.5)
    with ModelServer([ModelConfig("toy", str(tmp_path))], limits, settle_seconds=0) as server:
        for _ in range(2):  # of an hour each
            status, body = predict(server, {"signature_name": "busy", "inputs": 10**8})
            assert (status, body) == (504, {"error": "No answer within 0.5 seconds"})
            # The only place is free again, so that the computation has ended.
            started = time.monotonic()
            while predict(server, {"instances": [GOOD]})[0] == 503:
                assert time.monotonic() - started < 5


def test_a_stopping_server_ends_what_it_computes(tmp_path, saved_models):
    shutil.copytree(saved_models[2], tmp_path / "1")
    answers = []
    with ModelServer([ModelConfig("toy", str(tmp_path))], settle_seconds=0) as server:
        request = grpc_request(signature="busy", num_steps=np.int32(10**8))
        channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        answers.append(stub.Predict.future(request, 60))
        time.sleep(0.5)
        loaded = server.catalog.find("toy")
        started = time.monotonic()
    assert 4 < time.monotonic() - started < 8
    with pytest.raises(grpc.RpcError):
        answers[0].result()
    channel.close()
    with pytest.raises(RuntimeError, match="closed"):
        loaded.run("busy", {"num_steps": np.int32(1)})


def test_clients_that_only_connect_make_room_for_those_that_ask(server):
    """A keep-alive connection that waits for its answer is not among those that are closed."""
    asking = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    asking.request("POST", "/v1/models/toy:predict", json.dumps(BUSY))
    time.sleep(0.1)
    clients = [
        socket.create_connection(("127.0.0.1", server.rest_port))
        for _ in range(MAX_CONNECTIONS + 50)
    ]
    started = time.monotonic()
    assert ask(server, "GET", "/health")[0] == 200
    assert time.monotonic() - started < 1
    assert asking.getresponse().status == 200
    asking.close()
    for client in clients:
        client.close()


def test_a_new_version_is_served_without_losing_a_request(tmp_path, saved_models):
    base = tmp_path / "base"
    shutil.copytree(saved_models[2], base / "1")
    with ModelServer(
        [ModelConfig("toy", str(base))], LIMITS, poll_seconds=0.05, settle_seconds=0.2
    ) as server:
        factors = []
        stop = threading.Event()
        while ask(server, "GET", "/health")[0] == 503:  # until version 1 has settled
            time.sleep(0.05)

        def keep_asking():
            while not stop.is_set():
                status, body = predict(server, {"instances": [GOOD]})
                factors.append(body["predictions"][0]["multiple"][0] if status == 200 else status)

        client = threading.Thread(target=keep_asking)
        client.start()
        # File by file, the graph first, as a slow copy would.
        for file in sorted(saved_models[3].rglob("*")):
            if file.is_file():
                copy = base / "2" / file.relative_to(saved_models[3])
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
                time.sleep(0.1)
        deadline = time.monotonic() + 30
        while factors[-1:] != [3] and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        client.join()
        assert sorted(set(factors)) == [2, 3]
        assert factors == sorted(factors)


def test_a_server_stops_and_frees_its_ports(tmp_path, saved_models):
    shutil.copytree(saved_models[2], tmp_path / "1")
    config = ModelConfig("toy", str(tmp_path))
    before = set(threading.enumerate())
    for _ in range(3):
        with ModelServer([config], LIMITS, settle_seconds=0) as server:
            assert predict(server, {"instances": [GOOD]})[0] == 200
            with pytest.raises(OSError):
                ModelServer([config], LIMITS, rest_port=server.rest_port)
        with pytest.raises(OSError):
            predict(server, {"instances": [GOOD]})
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert set(threading.enumerate()) - before == set()


def test_without_a_version_health_is_503(tmp_path):
    with ModelServer([ModelConfig("toy", str(tmp_path))]) as server:
        assert ask(server, "GET", "/health") == (503, {"models": {"toy": []}})
        status, body = ask(server, "GET", "/v1/models/toy")
        assert (status, body["error"]) == (404, "Could not find any versions of model toy")
        assert ask(server, "GET", "/elsewhere")[0] == 404
