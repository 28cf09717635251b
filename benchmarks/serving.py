"""What serving a SavedModel costs over calling it, and whether it ever answers wrongly.

    python -m benchmarks.serving --saved_model=DIR [--signatures=caption,align] [--image=FILE]
    python -m benchmarks.serving --saved_model=DIR --soak=10000 [--image=FILE]

Starts `vsa_tf.serve` in a process of its own and asks for one row at a time, over REST and over
gRPC, with 1, 4 and 16 clients; the same SavedModel is called directly by as many threads of this
process. The three take turns in one run, and nothing is timed unless their answers agree. Prints a
JSON line for each signature and number of clients: milliseconds of the median and of the 99th
percentile, from sending a request to holding the bytes of its answer.

With --soak, requests of all signatures are drawn at random, 5 % of them bad. An answer is lost when
none comes, and wrong when it is not that of the direct call or, to a bad request, not the refusal
that it must be. Prints one JSON line, with the server's memory before and after.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

from benchmarks.benchmark_parser import BenchmarkParser

_MODEL = "model"
_HOST = "127.0.0.1"
_CLIENTS = (1, 4, 16)
_WAYS = ("direct", "rest", "grpc")
_BAD_FRACTION = 0.05
_SOAK_CLIENTS = 8
# Inputs of a signature that the soak tells apart.
_VARIANTS = 5


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--saved_model", required=True, help="a SavedModel's directory")
    parser.add_argument(
        "--signatures", default="", help="names with commas between them (default all)"
    )
    parser.add_argument("--image", help="a file for inputs named *_bytes")
    parser.add_argument(
        "--text", default="a brown dog runs over the grass", help="for other string inputs"
    )
    parser.add_integers(
        ("requests", 100, "requests of each run"),
        ("repeats", 3, "runs of each"),
        ("soak", 0, "requests of the soak; 0: measure times"),
        ("seed", 0, "random seed"),
        may_be_zero=("soak",),
    )
    flags = parser.parse_args()
    if not pathlib.Path(flags.saved_model, "saved_model.pb").is_file():
        parser.error(f"--saved_model={flags.saved_model} holds no saved_model.pb")
    if flags.image and not os.path.isfile(flags.image):
        parser.error(f"--image={flags.image} is not a file")
    return flags


class _Server:
    """A process of `vsa_tf.serve` with one SavedModel."""

    def __init__(self, saved_model, folder):
        os.symlink(pathlib.Path(saved_model).resolve(), pathlib.Path(folder, "1"))
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "vsa_tf.serve",
                f"--model_name={_MODEL}",
                f"--model_base_path={folder}",
                "--rest_port=0",
                "--port=0",
                "--settle_seconds=0",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self._process.stderr:
            match = re.search(r"REST at port (\d+), gRPC at port (\d+)", line)
            if match:
                break
        else:
            sys.exit("the server did not start")
        self.rest_address = _HOST, int(match[1])
        self.grpc_address = _HOST, int(match[2])

    def megabytes(self):
        """Its resident memory."""
        status = pathlib.Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def stop(self):
        self._process.terminate()
        self._process.communicate()


def _in_threads(function, num_threads):
    """Calls `function(number)` in so many threads at once, and returns the seconds they took."""
    threads = [threading.Thread(target=function, args=(number,)) for number in range(num_threads)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _calls(way, server, loaded, name, inputs, num_clients):
    """Returns a function for each client; it sends a request and returns whether it went well."""
    from benchmarks.model_requests import GrpcClient, RestClient, direct_call

    if way == "direct":
        return [direct_call(loaded, name, inputs)] * num_clients
    if way == "rest":
        body = RestClient.body(name, inputs)
        clients = [RestClient(server.rest_address, _MODEL) for _ in range(num_clients)]
        return [lambda client=client: client.send(body) for client in clients]
    clients = [GrpcClient(server.grpc_address, _MODEL) for _ in range(num_clients)]
    request = clients[0].request(name, inputs)
    return [lambda client=client: client.send(request) for client in clients]


def _check_answers(server, loaded, name, inputs):
    from benchmarks.model_requests import GrpcClient, RestClient, same_outputs

    expected = loaded.run(name, inputs)
    client = RestClient(server.rest_address, _MODEL)
    status, body = client.send(client.body(name, inputs))
    if status != 200 or not same_outputs(expected, client.outputs(body, list(expected))):
        sys.exit(f"{name}: REST answers {status} {body[:500]}, the direct call {expected}")
    client = GrpcClient(server.grpc_address, _MODEL)
    status, response = client.send(client.request(name, inputs))
    if status != "OK" or not same_outputs(expected, client.outputs(response)):
        sys.exit(f"{name}: gRPC answers {status} {response}, the direct call {expected}")


def _measure(flags, server, loaded, name, inputs):
    import numpy as np

    _check_answers(server, loaded, name, inputs)
    for num_clients in _CLIENTS:
        calls = {way: _calls(way, server, loaded, name, inputs, num_clients) for way in _WAYS}
        seconds = {way: [] for way in _WAYS}
        total = dict.fromkeys(_WAYS, 0.0)
        per_client = max(flags.requests // num_clients, 1)
        for repeat in range(flags.repeats + 1):
            for way in _WAYS:
                times = []

                def ask(number, call=calls[way], times=times):
                    for _ in range(per_client):
                        started = time.perf_counter()
                        call[number]()
                        times.append(time.perf_counter() - started)

                elapsed = _in_threads(ask, num_clients)
                if repeat:  # the first run connects and warms up
                    seconds[way] += times
                    total[way] += elapsed
        line = {"signature": name, "clients": num_clients}
        for way in _WAYS:
            p50, p99 = np.percentile(seconds[way], (50, 99)) * 1e3
            line[way] = {
                "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2),
                "requests_per_second": round(len(seconds[way]) / total[way], 1),
            }
        for way in _WAYS[1:]:
            line[way]["over_direct"] = round(line[way]["p50_ms"] / line["direct"]["p50_ms"] - 1, 3)
        print(json.dumps(line), flush=True)


def _bad_requests(server_model):
    """Bodies and paths over REST with the status that each must have."""
    path = f"/v1/models/{server_model}:predict"
    return [
        (b"\x89PNG not JSON", path, 400),
        (b"", path, 400),
        (b'{"instances": []}', path, 400),
        (b'{"inputs": {"no_such_input": 1}}', path, 400),
        (b'{"signature_name": "no_such_signature", "inputs": 1}', path, 400),
        (b'{"instances": ' + json.dumps([{"b64": "A"}]).encode() + b"}", path, 400),
        (b'{"instances": ' + b"[" * 5000, path, 400),
        (b'{"instances": [1]}', "/v1/models/no_such_model:predict", 404),
        (b'{"instances": [1]}', f"/v1/models/{server_model}/versions/9:predict", 404),
        (b"{}", f"/v1/models/{server_model}:classify", 400),
    ]


def _soak(flags, server, loaded, names, encoded):
    import numpy as np

    from benchmarks.model_requests import GrpcClient, RestClient, make_inputs, same_outputs

    cases = []
    for name in names:
        for number in range(_VARIANTS):
            text = f"{flags.text} {number}"
            inputs = make_inputs(loaded, name, text, encoded, number)
            cases.append((name, inputs, loaded.run(name, inputs)))
    bad = _bad_requests(_MODEL)
    counts = {"answers": 0, "refusals": 0, "lost": 0, "wrong": 0}
    lock = threading.Lock()
    before = server.megabytes()

    def one(random, rest, grpc_client):
        is_rest = random.random() < 0.5
        if random.random() < _BAD_FRACTION:
            if is_rest:
                body, path, expected = bad[random.integers(len(bad))]
                return "refusals" if rest.send(body, path)[0] == expected else "wrong"
            code, _ = grpc_client.send(grpc_client.request("no_such_signature", {}))
            return "refusals" if code == "INVALID_ARGUMENT" else "wrong"
        name, inputs, expected = cases[random.integers(len(cases))]
        if is_rest:
            status, body = rest.send(rest.body(name, inputs))
            good = status == 200 and same_outputs(expected, rest.outputs(body, list(expected)))
        else:
            status, response = grpc_client.send(grpc_client.request(name, inputs))
            good = status == "OK" and same_outputs(expected, grpc_client.outputs(response))
        return "answers" if good else "wrong"

    def ask(number):
        random = np.random.default_rng([flags.seed, number])
        rest = RestClient(server.rest_address, _MODEL)
        grpc_client = GrpcClient(server.grpc_address, _MODEL)
        for _ in range(number, flags.soak, _SOAK_CLIENTS):
            try:
                result = one(random, rest, grpc_client)
            except OSError as error:
                print(f"lost: {error!r}", file=sys.stderr)
                result = "lost"
                rest = RestClient(server.rest_address, _MODEL)
            with lock:
                counts[result] += 1

    elapsed = _in_threads(ask, _SOAK_CLIENTS)
    print(
        json.dumps(
            {
                **counts,
                "requests": sum(counts.values()),
                "seconds": round(elapsed, 1),
                "megabytes_before": round(before),
                "megabytes_after": round(server.megabytes()),
            }
        ),
        flush=True,
    )


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as folder:
        server = _Server(flags.saved_model, folder)
        try:
            from benchmarks.model_requests import make_inputs
            from vsa_tf.server.model_versions import LoadedVersion

            loaded = LoadedVersion(_MODEL, 1, flags.saved_model)
            names = (
                flags.signatures.split(",")
                if flags.signatures
                else [name for name in sorted(loaded.signature_defs) if not name.startswith("__")]
            )
            encoded = pathlib.Path(flags.image).read_bytes() if flags.image else b""
            if flags.soak:
                _soak(flags, server, loaded, names, encoded)
                return
            for name in names:
                inputs = make_inputs(loaded, name, flags.text, encoded)
                _measure(flags, server, loaded, name, inputs)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
