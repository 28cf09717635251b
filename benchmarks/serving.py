"""What serving a SavedModel costs over calling it.

`vsa_tf.serve` in a process of its own is asked for one row at a time, over REST and over gRPC, by
1, 4 and 16 clients; the same SavedModel is called directly by as many threads. The three take
turns in one run, and nothing is timed unless their answers agree. Milliseconds are from sending a
request to holding the bytes of its answer. The server runs as many requests at a time as there are
cores and lets the others wait their turn; called directly, some threads wait while others overtake
them. How a server bears hours of good and bad requests is in [reliability.md](reliability.md).

    python -m benchmarks.serving --saved_model=DIR [--signatures=caption,align] [--image=FILE]
"""

import os
import pathlib
import sys
import tempfile
import threading
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry
from tests.server.server_process import MODEL, ServerProcess
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.signatures import version_path

_CLIENTS = (1, 4, 16)
_WAYS = ("direct", "rest", "grpc")


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--saved_model", required=True, help="exported model")
    parser.add_argument(
        "--signatures", default="", help="names with commas between them (default all)"
    )
    parser.add_argument("--image", help="a file for inputs named *_bytes")
    parser.add_argument(
        "--text", default="a brown dog runs over the grass", help="for other string inputs"
    )
    parser.add_integers(("requests", 100, "requests of each run"), ("repeats", 3, "runs of each"))
    flags = parser.parse_args()
    try:
        flags.saved_model = version_path(flags.saved_model)
    except VsaTfError as error:
        parser.error(str(error))
    if flags.image and not os.path.isfile(flags.image):
        parser.error(f"--image={flags.image} is not a file")
    return flags


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
    from tests.server.model_requests import GrpcClient, RestClient, direct_call

    if way == "direct":
        return [direct_call(loaded, name, inputs)] * num_clients
    if way == "rest":
        body = RestClient.body(name, inputs)
        clients = [RestClient(server.rest_address, MODEL) for _ in range(num_clients)]
        return [lambda client=client: client.send(body) for client in clients]
    clients = [GrpcClient(server.grpc_address, MODEL) for _ in range(num_clients)]
    request = clients[0].request(name, inputs)
    return [lambda client=client: client.send(request) for client in clients]


def _check_answers(server, loaded, name, inputs):
    from tests.server.model_requests import GrpcClient, RestClient, same_outputs

    expected = loaded.run(name, inputs)
    client = RestClient(server.rest_address, MODEL)
    status, body = client.send(client.body(name, inputs))
    if status != 200 or not same_outputs(expected, client.outputs(body, list(expected))):
        sys.exit(f"{name}: REST answers {status} {body[:500]}, the direct call {expected}")
    client = GrpcClient(server.grpc_address, MODEL)
    status, response = client.send(client.request(name, inputs))
    if status != "OK" or not same_outputs(expected, client.outputs(response)):
        sys.exit(f"{name}: gRPC answers {status} {response}, the direct call {expected}")


def _measure(flags, server, loaded, name, inputs):
    """Returns rows of the table, one of each number of clients and way."""
    import numpy as np

    _check_answers(server, loaded, name, inputs)
    rows = []
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
        for way in _WAYS:
            p50, p99 = np.percentile(seconds[way], (50, 99)) * 1e3
            rows.append(
                {
                    "signature": name,
                    "clients": num_clients,
                    "way": way,
                    "median_ms": round(p50, 2),
                    "99th_percentile_ms": round(p99, 2),
                    "requests_per_second": round(len(seconds[way]) / total[way], 1),
                }
            )
    return rows


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(flags.saved_model.resolve(), pathlib.Path(folder, "1"))
        server = ServerProcess(folder)
        try:
            from tests.server.model_requests import make_inputs
            from vsa_tf.server.model_versions import LoadedVersion

            loaded = LoadedVersion(MODEL, 1, str(flags.saved_model))
            names = (
                flags.signatures.split(",")
                if flags.signatures
                else [name for name in sorted(loaded.signature_defs) if not name.startswith("__")]
            )
            encoded = pathlib.Path(flags.image).read_bytes() if flags.image else b""
            rows = []
            for name in names:
                inputs = make_inputs(loaded, name, flags.text, encoded)
                rows += _measure(flags, server, loaded, name, inputs)
        finally:
            server.stop()
    print_entry("called, REST and gRPC", rows, flags)


if __name__ == "__main__":
    main()
