import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from vsa_tf.models.captioning.settings import AlignmentSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.tensorboard_events import TensorBoardEvents

SETTINGS = Settings(
    DataSettings(data_dir="somewhere", batch_size=7),
    OptimizerSettings(learning_rate=0.25),
    TrainingSettings(model_dir="elsewhere"),
    AlignmentSettings(frame_context=True),
)


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
