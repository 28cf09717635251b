import io
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from tfrecords_tools.progress import Progress
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluation import Evaluation
from vsa_tf.model_dir.checkpoint import restore_checkpoint
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.program import silent
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.callbacks import EvaluateAndSave, ShowSteps, TensorBoardEvents

SETTINGS = Settings(
    DataSettings(data_dir="somewhere", batch_size=7),
    OptimizerSettings(learning_rate=0.25),
    TrainingSettings(model_dir="elsewhere"),
    AlignmentSettings(frame_context=True),
)


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
        variables=[keras.Variable(0, dtype="int32", name="iterations")], use_ema=False
    )
    return model


def _rows(first, last):
    return 2 * (last - first)


def _run(model, model_dir, costs, progress, first_epoch=0, losses=None, say=silent):
    evaluations, events = iter(costs), _Events()

    def evaluate():
        return Evaluation({"cost": next(evaluations)}, {"picture": "of it"})

    # The loss is the sum of a batch's pairs.
    callback = EvaluateAndSave(
        _Evaluator(), evaluate, model_dir, progress, 5, 5, _rows, 2, events, say
    )
    callback.set_model(model)
    for epoch in range(first_epoch, first_epoch + len(costs)):
        callback.on_epoch_begin(epoch)
        model.weight.assign(epoch + 1.0)
        model.optimizer.variables[0].assign(5 * (epoch + 1))
        callback.on_epoch_end(epoch, {"loss": 2 * (losses[epoch] if losses else 10.0 - epoch)})
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


def test_each_epoch_is_a_line(model, tmp_path):
    lines = []
    _run(model, tmp_path, [1234.5678], _progress(), say=lines.append)
    assert lines == ["epoch 1: loss 10, dev cost 1.23e+03, 0 s"]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_run_that_diverges_stops_at_its_last_good_epoch(model, tmp_path, loss):
    progress = _progress()
    with pytest.raises(VsaTfError, match=f"loss became {loss} in epoch 2. Lower learning_rate"):
        _run(model, tmp_path, [20.0, 10.0], progress, losses=[1.0, loss])
    assert progress["steps"] == 5
    weight = keras.Variable(0.0, name="weight")
    assert restore_checkpoint(tmp_path / "checkpoint_last.npz", [weight])["steps"] == 5
    assert float(weight.value) == 1.0


def test_weights_that_the_last_step_spoilt_stop_the_run(model, tmp_path):
    model.variables.append(keras.Variable([1.0, float("nan")], name="spoilt"))
    with pytest.raises(VsaTfError, match="spoilt became NaN or infinite in epoch 1. Lower"):
        _run(model, tmp_path, [20.0], _progress())
    assert not (tmp_path / "checkpoint_last.npz").exists()


class _StepEvents:
    def __init__(self):
        self.points = []

    def write(self, step, scalars, metrics, pictures):
        assert not metrics and not pictures
        self.points.append((step, scalars))


def test_every_few_steps_are_a_point_with_the_learning_rate_and_their_own_loss():
    events, stream = _StepEvents(), io.StringIO()
    callback = ShowSteps({"steps": 100}, 25, _rows, 2, lambda step: step / 1000, events, stream)
    losses = [float(step) for step in range(25)]
    callback.on_epoch_begin(0)
    for step in range(25):
        # Keras tells the mean so far, of two pairs together.
        callback.on_train_batch_end(step, {"loss": 2 * np.mean(losses[: step + 1])})
    callback.on_epoch_end(0)
    assert [step for step, _ in events.points] == [110, 120]
    assert [scalars["learning_rate"] for _, scalars in events.points] == [0.11, 0.12]
    received = [scalars["step_loss"] for _, scalars in events.points]
    np.testing.assert_allclose(received, [np.mean(losses[:10]), np.mean(losses[10:20])])


