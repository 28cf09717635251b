"""Trains a tiny caption generator, once undisturbed and once stopped and started again."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.evaluation.small_splits import CAPTIONS, load_split
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.evaluation.evaluation import CaptionOptions
from vsa_tf.files import read_sealed
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.callbacks import EvaluateAndSave
from vsa_tf.training.train_model import train_model

NUM_EPOCHS = 2


class _Stopped(Exception):
    pass


def _settings(data_dir, model_dir):
    return Settings(
        # Seven captions of four images: two steps an epoch.
        DataSettings(
            data_dir=str(data_dir), num_regions=1, min_count=2, batch_size=4, num_buckets=2
        ),
        OptimizerSettings("adam", 0.02, "cosine", clip_norm=5.0),
        TrainingSettings(
            model="m_rnn",
            model_dir=str(model_dir),
            num_epochs=NUM_EPOCHS,
            seed=3,
            dev_split="train",
            test_split="train",
            num_pictures=1,
        ),
        MRnnSettings(
            word_embedding_size=3,
            recurrent_size=4,
            multimodal_size=6,
            dropout=0.3,
            weight_penalty=1e-4,
            initialize_bias=True,
            max_caption_words=6,
        ),
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`(settings, undisturbed model_dir, stopped model_dir, report of the undisturbed run)`."""
    folder = tmp_path_factory.mktemp("captioner")
    data_dir, whole, stopped = (folder / name for name in ("data", "whole", "stopped"))
    data_dir.mkdir()
    load_split(data_dir, CAPTIONS, images_stored=True)
    on_epoch_end = EvaluateAndSave.on_epoch_end

    def stop(callback, epoch, logs=None):
        on_epoch_end(callback, epoch, logs)
        raise _Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # no Java: METEOR is slow, and not everywhere
        report = train_model(_settings(data_dir, whole))
        with patch.context() as stopping:
            stopping.setattr(EvaluateAndSave, "on_epoch_end", stop)
            with pytest.raises(_Stopped):
                train_model(_settings(data_dir, stopped))
        assert not (stopped / "metrics.json").exists()
        train_model(_settings(data_dir, stopped))
    return _settings(data_dir, whole), whole, stopped, report


def _arrays(path):
    """The values in order; their names hold the number of the model in this process."""
    with np.load(path) as file:
        return [file[name] for name in sorted(set(file.files) - {"progress.json"})]


def _progress(path):
    with np.load(path) as file:
        return json.loads(str(file["progress.json"]))


def _results(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["checkpoint_best.npz", "checkpoint_last.npz"])
def test_a_stopped_run_ends_with_the_weights_of_the_undisturbed_one(runs, name):
    _, whole, stopped, _ = runs
    expected, received = _arrays(whole / name), _arrays(stopped / name)
    # Ten weights and three seeds of dropout; of the last state Adam's two moments as well.
    assert len(expected) >= (13 if name == "checkpoint_best.npz" else 33)
    for expected_value, value in zip(expected, received, strict=True):
        np.testing.assert_array_equal(value, expected_value)


