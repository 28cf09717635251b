"""Clients that ask a server all the time, well and badly, and check every answer."""

import collections
import http.client
import io
import json
import random
import socket
import threading
import time

import numpy as np
from PIL import Image

from tests.server.model_requests import GrpcClient, RestClient, make_inputs, same_outputs
from tests.server.server_process import MODEL
from vsa_tf.server.model_versions import LoadedVersion

# Inputs of a signature that are told apart.
_VARIANTS = 3
_TEXT = "a brown dog runs over the grass"
_LONG_TEXT = "dog " * 20000
_BAD_FRACTION = 0.15
# Of requests after which a client connects anew.
_RECONNECT_FRACTION = 0.05
# Between two requests of a client, on average.
_PAUSE_SECONDS = 0.05
_PATH = f"/v1/models/{MODEL}:predict"
_SLOW_PIECES = 5
_SLOW_SECONDS = 0.2
_TIMEOUT_SECONDS = 120


class Questions:
    """What is asked of a model, and what each of its SavedModels answers when called directly.

    Args:
        saved_models: directories; version n is a copy of number n - 1, and then over again.

    Attributes:
        cases: list of `(name of the signature, inputs, list of outputs)`, one for each SavedModel.
        refused: list of `(name, inputs)` that no model takes: a broken photograph, a long text.
    """

    def __init__(self, saved_models):
        loaded = [LoadedVersion(MODEL, 1, path) for path in saved_models]
        photograph = _photograph()
        self.cases, self.refused = [], []
        for name in sorted(loaded[0].signature_defs):
            if name.startswith("__"):
                continue
            for number in range(_VARIANTS):
                inputs = make_inputs(loaded[0], name, f"{_TEXT} {number}", photograph, number)
                self.cases.append((name, inputs, [each.run(name, inputs) for each in loaded]))
            if any(array.dtype == object for array in inputs.values()):
                spoilt = make_inputs(loaded[0], name, _LONG_TEXT, photograph[:200])
                self.refused.append((name, spoilt))
        for each in loaded:
            each.close()

    def is_answer(self, outputs, expected, least, greatest):
        """Whether outputs are those of one of the versions from `least` to `greatest`."""
        return any(
            same_outputs(expected[(version - 1) % len(expected)], outputs)
            for version in range(least, greatest + 1)
        )


def _photograph():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).resize((320, 240)).save(content, "JPEG")
    return content.getvalue()


