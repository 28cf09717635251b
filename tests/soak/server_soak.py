"""A server under load: new versions come, and in the end it is told to stop."""

import json
import pathlib
import shutil
import threading
import time
import urllib.request

import numpy as np

from tests.server.model_requests import GrpcClient, RestClient, same_outputs
from tests.server.server_process import MODEL, ServerProcess
from tests.server.small_saved_models import BEGUN, LONG_STEPS, write_small_model
from tests.soak.load import Load, Questions, wait_until
from tests.soak.steadiness import Held, Watch
from vsa_tf.server.model_versions import LoadedVersion
from vsa_tf.server.request_limits import RequestLimits

_NUM_VERSIONS = 30
_NUM_SAMPLES = 60
_LEAST_SECONDS = 2
_WARM_UP = 0.1
# On a machine that others use, too.
_SWAP_SECONDS = 600
# A server answers what runs within five seconds; and ends.
_STOP_SECONDS = 8
_BUSY_SECONDS = 1.5
_FIRST_BUSY_STEPS = 2000


def soak_server(folder, seconds, say, seed=0, saved_model=None):
    """Serves under load, and tells what went wrong.

    Args:
        folder: a `pathlib.Path`, an empty directory.
        seconds: of the load.
        say: called with each line.
        seed: of what is asked.
        saved_model: directory of the SavedModel that is served; None: small ones, of which each
            version answers otherwise.

    Returns:
        List of str, without any where nothing did.
    """
    saved_models = [pathlib.Path(saved_model)] if saved_model else small_saved_models(folder)
    questions = Questions(saved_models)
    base = folder / "base"
    shutil.copytree(saved_models[0], base / "1")
    server = ServerProcess(base)
    load = Load(server, questions, RequestLimits.max_body_bytes, seed)
    try:
        faults = _steadiness_faults(server, load, base, saved_models, seconds, say)
        load.start()
        time.sleep(_LEAST_SECONDS)
        faults += stop_under_load(server, load, saved_models, 0 if saved_model else _BUSY_SECONDS)
    finally:
        load.stop()
        server.stop()
    faults += [line for line in server.lines if "Traceback" in line or "rror:" in line]
    say(f"{load.greatest} versions; {sum(load.counts.values())} requests: {dict(load.counts)}")
    return faults + load.faults


def _steadiness_faults(server, load, base, saved_models, seconds, say):
    """Asks the server so long, while versions come; returns a list of what was not steady."""
    load.start()
    time.sleep(max(_WARM_UP * seconds, 3 * _LEAST_SECONDS))
    _next_version(server, load, base, saved_models, say)
    load.stop()
    load.take_seconds()
    before = Held.at_rest(server.number)
    every = max(seconds / _NUM_SAMPLES, _LEAST_SECONDS)
    with Watch(server.number, say, "request") as watch:
        load.start()
        until, next_version_at = time.monotonic() + seconds, 0.0
        while time.monotonic() < until:
            if time.monotonic() >= next_version_at:
                pause = max(seconds / _NUM_VERSIONS, 5 * _LEAST_SECONDS)
                next_version_at = time.monotonic() + pause
                _next_version(server, load, base, saved_models, say)
            time.sleep(every)
            watch.take(load.take_seconds())
    load.stop()
    after = Held.at_rest(server.number)
    say(f"at rest, before and after: {before}; {after}")
    faults = watch.faults()
    if after.descriptors > before.descriptors:
        faults.append(f"at rest, descriptors grew from {before.descriptors} to {after.descriptors}")
    return faults


def small_saved_models(folder):
    """Writes three SavedModels with the same signatures that answer otherwise; returns a list."""
    return [write_small_model(folder / f"times_{factor}", factor) for factor in (1, 2, 3)]


def _next_version(server, load, base, saved_models, say):
    started = time.monotonic()
    next_version(lambda: _available(server), load, base, saved_models)
    say(f"version {load.greatest} took over in {time.monotonic() - started:.1f} s")