def test_a_smaller_batch_weighs_less():
    events, rows = _StepEvents(), [20, 10] * 10
    callback = ShowSteps(
        {"steps": 0}, 20, lambda first, last: sum(rows[first:last]), 1, 0.5, events
    )
    losses = np.arange(20.0)
    callback.on_epoch_begin(0)
    for step in range(20):
        mean = np.average(losses[: step + 1], weights=rows[: step + 1])
        callback.on_train_batch_end(step, {"loss": mean})
    received = [scalars["step_loss"] for _, scalars in events.points]
    expected = [np.average(losses[first:][:10], weights=rows[:10]) for first in (0, 10)]
    np.testing.assert_allclose(received, expected)


def test_several_steps_in_a_call_are_counted():
    events = _StepEvents()
    callback = ShowSteps({"steps": 0}, 24, _rows, 1, 0.5, events)
    callback.on_epoch_begin(0)
    for last in (7, 15, 23):
        callback.on_train_batch_end(last, {"loss": 3.0})
    assert events.points == [(16, {"step_loss": 3.0, "learning_rate": 0.5})]


@pytest.mark.parametrize(("within", "shown"), [(0, "2/6"), (3, "5/9")])
def test_an_epoch_says_where_it_is(monkeypatch, within, shown):
    stream, now = io.StringIO(), iter(range(0, 100, 4))
    monkeypatch.setattr(Progress.__init__, "__defaults__", (None, "images", 5.0, lambda: next(now)))
    progress = {"steps": within, "within": {"steps": within, "loss": 1.0}}
    callback = ShowSteps(progress, within + 6, _rows, 2, 0.5, _StepEvents(), stream)
    callback.on_epoch_begin(0)
    for step in range(6):
        callback.on_train_batch_end(step, {"loss": 5.0})
    first = stream.getvalue().splitlines()[0]
    assert first == f"{shown} steps, 0.2 steps/s, 0:16 left, loss 2.5"


@pytest.fixture(scope="module")
def accumulator(tmp_path_factory):
    """The events of a run of two points, as TensorBoard reads them."""
    model_dir = tmp_path_factory.mktemp("model")
    events = TensorBoardEvents(model_dir, SETTINGS)
    metrics = {"recall": {"R@1": 20.0, "interval_95": {"R@1": [10.0, 30.0]}}, "reason": "none"}
    picture = np.full((2, 3, 3), 9, np.uint8)
    for step in (5, 10):
        events.write(step, {"loss": 1.0 / step}, metrics, {"a.jpg": ("a dog", picture)})
    events.writer.close()
    accumulator = EventAccumulator(str(model_dir / "events"), {"tensors": 0})
    return accumulator.Reload()


def test_numbers_are_scalars_by_step(accumulator):
    events = accumulator.Tensors("train/loss")
    assert [event.step for event in events] == [5, 10]
    values = [float(tf.make_ndarray(event.tensor_proto)) for event in events]
    np.testing.assert_allclose(values, [0.2, 0.1])
    value, _ = accumulator.Tensors("dev/recall/R@1")
    assert float(tf.make_ndarray(value.tensor_proto)) == 20.0
    # Neither text nor an interval is a number.
    assert [tag for tag in accumulator.Tags()["tensors"] if tag.startswith("dev/")] == [
        "dev/recall/R@1"
    ]


def test_pictures_have_their_captions(accumulator):
    event = accumulator.Tensors("pictures/a.jpg")[0]
    width, height, encoded = tf.make_ndarray(event.tensor_proto)
    assert (int(width), int(height)) == (3, 2)
    np.testing.assert_array_equal(tf.io.decode_png(encoded), np.full((2, 3, 3), 9))
    text = tf.make_ndarray(accumulator.Tensors("captions/a.jpg")[0].tensor_proto)
    assert text.item() == b"a dog"


def test_settings_are_hyper_parameters_without_paths(accumulator):
    content = accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["learning_rate"].number_value == 0.25
    assert values["batch_size"].number_value == 7
    assert values["frame_context"].bool_value is True
    assert values["model"].string_value == "alignment"
    assert not {"data_dir", "model_dir"} & set(values)


def test_the_flagfile_is_text(accumulator):
    text = tf.make_ndarray(accumulator.Tensors("flagfile")[0].tensor_proto).item().decode()
    assert "    --batch_size=7" in text.splitlines()