class Load:
    """Clients in threads, over REST and gRPC in turns.

    Args:
        server: has `rest_address` and `grpc_address`.
        questions: `Questions`.
        max_body_bytes: the server's limit.
        seed: of what is asked.

    Attributes:
        counts: `collections.Counter` of what came of the requests: "answered", "refused" as bad
            ones are, "given up" by the client, and at the end "turned away"; and "lost" where none
            of these came, "wrong" where another answer did.
        faults: list of str, what was lost and wrong.
        least, greatest: the versions that may answer what is sent now, and what is answered now.
    """

    def __init__(self, server, questions, max_body_bytes, seed=0):
        self.counts, self.faults = collections.Counter(), []
        self.least = self.greatest = 1
        self._server, self._questions, self._seed = server, questions, seed
        self._max_body_bytes = max_body_bytes
        self._lock, self._ended, self._threads = threading.Lock(), threading.Event(), []
        self._seconds, self._stopping_at, self._rounds = [], None, 0

    def start(self, num_clients=6):
        """Begins to ask. One more client is slow: it sends and reads piece by piece."""
        self._ended.clear()
        self._rounds += 1
        works = [self._ask] * num_clients + [self._ask_slowly]
        self._threads = [
            threading.Thread(target=self._keep_asking, args=(work, number), daemon=True)
            for number, work in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Waits for the answers to what has been asked, and ends all connections."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def tell_stopping(self):
        """The server is about to be told to stop: from now on it may turn requests away."""
        self._stopping_at = time.monotonic()

    def take_seconds(self):
        """Returns what each good request has taken since the last call, a list of seconds."""
        with self._lock:
            seconds, self._seconds = self._seconds, []
        return seconds

    def _keep_asking(self, work, number):
        rng = random.Random(f"{self._seed} {self._rounds} {number}")
        rest, stub = None, None
        while not self._ended.wait(rng.expovariate(1 / _PAUSE_SECONDS)):
            if rest is None or rng.random() < _RECONNECT_FRACTION:
                _close(rest, stub)
                rest = RestClient(self._server.rest_address, MODEL)
                stub = GrpcClient(self._server.grpc_address, MODEL)
            try:
                outcome, fault = work(rng, rest, stub), None
            except Exception as error:  # of the tests themselves: told, as a lost request
                outcome, fault = "lost", f"{type(error).__name__}: {error}"
            if isinstance(outcome, tuple):
                outcome, fault = outcome
            with self._lock:
                self.counts[outcome] += 1
                if fault:
                    self.faults.append(f"{outcome}: {fault[:500]}")
            if outcome in ("lost", "turned away"):
                _close(rest, stub)
                rest = None
        _close(rest, stub)

    def _ask(self, rng, rest, stub):
        if rng.random() < _BAD_FRACTION:
            return rng.choice(_BAD)(self, rng, rest, stub)
        name, inputs, expected = rng.choice(self._questions.cases)
        least, started = self.least, time.monotonic()
        if rng.random() < 0.5:
            status, outputs = self._rest(rest, rest.body(name, inputs), list(expected[0]))
        else:
            status, outputs = stub.send(stub.request(name, inputs))
            if status == "OK":
                outputs = stub.outputs(outputs)
        seconds = time.monotonic() - started
        outcome = self._judge(name, status, outputs, expected, least)
        if outcome == "answered" and self._stopping_at is None:
            with self._lock:
                self._seconds.append(seconds)
        return outcome

    def _rest(self, rest, body, names):
        """Returns the status and the outputs or the text; the status "lost" where none comes."""
        sent = None
        try:
            rest.begin(body)
            sent = time.monotonic()
            status, content = rest.end()
        except (OSError, http.client.HTTPException) as error:
            # What was sent before the server was told to stop is answered.
            is_late = self._stopping_at and (sent is None or sent >= self._stopping_at)
            return "turned away" if is_late else "lost", f"{type(error).__name__}: {error}"
        return status, rest.outputs(content, names) if status == 200 else content

    def _judge(self, name, status, outputs, expected, least):
        if status in (200, "OK"):
            if self._questions.is_answer(outputs, expected, least, self.greatest):
                return "answered"
            return "wrong", f"{name} by versions {least} to {self.greatest}: {outputs}"
        if self._stopping_at and status in (503, "UNAVAILABLE", "turned away"):
            return "turned away"
        return "lost", f"{name}: {status}: {outputs}"

    def _ask_slowly(self, rng, rest, stub):
        """Sends and reads with pauses."""
        name, inputs, expected = rng.choice(self._questions.cases)
        body, least = rest.body(name, inputs), self.least
        sent = None
        try:
            with self._connect(len(body)) as client:
                size = len(body) // _SLOW_PIECES + 1
                for start in range(0, len(body), size):
                    time.sleep(_SLOW_SECONDS)
                    client.sendall(body[start : start + size])
                sent = time.monotonic()
                response = http.client.HTTPResponse(client)
                response.begin()
                content = bytearray()
                while piece := response.read(1 << 14):
                    content += piece
                    time.sleep(_SLOW_SECONDS / 10)
        except (OSError, http.client.HTTPException) as error:
            if self._stopping_at and (sent is None or sent >= self._stopping_at):
                return "turned away"
            return "lost", f"slow: {type(error).__name__}: {error}"
        status = response.status
        outputs = rest.outputs(content, list(expected[0])) if status == 200 else bytes(content)
        return self._judge(name, status, outputs, expected, least)

    def _connect(self, length):
        """Returns a connection over which the head of a request has been sent."""
        client = socket.create_connection(self._server.rest_address, _TIMEOUT_SECONDS)
        client.sendall(f"POST {_PATH} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
        return client

    def _expect(self, expected, status, message):
        """Returns what comes of a bad request that is to be refused with a status."""
        if status == expected:
            return "refused"
        if self._stopping_at and status in (503, "UNAVAILABLE", "turned away", "lost"):
            return "turned away"
        return "lost" if status == "lost" else "wrong", f"{expected}, {status}: {message}"

    def _bad_rest(self, rng, rest, stub):
        body, path, expected = rng.choice(_BAD_BODIES)
        return self._expect(expected, *self._refusal(rest, body, path))

    def _refusal(self, rest, body, path=None):
        try:
            return rest.send(body, path)
        except (OSError, http.client.HTTPException) as error:
            return "lost", f"{body[:100]}: {type(error).__name__}: {error}"

    def _spoilt_inputs(self, rng, rest, stub):
        if not self._questions.refused:
            return "refused"
        name, inputs = rng.choice(self._questions.refused)
        if rng.random() < 0.5:
            return self._expect(400, *self._refusal(rest, rest.body(name, inputs)))
        return self._expect("INVALID_ARGUMENT", *stub.send(stub.request(name, inputs)))

    def _unknown_signature(self, rng, rest, stub):
        return self._expect(
            "INVALID_ARGUMENT", *stub.send(stub.request("no_such_signature", {"x": np.zeros(3)}))
        )

    def _too_large(self, rng, rest, stub):
        """A body over the limit is refused by its head; one of the limit itself is read."""
        if rng.random() < 0.5:
            return self._expect(400, *self._refusal(rest, b" " * self._max_body_bytes))
        try:
            with self._connect(self._max_body_bytes + 1) as client:
                answer = client.recv(1000)
        except OSError as error:
            return self._expect("413", "lost", str(error))
        return self._expect("413", answer[9:12].decode() or "lost", answer)

    def _too_large_message(self, rng, rest, stub):
        inputs = {"x": np.zeros(self._max_body_bytes // 4, np.float32)}
        return self._expect("RESOURCE_EXHAUSTED", *stub.send(stub.request("", inputs)))

    def _gone(self, rng, rest, stub):
        """Goes away in the middle of the request, or without waiting for its answer."""
        name, inputs, _ = rng.choice(self._questions.cases)
        body = rest.body(name, inputs)
        try:
            with self._connect(len(body)) as client:
                client.sendall(body[: rng.choice((0, len(body) // 2, len(body)))])
        except OSError as error:
            return self._expect(None, "lost", str(error))
        return "given up"

    def _given_up(self, rng, rest, stub):
        """Cancels a call, or does not wait long."""
        name, inputs, expected = rng.choice(self._questions.cases)
        request = stub.request(name, inputs)
        if rng.random() < 0.5:
            call = stub.begin(request)
            time.sleep(rng.random() * 0.01)
            call.cancel()
            return "given up"
        least = self.least
        status, outputs = stub.send(request, timeout=0.005)
        if status == "DEADLINE_EXCEEDED":
            return "given up"
        outputs = stub.outputs(outputs) if status == "OK" else outputs
        return self._judge(name, status, outputs, expected, least)


def wait_until(is_so, seconds=60):
    """Returns whether it is so, at the latest after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def _close(*clients):
    for client in clients:
        if client is not None:
            client.close()


_BAD = (
    *[Load._bad_rest] * 6,
    *[Load._spoilt_inputs] * 3,
    *[Load._gone] * 3,
    *[Load._given_up] * 2,
    Load._unknown_signature,
    Load._too_large,
    Load._too_large_message,
)
# With the status that each must have.
_BAD_BODIES = (
    (b"\x89PNG not JSON", _PATH, 400),
    (b"", _PATH, 400),
    (b'{"instances": []}', _PATH, 400),
    (b'{"inputs": {"no_such_input": 1}}', _PATH, 400),
    (b'{"signature_name": "no_such_signature", "inputs": 1}', _PATH, 400),
    (b'{"instances": ' + json.dumps([{"b64": "A"}]).encode() + b"}", _PATH, 400),
    (b'{"instances": ' + b"[" * 5000, _PATH, 400),
    (b'{"instances": [1]}', "/v1/models/no_such_model:predict", 404),
    (b'{"instances": [1]}', f"/v1/models/{MODEL}/versions/999999:predict", 404),
    (b"{}", f"/v1/models/{MODEL}:classify", 400),
)
