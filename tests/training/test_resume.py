"""Trains a tiny model, once undisturbed and once killed again and again."""

import dataclasses
import json
import pathlib
import random
import re
import shutil
import signal
import time

import numpy as np
import pytest
from absl import flags

from tests.data import small_records
from tests.forked_programs import tensorflow_forks
from tests.training.reproducible_runs import uncached
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.generated_scenes import generate_data
from vsa_tf.files import read_sealed
from vsa_tf.model_dir.checkpoint import neutral_path
from vsa_tf.settings import Settings
from vsa_tf.settings_flags import define_flags, settings_from_flags
from vsa_tf.training.train_model import train_model

# 30 scenes have 150 sentences, 5 steps an epoch: a checkpoint falls into the middle of one.
FLAGS = (
    "--image_size=32",
    "--augmentation=mirror",
    "--crop_size=16",
    "--num_regions=4",
    "--joint_size=8",
    "--word_embedding_size=8",
    "--min_count=1",
    "--batch_size=30",
    "--num_buckets=2",
    "--num_epochs=2",
    "--steps_per_checkpoint=3",
    "--dropout=0.3",
    "--region_dropping=0.2",
    "--word_dropping=0.2",
    "--negatives=hardest",
    "--hardness_warmup_epochs=1.0",
    "--similarity=cosine",
    "--margin=0.2",
    "--optimizer=adam",
    "--learning_rate=0.005",
    "--average_weights=0.9",
    "--learning_rate_schedule=cosine",
    "--num_pictures=1",
    "--seed=3",
)
NUM_STEPS = 2 * 5 + 2  # up to the next checkpoint


def _start(data_dir, model_dir, *more, program="vsa_tf.train"):
    """Starts a run of the program; returns its `ForkedProgram`."""
    output = data_dir.parent / "output"
    flags_of_run = [f"--data_dir={data_dir}", f"--model_dir={model_dir}", *FLAGS, *more]
    return tensorflow_forks().start(program, *flags_of_run, outputs=[output, output])


def _finish(data_dir, model_dir, *more, **options):
    run = _start(data_dir, model_dir, *more, **options)
    code, output = run.wait(), (data_dir.parent / "output").read_text("utf-8")
    assert code == 0, output
    return output


