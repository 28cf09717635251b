"""A run that is told to stop ends after a step, with a checkpoint, and goes on as if it had not."""

import os
import signal

import pytest

from tests.data import small_records
from tests.training.small_runs import assert_same, progress, train
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluation import Evaluation
from vsa_tf.files import read_sealed
from vsa_tf.training.callbacks import EvaluateAndSave, ShowSteps, stop_signals
from vsa_tf.training.run_steps import intervals_left

# Of 2 steps an epoch, the second of fewer pairs: checkpoints stand at steps 3, 6 and 9.
_VALUES = {"num_epochs": 4, "steps_per_checkpoint": 3, "dropout": 0.3, "average_weights": 0.9}
_VALUES |= {"batch_size": 25}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_records.write_records(folder)
    return folder


@pytest.fixture(autouse=True)
def signals_are_heard():
    # A script's `&` makes its programs deaf to Ctrl-C, and so the tests that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _train(data_dir, model_dir, **values):
    return train(data_dir, model_dir, **{**_VALUES, **values})


def _assert_same_ends(whole, stopped):
    assert_same(whole, stopped)
    expected, received = progress(whole), progress(stopped)
    assert received["best"] == expected["best"] and received["steps"] == expected["steps"]
    for expected_row, row in zip(expected["history"], received["history"], strict=True):
        assert row == pytest.approx(expected_row, rel=1e-6)
    expected, received = (read_sealed(path / "metrics.json") for path in (whole, stopped))
    assert received["metrics"] == expected["metrics"]


def _tell_at_step(monkeypatch, step, number):
    """A signal comes while the batch of a step, the first is 1, ends."""
    on_train_batch_end = ShowSteps.on_train_batch_end

    def tell(callback, batch, logs=None):
        on_train_batch_end(callback, batch, logs)
        if callback.progress["steps"] + batch + 1 == step:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(ShowSteps, "on_train_batch_end", tell)


# Steps at which it is stopped: between two checkpoints, and the last before one, whose evaluation
# follows.
@pytest.mark.parametrize(
    ("interval", "steps", "values"), [(3, (5, 6), {}), (4, (6, 8), {"steps_per_execution": 2})]
)
def test_it_ends_as_the_undisturbed_one(data_dir, tmp_path, monkeypatch, interval, steps, values):
    whole, stopped, before = tmp_path / "whole", tmp_path / "stopped", _handlers()
    values = {"steps_per_checkpoint": interval, **values}
    _train(data_dir, whole, **values)
    for step, number in zip(steps, (signal.SIGTERM, signal.SIGINT), strict=True):
        with monkeypatch.context() as patch:
            _tell_at_step(patch, step, number)
            with pytest.raises(KeyboardInterrupt, match=f"stopped at step {step}; the same comm"):
                _train(data_dir, stopped, **values)
        assert _handlers() == before
        made = progress(stopped)
        assert (made["steps"], len(made["history"])) == (step, step // interval)
        if step % interval:
            # Of 2 steps each; the last checkpoint stands before step 4, or there.
            with pytest.raises(VsaTfError, match=f"a run of {step / 2:.3g} epochs.*num_epochs=2;"):
                _train(data_dir, stopped, **{**values, "num_epochs": 2})
    lines = _train(data_dir, stopped, **values)
    assert f"going on from step {step} of 8" in lines
    _assert_same_ends(whole, stopped)


def test_told_after_the_last_checkpoint_it_stops_before_the_final_evaluation(
    data_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr(ShowSteps, "on_train_end", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt, match="stopped at step 3; the same comm"):
        _train(data_dir, tmp_path, num_epochs=1)
    assert progress(tmp_path)["steps"] == 3
    assert not (tmp_path / "metrics.json").exists()


def _handlers():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize(
    ("steps", "within", "interval", "parts"),
    [
        (0, 0, 3, [(3, 3)]),
        (6, 0, 3, [(3, 1)]),
        (5, 2, 3, [(1, 1), (3, 1)]),
        # Behind the last step, up to the checkpoint.
        (8, 2, 3, [(1, 1)]),
        (9, 0, 3, []),
        # Stopped when there were more steps between two checkpoints.
        (5, 2, 1, [(1, 3)]),
        (5, 2, 4, [(2, 1), (4, 1)]),
    ],
)
def test_what_is_left_of_an_interval_comes_first(steps, within, interval, parts):
    progress = {"steps": steps}
    if within:
        progress["within"] = {"steps": within, "loss": 1.0}
    assert intervals_left(progress, interval, total_steps=8) == parts


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_signals() as told:
            os.kill(os.getpid(), signal.SIGINT)
            assert not told.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            assert told.is_set()
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_weights_that_diverged_are_not_saved(tmp_path):
    with stop_signals() as told:
        os.kill(os.getpid(), signal.SIGTERM)
        callback = EvaluateAndSave(
            *(None, lambda: Evaluation({}, {}), tmp_path, {"steps": 0}, 5, 5),
            *(lambda first, last: last - first, 1, _Events()),
            told=told,
        )
        with pytest.raises(KeyboardInterrupt, match="stopped at step 0;"):
            callback.on_train_batch_end(1, {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


class _Events:
    def flush(self):
        pass