def test_a_stopped_run_leaves_the_same_files(runs):
    _, whole, stopped, _ = runs
    for model_dir in (whole, stopped):
        assert sorted(path.name for path in model_dir.iterdir()) == [
            "captions.json",
            "checkpoint_best.npz",
            "checkpoint_last.npz",
            "config.json",
            "events",
            "flagfile",
            "metrics.json",
            "pictures",
            "vocabulary.txt",
        ]
        assert [path.name for path in (model_dir / "pictures").iterdir()] == ["m_rnn_00.png"]
    for name in ("captions.json", "metrics.json", "vocabulary.txt"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_progress_tells_how_the_captions_became(runs):
    progress = _progress(runs[1] / "checkpoint_last.npz")
    assert progress == _progress(runs[2] / "checkpoint_last.npz")
    assert progress["steps"] == NUM_EPOCHS * 2
    assert [row["epoch"] for row in progress["history"]] == [1, 2]
    for row in progress["history"]:
        assert row.keys() == {"epoch", "loss", "perplexity", "Bleu_4", "CIDEr"}
    perplexities = [row["perplexity"] for row in progress["history"]]
    assert progress["best"] == {
        "score": -min(perplexities),
        "epoch": 1 + int(np.argmin(perplexities)),
    }


def test_captions_are_in_the_results_format_of_coco(runs):
    results = _results(runs[1] / "captions.json")
    assert [row["image_id"] for row in results] == [0, 1, 2, 3]
    for row in results:
        assert row["file_name"] == f"image{row['image_id']}.png"
        assert isinstance(row["caption"], str)
        assert len(row["caption"].split()) <= 6
        assert row["closest_training_caption"] in [text for texts in CAPTIONS for text in texts]


def test_metrics_have_the_layout_of_the_interface(runs):
    _, whole, _, report = runs
    assert read_sealed(whole / "metrics.json") == report
    assert (report["model"], report["split"], report["num_images"]) == ("m_rnn", "train", 4)
    assert "captions" in report["protocol"]
    captions = report["metrics"]["captions"]
    assert captions["perplexity"] > 1 and 0 <= captions["Bleu_4"] <= captions["Bleu_1"] <= 1
    assert captions["METEOR"] is None and captions["skipped"].keys() == {"METEOR"}
    best = _progress(whole / "checkpoint_best.npz")["best"]
    assert captions["perplexity"] == pytest.approx(-best["score"])


def test_the_model_begins_with_the_frequencies_of_words(runs):
    _, whole, _, _ = runs
    trained = TrainedModel(whole)
    counts = np.array(trained.text.vocabulary.counts, float)
    bias = np.array(trained.model.softmax.bias)
    # A few small steps later, the frequent ones are still the frequent ones.
    assert bias[counts.argsort()[-1]] > bias[counts.argsort()[4]]


def test_another_vocabulary_of_the_same_size_is_refused(runs, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(runs[1], copy)
    lines = (copy / "vocabulary.txt").read_text().splitlines(keepends=True)
    lines[-1], lines[-2] = lines[-2], lines[-1]
    (copy / "vocabulary.txt").write_text("".join(lines))
    with pytest.raises(VsaTfError, match="vocabulary.txt to be as training wrote it"):
        TrainedModel(copy)
    settings = dataclasses.replace(
        runs[0], training=dataclasses.replace(runs[0].training, model_dir=str(copy))
    )
    with pytest.raises(VsaTfError, match="vocabulary.txt is not the one it was trained with"):
        train_model(settings)


def test_evaluation_repeats_the_metrics_of_training(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _, whole, _, report = runs
    repeated = evaluate_model(whole, split="train", output=tmp_path / "metrics.json")
    assert repeated == report == _results(tmp_path / "metrics.json")
    assert _results(tmp_path / "captions.json") == _results(whole / "captions.json")


def test_evaluation_by_other_methods(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _, whole, _, _ = runs
    methods = ("beam", "consensus_bleu", "oracle_cider", "nearest_cider")
    captions = CaptionOptions(
        methods, num_hypotheses=2, num_neighbors=2, retrieval="exact", num_normalization_images=3
    )
    lines = []
    report = evaluate_model(whole, split="train", captions=captions, beam_size=2, say=lines.append)
    metrics = report["metrics"]
    assert tuple(metrics["captions_by_method"]) == methods
    # --beam_size=2 in place of greedy search, and the best of as many hypotheses.
    beam = metrics["captions_by_method"]["beam"]
    assert beam.items() <= metrics["captions"].items()
    # Training captions are not new.
    assert metrics["captions_by_method"]["nearest_cider"]["novel"] == 0
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert 0 <= metrics[direction]["R@1"] <= metrics[direction]["R@5"] <= 100
    for name in (*methods, "image annotation"):
        assert any(line.startswith(f"{name} ") for line in lines)


def test_a_variant_that_cannot_be_made_is_refused(runs, tmp_path):
    settings, _, _, _ = runs
    other = dataclasses.replace(
        settings,
        training=dataclasses.replace(settings.training, model_dir=str(tmp_path / "model")),
        model=dataclasses.replace(settings.model, variant="vis_in_rnn_both_shared"),
    )
    with pytest.raises(VsaTfError, match="One matrix feeds two layers"):
        train_model(other)