def next_version(available, load, base, saved_models, timeout=_SWAP_SECONDS):
    """Copies the next version to a server under load; returns when the one before is not served.

    Args:
        available: returns the versions that are served, a list of ints.
        load: `Load`.
        base: the directory of version folders; that of the one before is removed.
        saved_models: as of the load's `Questions`.
        timeout: seconds until the new one must have taken over.
    """
    version = load.greatest = load.greatest + 1
    shutil.copytree(saved_models[(version - 1) % len(saved_models)], base / str(version))
    is_served = wait_until(lambda: available() == [version], timeout)
    assert is_served, f"version {version} is not served: {available()}"
    load.least = version
    shutil.rmtree(base / str(version - 1))


def _available(server):
    host, port = server.rest_address
    with urllib.request.urlopen(f"http://{host}:{port}/health", timeout=60) as response:
        return json.load(response)["models"][MODEL]


def stop_under_load(server, load, saved_models, busy_seconds=_BUSY_SECONDS):
    """Stops a server while it computes and is asked on; ends the load.

    Args:
        server: has `rest_address`, `grpc_address` and `stop()`, which returns `(code, seconds)`.
        load: `Load`, which asks.
        saved_models: as of the load's `Questions`.
        busy_seconds: about how long requests are computed that are to run then, one over REST and
            one over gRPC, of `small_saved_models`; 0: nobody sends them.

    Returns:
        List of str, what went wrong.
    """
    faults, threads = [], []
    if busy_seconds:
        threads = _be_busy(server, saved_models[0], busy_seconds, faults)
    load.tell_stopping()
    code, seconds = server.stop()
    wait_until(lambda: load.counts["turned away"])
    load.stop()
    for thread in threads:
        thread.join()
    if code or seconds > _STOP_SECONDS:
        faults.append(f"the server ended with {code} after {seconds:.1f} s")
    if not load.counts["turned away"]:
        faults.append("nobody was turned away: there was no load")
    return faults


def _be_busy(server, saved_model, seconds, faults):
    """Sends two long requests; returns the threads that wait for their answers."""
    rest = RestClient(server.rest_address, MODEL)
    stub = GrpcClient(server.grpc_address, MODEL)
    loaded = LoadedVersion(MODEL, 1, saved_model)
    expected = loaded.run("busy", {"num_steps": np.array(1, np.int32)})
    # Here, where it waits for nobody's turn.
    started = time.monotonic()
    loaded.run("busy", {"num_steps": np.array(_FIRST_BUSY_STEPS, np.int32)})
    scale = seconds / (time.monotonic() - started)
    num_steps = max(int(_FIRST_BUSY_STEPS * scale), LONG_STEPS)
    inputs = {"num_steps": np.array(num_steps, np.int32)}
    num_begun = _num_begun(stub)
    rest.begin(rest.body("busy", inputs))
    call = stub.begin(stub.request("busy", inputs))

    def wait_rest():
        status, body = rest.end()
        if status != 200 or not same_outputs(expected, rest.outputs(body, list(expected))):
            faults.append(f"what ran over REST was answered {status}: {body[:200]}")

    def wait_grpc():
        if not same_outputs(expected, stub.outputs(call.result())):
            faults.append("what ran over gRPC was answered wrongly")

    def wait(function):
        try:
            function()
        except Exception as error:  # also of the connection
            faults.append(f"what ran was lost: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=wait, args=(each,)) for each in (wait_rest, wait_grpc)]
    for thread in threads:
        thread.start()
    # One that waited for its turn would rightly be turned away.
    if not wait_until(lambda: _num_begun(stub) >= num_begun + len(threads)):
        faults.append("what was to run has not begun")
    return threads


def _num_begun(stub):
    return stub.outputs(stub.send(stub.request(BEGUN, {}))[1])["number"]
