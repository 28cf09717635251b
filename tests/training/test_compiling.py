"""How steps are compiled; batches spread over devices and hosts, with the loss of one device."""

import importlib.util
import os
import re
import sys
import types

import numpy as np
import pytest

from tests.forked_programs import jax_forks, tensorflow_forks
from tests.source_imports import ROOT
from vsa_tf.errors import VsaTfError
from vsa_tf.settings import Settings, TrainingSettings
from vsa_tf.training import compiling
from vsa_tf.training.compiling import (
    HostPlan,
    check_distribution,
    check_same_settings,
    compile_options,
)

NAMES = ("alignment blocks", "defrag", "embedding taught", "similarity", "phrases", "MRnn")
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install .[jax]"
)


def _assert_equal(output):
    """Every model's losses and steps are equal to 1e-5."""
    lines = re.findall(r"^(.+): loss (\S+) weights (\S+)$", output, re.MULTILINE)
    assert [name for name, *_ in lines] == list(NAMES), output
    for name, *apart in lines:
        assert max(map(float, apart)) < 1e-5, (name, apart)


def _run(forks, name, folder, **options):
    outputs = folder / "output", folder / "errors"
    run = forks.start(f"tests.training.{name}", *NAMES, outputs=outputs, **options)
    assert run.wait() == 0, outputs[1].read_text("utf-8")
    return outputs[0].read_text("utf-8")


def test_two_replicas_step_as_one_device_with_the_whole_batch(tmp_path):
    _assert_equal(_run(tensorflow_forks(), "replica_steps", tmp_path))


@needs_jax
def test_four_devices_of_jax_step_as_one_with_the_whole_batch(tmp_path):
    devices = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=4"
    options = {"cwd": tmp_path, "paths": [ROOT], "environment": {"XLA_FLAGS": devices}}
    _assert_equal(_run(jax_forks(), "data_parallel_steps", tmp_path, **options))


class _Plan:
    """Batches of 8 of 27 captions: the last has 3."""

    batch_size = 8
    num_captions = 27
    has_smaller_batch = True

    def batch(self, step):
        return 5, list(range(8 * step, min(8 * step + 8, 27)))


def _of_host(monkeypatch, host, num_hosts=2, num_devices=4):
    monkeypatch.setattr(compiling, "this_host", lambda: (host, num_hosts, num_devices))
    distribution = types.SimpleNamespace()
    monkeypatch.setattr(compiling.keras.distribution, "distribution", lambda: distribution)
    return HostPlan(_Plan())


def test_each_host_reads_its_rows_and_all_of_a_smaller_batch(monkeypatch):
    first, second = (_of_host(monkeypatch, host) for host in (0, 1))
    assert first.batch_size == second.batch_size == 4
    assert first.batch(1) == (5, [8, 9, 10, 11])
    assert second.batch(1) == (5, [12, 13, 14, 15])
    assert first.batch(3) == second.batch(3) == (5, [24, 25, 26])
    for host in (first, second):
        for step in (1, 3):
            captions, rows = host.whole_batch(step)
            assert captions == _Plan().batch(step)[1] and captions[rows] == host.batch(step)[1]


def test_batches_that_devices_cannot_share_are_refused(monkeypatch):
    with pytest.raises(VsaTfError, match="batch_size to be a multiple of the 3 devices"):
        _of_host(monkeypatch, 0, num_hosts=1, num_devices=3)
    # The last batch has 4, as many as a host's rows of the others.
    monkeypatch.setattr(_Plan, "num_captions", 28)
    with pytest.raises(VsaTfError, match="as large as what each of 2 hosts reads"):
        _of_host(monkeypatch, 0)
    # Of a plan that leaves out what is left over there is none.
    monkeypatch.setattr(_Plan, "has_smaller_batch", False)
    assert _of_host(monkeypatch, 0).batch_size == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distribution": "data_parallel"}, "KERAS_BACKEND=jax. Received: KERAS_BACKEND=tensorfl"),
        ({"num_hosts": 2}, "num_hosts=2 needs distribution=data_parallel"),
    ],
)
def test_what_tensorflow_cannot_spread_is_refused(given, message):
    with pytest.raises(VsaTfError, match=message):
        check_distribution(TrainingSettings(**given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distribution": "mirrored"}, "mirrored is tensorflow's: expected KERAS_BACKEND=tensorf"),
        ({"num_hosts": 2}, "num_hosts=2 needs coordinator_address"),
        ({"num_hosts": 0, "mixed_precision": "auto"}, "mixed_precision=auto is measured by each"),
        ({"num_hosts": 2, "host_id": 2, "coordinator_address": "a:1"}, "host_id of 0 to 1, each"),
        ({"num_hosts": 2, "coordinator_address": "a:1"}, "num_hosts=2. Received: host_id=-1"),
        ({"num_hosts": 2, "host_id": 0, "coordinator_address": "a"}, "ADDRESS:PORT. Received: a"),
    ],
)
def test_what_jax_cannot_spread_is_refused(given, message, monkeypatch):
    monkeypatch.setattr(compiling.keras.backend, "backend", lambda: "jax")
    with pytest.raises(VsaTfError, match=re.escape(message)):
        check_distribution(TrainingSettings(**{"distribution": "data_parallel", **given}))


def _beside_host_1(monkeypatch, **others):
    """Returns host 0's settings beside a host that was given `others`."""
    places = {"data_dir": "data", "model_dir": "model"}
    settings = Settings.of("m_rnn", **places, host_id=0)
    lines = Settings.of("m_rnn", **places, host_id=1, **others).to_flags().splitlines()
    text = "\n".join(line for line in lines if not re.match("--(host_id|coord.*)=", line)).encode()

    def process_allgather(array):
        """Host 1 sends what it would: the size of its flags, then these."""
        if not array.ndim:
            return np.array([array, len(text)])
        return np.stack([array, np.frombuffer(text.ljust(len(array), b"\0"), np.uint8)])

    utils = types.SimpleNamespace(process_allgather=process_allgather)
    monkeypatch.setitem(
        sys.modules, "jax.experimental", types.SimpleNamespace(multihost_utils=utils)
    )
    monkeypatch.setattr(compiling, "this_host", lambda: (0, 2, 2))
    return settings


def test_hosts_of_the_same_settings_train_together(monkeypatch):
    check_same_settings(_beside_host_1(monkeypatch))


def test_hosts_of_other_settings_are_refused(monkeypatch):
    settings = _beside_host_1(monkeypatch, batch_size=7)
    with pytest.raises(VsaTfError, match="batch_size=-1 on host 0, batch_size=7 on host 1"):
        check_same_settings(settings)


def test_xla_is_on_where_it_is_asked_for_and_said_to_be():
    lines = []
    options = compile_options(
        TrainingSettings(jit_compile="true", steps_per_execution=3), lines.append
    )
    assert options == {"jit_compile": True, "steps_per_execution": 3}
    assert lines == ["XLA: on"]


def test_mirrored_replicas_are_not_compiled_with_xla():
    lines = []
    settings = TrainingSettings(jit_compile="true", distribution="mirrored")
    assert not compile_options(settings, lines.append)["jit_compile"]
    assert lines == ["XLA is off: it does not work under --distribution=mirrored", "XLA: off"]
