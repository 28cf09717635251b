"""Runs that go on: with more epochs, and from a model of other photographs."""

import shutil

import numpy as np
import pytest

from tests.data import small_records
from tests.training.small_runs import arrays, assert_same, progress, train
from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_records.write_records(folder)
    return folder


def _stop_after(epoch):
    def say(line):
        if line.startswith(f"epoch {epoch}:"):
            raise KeyboardInterrupt

    return say


CONSTANT = {"learning_rate_schedule": "constant", "average_weights": 0.0}
CONSTANT |= {"negatives": "hardest", "hardness_warmup_epochs": 2.0}
AVERAGED = {**CONSTANT, "average_weights": 0.5}


@pytest.fixture(scope="module")
def constant(data_dir, tmp_path_factory):
    """A run of one epoch at a constant rate; the last test removes it."""
    model_dir = tmp_path_factory.mktemp("constant") / "one"
    train(data_dir, model_dir, num_epochs=1, **CONSTANT)
    return model_dir


@pytest.fixture(scope="module")
def averaged(data_dir, tmp_path_factory):
    """The same run with averages of its weights."""
    model_dir = tmp_path_factory.mktemp("averaged") / "one"
    train(data_dir, model_dir, num_epochs=1, **AVERAGED)
    return model_dir


def test_more_epochs_at_a_constant_rate_end_as_if_they_had_been_asked_for_at_once(
    data_dir, averaged, tmp_path
):
    longer = tmp_path / "longer"
    shutil.copytree(averaged, longer)
    # What changes no weight may differ too: here a checkpoint at each step, from the middle on.
    lines = train(data_dir, longer, num_epochs=2, steps_per_checkpoint=1, **AVERAGED)
    assert "going on from step 2 of 4" in lines
    assert not any("anew" in line for line in lines)
    assert [row["epoch"] for row in progress(longer)["history"]] == [1, 1.5, 2]
    train(data_dir, tmp_path / "at_once", num_epochs=2, **AVERAGED)
    assert_same(tmp_path / "at_once", longer, "checkpoint_last.npz")
    # The directory says what it holds now; what was not given is what the run began with.
    stored = Settings.load(longer)
    assert (stored.training.num_epochs, stored.training.steps_per_checkpoint) == (2, 1)
    assert stored.optimizer == Settings.load(averaged).optimizer
    assert "--num_epochs=2" in (longer / "flagfile").read_text().splitlines()
    with pytest.raises(VsaTfError, match="holds a run of 2 epochs. Received: num_epochs=1"):
        train(data_dir, longer, num_epochs=1, **AVERAGED)
    with pytest.raises(VsaTfError, match="another run: learning_rate is 0.5 here"):
        train(data_dir, longer, num_epochs=3, learning_rate=0.5, **AVERAGED)
    with pytest.raises(VsaTfError, match="another run: average_weights is 0.0 here and 0.5 there"):
        train(data_dir, longer, num_epochs=2, **CONSTANT)
    assert Settings.load(longer) == stored


def test_averages_are_kept_as_the_best_beside_the_weights(constant, averaged):
    last, best = (
        list(arrays(averaged, f"checkpoint_{name}.npz").items()) for name in ("last", "best")
    )
    # The weights are those of the run without averages, which its state has besides.
    plain = list(arrays(constant).values())
    for (_, value), expected in zip(last, plain[: len(best)]):
        np.testing.assert_array_equal(value, expected)
    averages = [value for name, value in last if name.endswith("_average")]
    assert len(last) == len(plain) + len(averages)
    # The best have the averages in their place, but counters and seeds, which have none.
    for (name, value), (_, weight) in zip(best, last):
        if "float" in str(value.dtype):
            np.testing.assert_array_equal(value, averages.pop(0), err_msg=name)
            assert (value != weight).any()
        else:
            np.testing.assert_array_equal(value, weight)
    assert not averages


def test_a_schedule_of_another_length_begins_anew_and_goes_on_when_it_is_stopped(
    data_dir, tmp_path
):
    train(data_dir, tmp_path / "whole", num_epochs=1)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    lines = train(data_dir, tmp_path / "whole", num_epochs=3)
    assert "--num_epochs was another: the learning rate begins anew at step 2, for 4 steps" in lines
    with pytest.raises(KeyboardInterrupt):
        train(data_dir, tmp_path / "stopped", _stop_after(2), num_epochs=3)
    lines = train(data_dir, tmp_path / "stopped", num_epochs=3)
    assert "going on from step 4 of 6" in lines and not any("anew" in line for line in lines)
    assert_same(tmp_path / "whole", tmp_path / "stopped")
    assert progress(tmp_path / "stopped")["schedule"] == {"start": 2, "num_epochs": 3}
    assert [row["epoch"] for row in progress(tmp_path / "stopped")["history"]] == [1, 2, 3]


def test_a_finished_run_is_evaluated_again_and_not_trained(data_dir, constant, tmp_path):
    shutil.copytree(constant, tmp_path / "model")
    lines = train(data_dir, tmp_path / "model", **CONSTANT)
    assert "going on from step 2 of 2" in lines
    assert not any(line.startswith("epoch") for line in lines)
    assert_same(constant, tmp_path / "model")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Records of three photographs, which share 12 words with the others and have new ones."""
    folder = tmp_path_factory.mktemp("others")

    def edit(image, values):
        captions = [f"w{4 + image} w{5 + image} bird bird", "bird w9", "bird", "w8", "w7"]
        values[small_records.schema.CAPTION_RAW] = captions

    small_records.write_records(folder, 3, 1, edit=edit)
    return folder


def test_a_start_that_does_not_fit_is_refused(constant, data_dir, tmp_path):
    start = {"start_from": str(constant)}
    splits = {"dev_split": "train", "test_split": "train"}
    with pytest.raises(VsaTfError, match="start_from=.* has model=alignment. Received: model=m_r"):
        places = {"data_dir": str(data_dir), "model_dir": str(tmp_path)}
        train_model(Settings.of("m_rnn", **places, **splits, **start))
    with pytest.raises(VsaTfError, match="has tokenizer=word. Received: tokenizer=wordpiece"):
        train(data_dir, tmp_path, tokenizer="wordpiece", **start)


def test_a_model_goes_on_with_other_photographs(constant, others, tmp_path):
    values = {"start_from": str(constant), "num_epochs": 1, "batch_size": 5, "learning_rate": 0.0}
    values |= CONSTANT
    lines = train(others, tmp_path / "new", **values)
    (line,) = [line for line in lines if line.startswith(f"from {constant}: ")]
    start, new = TrainedModel(constant), TrainedModel(tmp_path / "new")
    size = len(start.text.vocabulary)
    assert new.text.vocabulary.tokens == (*start.text.vocabulary.tokens, "bird")
    assert f"{size} of {size + 1} tokens; new: bird" in line
    # Without learning, every weight is the start's; the new word's row is its own.
    assert len(start.model.trainable_weights) == len(new.model.trainable_weights)
    for before, after in zip(start.model.trainable_weights, new.model.trainable_weights):
        np.testing.assert_array_equal(np.array(after)[: before.shape[0]], np.array(before))
    assert np.array(new.model.word_table.embeddings)[size].any()
    # Counters are the run's.
    assert int(new.model.steps_trained.value) == 3
    # The same command again; the start is needed no more.
    shutil.rmtree(constant)
    lines = train(others, tmp_path / "new", **values)
    assert "going on from step 3 of 3" in lines