def _kill(data_dir, model_dir, name, delay):
    """Kills a run when a file has been written again, and a little later."""
    path = model_dir / name
    before = path.stat().st_mtime_ns if path.exists() else 0
    run = _start(data_dir, model_dir)
    while not run.ended_within(0.001):
        if path.exists() and path.stat().st_mtime_ns != before:
            time.sleep(delay)
            run.kill()
            break
    assert run.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`(data_dir, undisturbed model_dir, killed model_dir, output of the killed run's end)`."""
    folder = tmp_path_factory.mktemp("resume")
    data_dir, whole, killed = (folder / name for name in ("data", "whole", "killed"))
    data_dir.mkdir()
    settings = _settings(data_dir, whole)
    generate_data(
        dataclasses.replace(
            settings, data=dataclasses.replace(settings.data, num_examples="30,6,8")
        )
    )
    # In this process, whose Python orders sets otherwise.
    settings = _settings(data_dir, whole)
    training = dataclasses.replace(settings.training, steps_per_execution=3)
    with uncached():
        train_model(dataclasses.replace(settings, training=training))
    # The best weights are written just before the state: killed there, the run has only those.
    _kill(data_dir, killed, "checkpoint_best.npz", 0)
    _kill(data_dir, killed, "checkpoint_last.npz", random.Random(0).uniform(0, 0.05))
    output = _finish(data_dir, killed)
    return data_dir, whole, killed, output


def _settings(data_dir, model_dir):
    """The settings of FLAGS, for calls in this process."""
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    flag_values(["train", *FLAGS, f"--data_dir={data_dir}", f"--model_dir={model_dir}"])
    return settings_from_flags(flag_values)


def _arrays(path):
    # Keras's names hold the number of the model in the process.
    with np.load(path) as file:
        return {neutral_path(name): file[name] for name in file.files}


@pytest.mark.parametrize("name", ["checkpoint_best.npz", "checkpoint_last.npz"])
def test_neither_kills_nor_caches_nor_steps_of_a_call_nor_the_process_change_a_bit(runs, name):
    _, whole, killed, _ = runs
    expected, received = _arrays(whole / name), _arrays(killed / name)
    assert list(expected) == list(received)
    for key in expected:
        np.testing.assert_array_equal(received[key], expected[key], err_msg=key)
        assert received[key].dtype == expected[key].dtype


@pytest.mark.parametrize("name", ["metrics.json", "config.json", "vocabulary.txt"])
def test_a_killed_run_leaves_the_same_files(runs, name):
    _, whole, killed, _ = runs
    expected, received = ((folder / name).read_text("utf-8") for folder in (whole, killed))
    # The checksum is of the paths, too.
    expected, received = (re.sub('"content_sha256".*', "", text) for text in (expected, received))
    expected = expected.replace('"steps_per_execution": 3', '"steps_per_execution": 1')
    assert received.replace(str(killed), str(whole)) == expected


def test_a_run_prints_no_warning(runs):
    assert not re.search("warn|deprecat|^[WE][0-9]{4} ", runs[3], re.IGNORECASE | re.MULTILINE)


def test_a_batch_is_shared_by_two_devices(runs, tmp_path):
    more = "--distribution=mirrored", "--num_epochs=1", "--hardness_warmup_epochs=0"
    _finish(runs[0], tmp_path / "model", *more, program="tests.training.two_devices")
    report = read_sealed(tmp_path / "model" / "metrics.json")
    assert report["num_images"] == 8
    last = _arrays(tmp_path / "model" / "checkpoint_last.npz")
    assert json.loads(str(last["progress.json"]))["steps"] == 6


def test_the_killed_run_went_on(runs):
    output = runs[3]
    assert "going on from step" in output
    assert f"of {2 * 5}" in output


def test_all_steps_were_done(runs):
    last = _arrays(runs[2] / "checkpoint_last.npz")
    progress = json.loads(str(last["progress.json"]))
    assert progress["steps"] == NUM_STEPS
    assert len(progress["history"]) == NUM_STEPS // 3
    assert [int(value) for key, value in last.items() if key.endswith("/steps_trained")] == [
        NUM_STEPS
    ]


def test_no_half_written_file_is_left(runs):
    names = sorted(path.name for path in runs[2].iterdir())
    assert names == [
        "checkpoint_best.npz",
        "checkpoint_last.npz",
        "config.json",
        "events",
        "flagfile",
        "metrics.json",
        "pictures",
        "vocabulary.txt",
    ]


def test_the_flagfile_gives_the_same_settings(runs):
    _, whole, _, _ = runs
    lines = (whole / "flagfile").read_text("utf-8").splitlines()
    assert set(FLAGS) <= set(lines)
    assert Settings.load(whole).to_flags().splitlines() == lines


def test_a_model_dir_of_other_settings_is_refused(runs):
    data_dir, _, killed, _ = runs
    settings = _settings(data_dir, killed)
    other = dataclasses.replace(settings, model=dataclasses.replace(settings.model, joint_size=9))
    before = (killed / "checkpoint_last.npz").read_bytes()
    with pytest.raises(VsaTfError, match="another run: joint_size is 9 here and 8 there"):
        train_model(other)
    assert (killed / "checkpoint_last.npz").read_bytes() == before


def test_a_corrupt_checkpoint_is_refused(runs, tmp_path):
    data_dir, _, killed, _ = runs
    model_dir = tmp_path / "model"
    model_dir.mkdir()
    for name in ("config.json", "vocabulary.txt", "flagfile"):
        (model_dir / name).write_bytes((killed / name).read_bytes())
    content = (killed / "checkpoint_last.npz").read_bytes()
    (model_dir / "checkpoint_last.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(VsaTfError, match="checkpoint_last.npz cannot be read"):
        train_model(_settings(data_dir, model_dir))
    with pytest.raises(VsaTfError, match="no checkpoint yet"):
        evaluate_model(model_dir, data_dir)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"cnn": "keras:NoSuchNet"}, "Expected cnn to be small or keras:NAME"),
        ({"word_vectors": "vectors.txt"}, "^word_vectors: Expected vectors of 8 numbers"),
    ],
)
def test_what_shows_only_when_the_model_is_made_is_refused(
    runs, tmp_path, monkeypatch, setting, message
):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("vectors.txt").write_text("red 1 2\n", encoding="utf-8")
    settings = _settings(runs[0], tmp_path / "model")
    with pytest.raises(VsaTfError, match=message):
        train_model(
            dataclasses.replace(settings, model=dataclasses.replace(settings.model, **setting))
        )
    # The same command with another setting is not another run's.
    assert not (tmp_path / "model").exists()


def test_other_records_are_not_gone_on_with(runs, tmp_path):
    data_dir, _, killed, _ = runs
    model_dir = tmp_path / "model"
    shutil.copytree(killed, model_dir)
    stored = read_sealed(model_dir / "config.json")
    stored["inputs"]["records"] = "of other features"
    (model_dir / "config.json").write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(VsaTfError, match="holds another run: the records of train are other"):
        train_model(_settings(data_dir, model_dir))


def test_a_vocabulary_that_is_gone_is_named(runs, tmp_path):
    shutil.copytree(runs[1], tmp_path / "model")
    (tmp_path / "model" / "vocabulary.txt").unlink()
    with pytest.raises(VsaTfError, match="has no vocabulary.txt"):
        evaluate_model(tmp_path / "model", runs[0])


def test_folds_of_more_images_than_there_are_are_refused(runs):
    with pytest.raises(VsaTfError, match="at most the 8 images of split test.*fold_size=9"):
        evaluate_model(runs[1], runs[0], options=EvaluationOptions(fold_size=9))


def test_evaluation_repeats_the_metrics_of_training(runs, tmp_path):
    data_dir, whole, _, _ = runs
    options = EvaluationOptions(fold_size=4)
    evaluate_model(whole, output=tmp_path / "metrics.json", options=options)
    report = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert report["metrics"].pop("folds")["fold_size"] == 4
    assert report == read_sealed(whole / "metrics.json")


def test_metrics_have_the_layout_of_the_interface(runs):
    report = json.loads((runs[1] / "metrics.json").read_text("utf-8"))
    assert (report["model"], report["split"]) == ("alignment", "test")
    assert (report["num_images"], report["num_sentences"]) == (8, 40)
    assert isinstance(report["protocol"], dict)
    recalls = {"R@1", "R@5", "R@10"}
    for direction in ("image_to_sentence", "sentence_to_image"):
        values = report["metrics"][direction]
        assert values.keys() >= recalls | {"median_rank", "mean_rank"}
        assert 0 <= values["R@1"] <= values["R@5"] <= values["R@10"] <= 100
    phrases = report["metrics"]["phrase_localization"]
    assert phrases.keys() >= recalls | {"upper_bound", "num_phrases", "by_type"}


def test_magnitudes_and_queries(runs, tmp_path):
    lines, warned = [], []
    evaluate_model(
        runs[1],
        split="dev",
        word_magnitudes=tmp_path / "words.json",
        query=["a red circle", "a brauner circle"],
        say=lines.append,
        warn=warned.append,
    )
    tables = json.loads((tmp_path / "words.json").read_text("utf-8"))
    smallest = [row["magnitude"] for row in tables["smallest"]]
    assert smallest == sorted(smallest)
    assert all(isinstance(row["word"], str) and row["count"] >= 5 for row in tables["largest"])
    assert "best regions for 'a red circle'" in lines
    assert warned == ["the model does not know brauner"]


def test_records_of_another_encoder_are_refused(runs, tmp_path):
    small_records.write_records(tmp_path, split="test")
    with pytest.raises(VsaTfError, match="Expected records with the features.*Received"):
        evaluate_model(runs[1], data_dir=tmp_path)


def test_an_unknown_split_is_refused(runs):
    with pytest.raises(VsaTfError, match="Expected split to be a split of .*split=holdout"):
        evaluate_model(runs[1], split="holdout")


def test_a_query_without_words_is_refused(runs):
    with pytest.raises(VsaTfError, match="has no words"):
        evaluate_model(runs[1], query=["..."])
