import types

import keras
import numpy as np
import pytest

from vsa_tf.training.callbacks import EvaluateAndSave, selection_score
from vsa_tf.model_dir.checkpoint import restore_checkpoint


def _metrics(recall):
    recalls = {"R@1": recall, "R@5": recall + 1, "R@10": recall + 2}
    return {"image_to_sentence": recalls, "sentence_to_image": dict(recalls)}


class _Events:
    def __init__(self):
        self.steps = []

    def write(self, step, scalars, metrics, pictures):
        self.steps.append((step, scalars["loss"]))


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


def _run(model, model_dir, recalls, progress, first_epoch=0):
    evaluations, events = iter(recalls), _Events()
    callback = EvaluateAndSave(
        lambda: (_metrics(next(evaluations)), {}), model_dir, progress, 5, events
    )
    callback.set_model(model)
    for epoch in range(first_epoch, first_epoch + len(recalls)):
        callback.on_epoch_begin(epoch)
        model.weight.assign(epoch + 1.0)
        model.optimizer.variables[0].assign(5 * (epoch + 1))
        callback.on_epoch_end(epoch, {"loss": 10.0 - epoch})
    return events


def _progress():
    return {"steps": 0, "best": None, "history": []}


def test_selection_is_by_the_sum_of_all_six_recalls():
    assert selection_score(_metrics(10.0)) == 2 * (10 + 11 + 12)


def test_the_best_weights_and_the_last_state_are_kept(model, tmp_path):
    progress = _progress()
    events = _run(model, tmp_path, [10.0, 30.0, 20.0], progress)
    weight = keras.Variable(0.0, name="weight")
    iterations = keras.Variable(0, dtype="int32", name="iterations")
    best = restore_checkpoint(tmp_path / "checkpoint_best.npz", [weight])
    assert float(weight.value) == 2.0
    assert best["steps"] == 10
    last = restore_checkpoint(tmp_path / "checkpoint_last.npz", [weight, iterations])
    assert (float(weight.value), int(iterations.value)) == (3.0, 15)
    assert last == progress
    assert last["steps"] == 15
    assert last["best"] == {"score": 2 * (30 + 31 + 32), "epoch": 2}
    assert [row["loss"] for row in last["history"]] == [10.0, 9.0, 8.0]
    assert [row["image_to_sentence"] for row in last["history"]] == [10.0, 30.0, 20.0]
    assert events.steps == [(5, 10.0), (10, 9.0), (15, 8.0)]


def test_of_equal_scores_the_first_is_kept(model, tmp_path):
    progress = _progress()
    _run(model, tmp_path, [10.0, 10.0], progress)
    assert progress["best"]["epoch"] == 1
    weight = keras.Variable(0.0, name="weight")
    restore_checkpoint(tmp_path / "checkpoint_best.npz", [weight])
    np.testing.assert_array_equal(weight, 1.0)


def test_a_run_that_goes_on_remembers_its_best(model, tmp_path):
    progress = _progress()
    _run(model, tmp_path, [30.0], progress)
    _run(model, tmp_path, [20.0], progress, first_epoch=1)
    assert progress["best"]["epoch"] == 1
    assert [row["epoch"] for row in progress["history"]] == [1, 2]
