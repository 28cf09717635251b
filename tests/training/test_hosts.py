"""Two hosts, which are two processes here, train as one does, also when one of them is killed."""

import dataclasses
import importlib.util
import itertools
import socket

import numpy as np
import pytest
from absl import flags

from tests.forked_programs import jax_forks
from tests.source_imports import ROOT
from vsa_tf.evaluation.generated_scenes import generate_data
from vsa_tf.settings_flags import define_flags, settings_from_flags

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed: pip install .[jax]"
)
# 30 scenes have 150 sentences: five full batches an epoch, and one of 10 that two cannot share.
FLAGS = (
    "--image_size=32",
    "--crop_size=16",
    "--num_regions=4",
    "--joint_size=8",
    "--word_embedding_size=8",
    "--min_count=1",
    "--batch_size=28",
    "--num_buckets=2",
    "--num_epochs=2",
    "--dropout=0.3",
    "--region_dropping=0.2",
    # Roots of features near zero make much of what rounding leaves of them.
    "--feature_normalization=l2",
    "--optimizer=adam",
    "--learning_rate=0.005",
    "--num_pictures=0",
    "--seed=3",
)
# Of runs.
_NUMBERS = itertools.count()


def _start(data_dir, model_dir, *more):
    folder = data_dir.parent
    output = folder / f"{next(_NUMBERS)}.log"
    return jax_forks().start(
        *("vsa_tf.train", *FLAGS, f"--data_dir={data_dir}", f"--model_dir={model_dir}", *more),
        outputs=[output, output],
        cwd=folder,
        paths=[ROOT],
    )


def _start_hosts(data_dir, model_dir):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    of_all = (
        "--distribution=data_parallel",
        "--num_hosts=2",
        f"--coordinator_address=localhost:{port}",
    )
    return [_start(data_dir, model_dir, *of_all, f"--host_id={host}") for host in range(2)]


def _finish(*runs):
    for run in runs:
        assert run.wait() == 0, run.outputs[0].read_text("utf-8")


def _arrays(model_dir):
    with np.load(model_dir / "checkpoint_last.npz") as file:
        return {name: file[name] for name in file.files if not name.endswith(".json")}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts") / "data"
    folder.mkdir()
    values = flags.FlagValues()
    define_flags(values)
    values(["train", *FLAGS, f"--data_dir={folder}", f"--model_dir={folder}"])
    settings = settings_from_flags(values)
    data = dataclasses.replace(settings.data, num_examples="30,6,8")
    generate_data(dataclasses.replace(settings, data=data))
    return folder


@pytest.fixture(scope="module")
def trained(data_dir):
    """What one process has learnt, and what two hosts: at once, for hosts wait for each other."""
    one, two = data_dir.parent / "one", data_dir.parent / "two"
    _finish(*_start_hosts(data_dir, two), _start(data_dir, one))
    return _arrays(one), _arrays(two)


def test_two_hosts_train_as_one_process_does(trained):
    of_one, of_two = trained
    assert list(of_one) == list(of_two)
    for name, value in of_one.items():
        # Adam divides by what rounding makes of small gradients.
        np.testing.assert_allclose(of_two[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_hosts_of_which_one_was_killed_go_on_exactly(data_dir, trained):
    _, of_two = trained
    model_dir = data_dir.parent / "killed"
    first, second = _start_hosts(data_dir, model_dir)
    while not (model_dir / "checkpoint_last.npz").exists():
        assert not first.ended_within(0.05) and not second.ended_within(0)
    second.kill()
    # The other would end when it has missed this one for long enough.
    first.kill()
    _finish(*_start_hosts(data_dir, model_dir))
    for name, value in _arrays(model_dir).items():
        np.testing.assert_array_equal(value, of_two[name], err_msg=name)
