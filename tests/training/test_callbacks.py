import types

import keras
import numpy as np
import pytest

from vsa_tf.evaluation.evaluation import Evaluation
from vsa_tf.model_dir.checkpoint import restore_checkpoint
from vsa_tf.program import ProgramError
from vsa_tf.training.callbacks import EvaluateAndSave


class _Evaluator:
    """Whose metrics are one number."""

    def selection_score(self, metrics):
        return -metrics["cost"]

    def summary(self, metrics):
        return {"cost": metrics["cost"]}


class _Events:
    def __init__(self):
        self.points = []

    def write(self, step, scalars, metrics, pictures):
        self.points.append((step, scalars["loss"], metrics["cost"], pictures))


@pytest.fixture
def model():
    """After epoch n its only weight is n."""
    model = types.SimpleNamespace()
    model.weight = keras.Variable(0.0, name="weight")
    model.variables = [model.weight]
    model.optimizer = types.SimpleNamespace(
        variables=[keras.Variable(0, dtype="int32", name="iterations")]
    )
    return model


def _run(model, model_dir, costs, progress, first_epoch=0, losses=None):
    evaluations, events = iter(costs), _Events()

    def evaluate():
        return Evaluation({"cost": next(evaluations)}, {"picture": "of it"})

    callback = EvaluateAndSave(_Evaluator(), evaluate, model_dir, progress, 5, events)
    callback.set_model(model)
    for epoch in range(first_epoch, first_epoch + len(costs)):
        callback.on_epoch_begin(epoch)
        model.weight.assign(epoch + 1.0)
        model.optimizer.variables[0].assign(5 * (epoch + 1))
        callback.on_epoch_end(epoch, {"loss": losses[epoch] if losses else 10.0 - epoch})
    return events


def _progress():
    return {"steps": 0, "best": None, "history": []}


def test_the_best_weights_and_the_last_state_are_kept(model, tmp_path):
    progress = _progress()
    events = _run(model, tmp_path, [30.0, 10.0, 20.0], progress)
    weight = keras.Variable(0.0, name="weight")
    iterations = keras.Variable(0, dtype="int32", name="iterations")
    best = restore_checkpoint(tmp_path / "checkpoint_best.npz", [weight])
    assert float(weight.value) == 2.0
    assert best["steps"] == 10
    last = restore_checkpoint(tmp_path / "checkpoint_last.npz", [weight, iterations])
    assert (float(weight.value), int(iterations.value)) == (3.0, 15)
    assert last == progress
    assert last["steps"] == 15
    assert last["best"] == {"score": -10.0, "epoch": 2}
    assert [row["loss"] for row in last["history"]] == [10.0, 9.0, 8.0]
    assert [row["cost"] for row in last["history"]] == [30.0, 10.0, 20.0]
    pictures = {"picture": "of it"}
    assert events.points == [
        (5, 10.0, 30.0, pictures),
        (10, 9.0, 10.0, pictures),
        (15, 8.0, 20.0, pictures),
    ]


def test_of_equal_scores_the_first_is_kept(model, tmp_path):
    progress = _progress()
    _run(model, tmp_path, [10.0, 10.0], progress)
    assert progress["best"]["epoch"] == 1
    weight = keras.Variable(0.0, name="weight")
    restore_checkpoint(tmp_path / "checkpoint_best.npz", [weight])
    np.testing.assert_array_equal(weight, 1.0)


def test_a_run_that_goes_on_remembers_its_best(model, tmp_path):
    progress = _progress()
    _run(model, tmp_path, [10.0], progress)
    _run(model, tmp_path, [20.0], progress, first_epoch=1)
    assert progress["best"]["epoch"] == 1
    assert [row["epoch"] for row in progress["history"]] == [1, 2]


def test_each_epoch_is_a_line(model, tmp_path, capsys):
    _run(model, tmp_path, [1234.5678], _progress())
    assert capsys.readouterr().out == "epoch 1: loss 10.000, dev cost 1.23e+03, 0 s\n"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_run_that_diverges_stops_at_its_last_good_epoch(model, tmp_path, loss):
    progress = _progress()
    with pytest.raises(ProgramError, match=f"loss became {loss} in epoch 2. Lower --learning_rate"):
        _run(model, tmp_path, [20.0, 10.0], progress, losses=[1.0, loss])
    assert progress["steps"] == 5
    weight = keras.Variable(0.0, name="weight")
    assert restore_checkpoint(tmp_path / "checkpoint_last.npz", [weight])["steps"] == 5
    assert float(weight.value) == 1.0


def test_weights_that_the_last_step_spoilt_stop_the_run(model, tmp_path):
    model.variables.append(keras.Variable([1.0, float("nan")], name="spoilt"))
    with pytest.raises(ProgramError, match="spoilt became NaN or infinite in epoch 1. Lower"):
        _run(model, tmp_path, [20.0], _progress())
    assert not (tmp_path / "checkpoint_last.npz").exists()
