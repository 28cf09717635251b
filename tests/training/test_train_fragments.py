"""Trains and evaluates, on records with parses, the models that read dependency relations."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.data.small_records import set_dependencies, write_records
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.data import schema
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.files import read_sealed
from vsa_tf.model_dir.load_split import load_split
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.alignment.settings import AlignmentSettings, DeFragSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.text.vocabulary import RelationTypes
from vsa_tf.training.train_model import train_model

# Features as they are, equal objectives: what the few steps of these runs learn from.
PLAIN = {
    "feature_normalization": "none",
    "frame_context": False,
    "global_weight": 1.0,
    "multiple_instance_start_epochs": 0.0,
}
SIZES = {"joint_size": 6, "word_embedding_size": 4, "dropout": 0.2}
MODELS = {
    "defrag": ("defrag", DeFragSettings(margin=0.5, fragment_start_epochs=1.0, **PLAIN, **SIZES)),
    "fragment objective": ("defrag", DeFragSettings(objective="fragment", **SIZES)),
    "alignment": ("alignment", AlignmentSettings(fragments="dependencies", **SIZES)),
}
CAPTIONS = ("Two red boats", "Boats", "Red boats race .", "A boat", "Two boats race")
RELATIONS = (
    (("nummod", "boats", "Two"), ("amod", "boats", "red")),
    (),
    (("amod", "boats", "Red"), ("nsubj", "race", "boats")),
    (),  # not parsed
    (("nummod", "boats", "Two"), ("nsubj", "race", "boats"), ("discourse", "race", '"')),
)


def _edit(image, values):
    values[schema.CAPTION_RAW] = list(CAPTIONS)
    set_dependencies(values, RELATIONS)


def _settings(data_dir, model_dir, kind):
    name, model = MODELS[kind]
    return Settings(
        # 40 captions of eight images: four steps an epoch.
        DataSettings(data_dir=str(data_dir), min_count=1, batch_size=10, num_buckets=2),
        OptimizerSettings("adam", 0.01),
        TrainingSettings(
            model=name,
            model_dir=str(model_dir),
            num_epochs=2,
            dev_split="train",
            test_split="train",
            num_pictures=2,
        ),
        model,
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parsed")
    write_records(folder, images_stored=True, edit=_edit)
    return folder


@pytest.fixture(scope="module", params=MODELS)
def run(request, data_dir, tmp_path_factory):
    """`(settings, model_dir, report)` of a training run."""
    model_dir = tmp_path_factory.mktemp("run") / "model"
    settings = _settings(data_dir, model_dir, request.param)
    return settings, model_dir, train_model(settings)


@pytest.fixture(scope="module")
def opened(run):
    """The `TrainedModel` of the run, and its training split."""
    trained = TrainedModel(run[1])
    return trained, load_split(trained, run[0].data.data_dir, "train")


def test_relation_types_are_learnt_and_kept(run):
    types = RelationTypes.load(run[1] / "relations.txt")
    # Eight images have each twice, `discourse` once: none is rarer than a hundredth.
    assert types.names[2:] == ("amod", "nsubj", "nummod", "discourse")
    assert types.counts == (0, 0, 16, 16, 16, 8)


def test_metrics_are_of_retrieval_alone(run):
    _, model_dir, report = run
    assert read_sealed(model_dir / "metrics.json") == report
    assert report["metrics"].keys() == {"image_to_sentence", "sentence_to_image"}
    # "Boats" and "A boat" of each image.
    assert report["sentences"] == {"truncated": 0, "without_relations": 16}
    for direction in ("image_to_sentence", "sentence_to_image"):
        values = report["metrics"][direction]
        assert 0 <= values["R@1"] <= values["R@5"] <= values["R@10"] <= 100


def test_a_sentence_without_fragments_scores_nothing(opened):
    trained, data = opened
    # The quotation mark is no word of captions: its relation is gone.
    assert data.tokens.lengths.tolist() == [2, 0, 2, 0, 2] * 8
    embedded = EmbeddedSplit.embed(trained.model, data)
    scores = embedded.scores(trained.model)
    assert scores.shape == (8, 40)
    silent = data.tokens.lengths == 0
    assert not scores[:, silent].any() and np.abs(scores[:, ~silent]).max() > 0


def test_scores_are_those_of_training(opened):
    trained, data = opened
    embedded = EmbeddedSplit.embed(trained.model, data, image_batch_size=3, sentence_batch_size=7)
    batch = {
        **data.pipeline.assembler.image_batch(np.arange(8)),
        **data.pipeline.assembler.sentence_batch(np.arange(40), 3),
    }
    model = trained.model
    expected = model.score(
        model.embed_images(batch),
        batch["region_mask"],
        model.embed_sentences(batch),
        model.sentence_mask(batch),
    )
    np.testing.assert_allclose(embedded.scores(model), expected, rtol=1e-4, atol=1e-5)


def test_pictures_show_relations(run, opened):
    assert len(list((run[1] / "pictures").iterdir())) == 2
    _, data = opened
    assert data.fragment_names(0) == ["nummod(boats, two)", "amod(boats, red)"]
    assert data.fragment_names(1) == []


def test_evaluation_repeats_the_metrics_of_training_and_says_what_has_no_relation(run, tmp_path):
    lines, output = [], tmp_path / "metrics.json"
    report = evaluate_model(run[1], split="train", output=output, say=lines.append)
    assert report == run[2] == json.loads(output.read_text())
    said = "\n".join(lines)
    assert "train: 16 of 40 sentences have no dependency relation; 0 of 48 relations" in said


def test_other_relation_types_are_refused(run, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(run[1], copy)
    lines = (copy / "relations.txt").read_text().splitlines(keepends=True)
    lines[2], lines[3] = lines[3], lines[2]
    (copy / "relations.txt").write_text("".join(lines))
    with pytest.raises(VsaTfError, match="relations.txt to be as training wrote it"):
        TrainedModel(copy)
    settings = dataclasses.replace(
        run[0], training=dataclasses.replace(run[0].training, model_dir=str(copy))
    )
    with pytest.raises(VsaTfError, match="relations.txt is not the one it was trained with"):
        train_model(settings)
    (copy / "relations.txt").unlink()
    with pytest.raises(VsaTfError, match="relations.txt cannot be read"):
        TrainedModel(copy)


@pytest.mark.parametrize("argument", ["--query=a boat", "--word_magnitudes=words.json"])
def test_what_needs_words_is_refused_at_once(run, tmp_path, argument):
    result = run_without_tensorflow(
        "vsa_tf.evaluate", f"--model_dir={run[1]}", argument, directory=tmp_path
    )
    message = refusal(result)
    assert argument.partition("=")[0] in message and "leave it out" in message


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("vsa_tf.align", ["--image=x.jpg", "--sentence=Boats"]),
        ("vsa_tf.localize", ["--image=x.jpg", "--phrase=Boats"]),
    ],
)
def test_programs_of_words_refuse_it_at_once(run, tmp_path, program, arguments):
    (tmp_path / "x.jpg").touch()
    result = run_without_tensorflow(
        program, f"--model_dir={run[1]}", *arguments, directory=tmp_path
    )
    assert run[0].training.model in refusal(result)


def test_records_without_parses_are_refused(tmp_path):
    write_records(tmp_path)
    with pytest.raises(VsaTfError, match="relations in split train.*add_dependencies"):
        train_model(_settings(tmp_path, tmp_path / "model", "defrag"))


def test_the_region_captioner_needs_words(run, data_dir, tmp_path):
    settings = _settings(data_dir, tmp_path / "model", "defrag")
    settings = dataclasses.replace(
        settings,
        data=dataclasses.replace(settings.data, num_regions=1),
        model=DvsaRnnSettings(hidden_size=4, snippets=str(run[1])),
    )
    with pytest.raises(VsaTfError, match="give the model_dir of an alignment model of words"):
        train_model(settings)


def test_a_trained_model_refuses_records_without_parses(run, tmp_path):
    write_records(tmp_path, images_stored=True)
    with pytest.raises(VsaTfError, match="Expected dependency relations in split train"):
        evaluate_model(run[1], data_dir=tmp_path, split="train")
