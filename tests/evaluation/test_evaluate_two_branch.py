"""Trains tiny two-branch networks and evaluates their directories in every way."""

import pytest
from PIL import Image

from tests.data import small_records
from vsa_tf.data import schema
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.evaluation.evaluation import EvaluationOptions, RetrievalOptions
from vsa_tf.evaluation.stored_splits import PhraseModel
from vsa_tf.files import read_sealed
from vsa_tf.model_dir.load_split import load_split, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.train_model import train_model

NUM_IMAGES = 6
QUICK = EvaluationOptions(intervals=False)


def _write(data_dir, num_regions=small_records.NUM_REGIONS, captions=None):
    """Records whose frame alone is used if `num_regions` is 1, and the same captions."""
    data_dir.mkdir()

    def edit(image, values):
        if num_regions == 1:
            for key in schema.REGION_BOX:
                values[key] = values[key][:1]
            values[schema.REGION_SCORE] = [1.0]
            values[schema.REGION_FEATURE] = [small_records.region_features(image, 1).tobytes()]
        if captions:
            values[schema.CAPTION_RAW] = [captions] * 5

    small_records.write_records(data_dir, NUM_IMAGES, object_features=True, edit=edit)
    small_records.change_info(data_dir, num_regions=num_regions)
    return data_dir


def _train(data_dir, model_dir, task):
    embedding = EmbeddingSettings(
        task=task,
        text="tf_idf",
        joint_size=3,
        hidden_size=5,
        text_hidden_size=5,
        num_proposals=1,
        regions_context=False,
    )
    return _train_model(data_dir, model_dir, "embedding", embedding)


def _train_model(data_dir, model_dir, model, model_settings):
    settings = Settings(
        DataSettings(data_dir=str(data_dir), batch_size=4, min_count=1),
        OptimizerSettings(optimizer="adam"),
        TrainingSettings(
            model=model,
            model_dir=str(model_dir),
            num_epochs=1,
            dev_split="train",
            test_split="train",
            num_pictures=0,
        ),
        model_settings,
    )
    train_model(settings)
    return model_dir


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two_branch")


@pytest.fixture(scope="module")
def data_dir(folder):
    return _write(folder / "data")


@pytest.fixture(scope="module")
def sentences(folder, data_dir):
    return _train(data_dir, folder / "sentences", "image_sentence")


@pytest.fixture(scope="module")
def phrases(folder, data_dir):
    return _train(data_dir, folder / "phrases", "region_phrase")


def test_training_ends_with_the_evaluation_of_the_program(sentences, tmp_path):
    report = evaluate_model(sentences, split="train", output=tmp_path / "metrics.json")
    assert report == read_sealed(sentences / "metrics.json")
    assert report["metrics"].keys() >= {
        "image_to_sentence",
        "sentence_to_image",
        "sentence_to_sentence",
    }
    assert "the query itself" in report["protocol"]["sentence_retrieval"]
    assert "baseline" not in report


def _evaluate(model_dir, retrieval=RetrievalOptions(), **arguments):
    """Returns the report on the train split, and what is said on the way, str."""
    lines = []
    report = evaluate_model(
        model_dir, split="train", options=QUICK, retrieval=retrieval, say=lines.append, **arguments
    )
    return report, "\n".join(lines)


def test_curves_are_shown_and_drawn_beside_the_output(sentences, tmp_path):
    retrieval = RetrievalOptions(iapr_tc12=True)
    report, said = _evaluate(sentences, retrieval, output=tmp_path / "metrics.json")
    assert "the query is one of them" in report["protocol"]["iapr_tc12"]
    curve = report["metrics"]["recall_curves"]["sentence_to_image"]
    # One of six images is a sixth of them.
    assert curve["10"] == 0
    assert curve["20"] == report["metrics"]["sentence_to_image"]["R@1"]
    assert "of similar images" in said and "recall by the percentage" in said
    with Image.open(tmp_path / "recall_curves.png") as picture:
        assert picture.size == (720, 480)


def test_phrases_are_counted_beside_the_sentences_they_are_in(phrases):
    report, said = _evaluate(phrases)
    # One phrase an image, of five sentences.
    assert (report["num_images"], report["num_sentences"]) == (NUM_IMAGES, 5 * NUM_IMAGES)
    assert report["metrics"]["phrase_localization"]["num_phrases"] == NUM_IMAGES
    assert "number" in said


def test_phrases_have_regions_to_learn_from_in_training_alone(phrases, data_dir):
    trained = TrainedModel(phrases)
    lines = []
    evaluated = load_split(trained, data_dir, "train", say=lines.append)
    assert not any("to learn from" in line for line in lines)
    learnt = load_split(trained, data_dir, "train", for_training=True, say=lines.append)
    assert "to learn from" in lines[-1]
    regions = [data.phrase_regions for data in (evaluated, learnt)]
    assert regions[0] is None and regions[1].has_region.all()
    assert evaluated.records.captions == learnt.records.captions


def test_phrases_may_be_added_to_the_distance(sentences, phrases):
    alone = evaluate_model(sentences, split="train", options=QUICK)["metrics"]
    assert "combined_distance" not in alone
    report, said = _evaluate(sentences, RetrievalOptions(0.0), phrase_model=phrases)
    combined = report["metrics"]["combined_distance"]
    assert combined["image_to_sentence"] == alone["image_to_sentence"]
    assert combined["num_without_phrases"] == 4 * NUM_IMAGES
    assert "d_rp" in report["protocol"]["combined_distance"]
    assert f"a = 0.00; {4 * NUM_IMAGES} sentences have none" in said


def test_words_of_an_alignment_model_may_take_the_place_of_phrases(sentences, data_dir, tmp_path):
    small = AlignmentSettings(joint_size=3, word_embedding_size=4)
    words = _train_model(data_dir, tmp_path / "words", "alignment", small)
    report, _ = _evaluate(sentences, RetrievalOptions(1.0), phrase_model=words)
    combined = report["metrics"]["combined_distance"]
    assert combined["num_without_phrases"] == 0
    # With all the weight they rank as their own model does.
    alone = evaluate_model(words, split="train", options=QUICK)["metrics"]
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert combined[direction] == alone[direction]


def test_their_weight_may_be_chosen_on_dev(sentences, phrases):
    report, said = _evaluate(sentences, RetrievalOptions(None), phrase_model=phrases)
    sums = report["metrics"]["combined_distance"]["tuning"]["recall_sums"]
    weight = report["metrics"]["combined_distance"]["weight"]
    assert sums[f"{weight:.2f}"] == max(sums.values()) and len(sums) == 21
    assert "chosen on train" in said and f"1.00 {sums['1.00']:.1f}" in said


def test_phrases_have_the_regions_that_their_model_was_trained_on(phrases, folder):
    frames = _write(folder / "frames", num_regions=1)
    records = read_records(frames, "train")
    _, data = PhraseModel(phrases).load(records)
    assert data.num_regions == small_records.NUM_REGIONS
    assert data.records.sentence_of_phrase.tolist() == [2, 7, 12, 17, 22, 27]
    same = read_records(folder / "data", "train")
    _, data = PhraseModel(phrases).load(same)
    assert data.records.read_image.__self__ is same


def test_phrases_of_other_captions_are_refused(phrases, folder):
    others = _write(folder / "others", num_regions=1, captions="w4 w5")
    with pytest.raises(VsaTfError, match="phrase_model was trained on"):
        PhraseModel(phrases).load(read_records(others, "train"))


@pytest.mark.parametrize("task", ["sentences", "phrases"])
def test_a_baseline_is_evaluated_in_the_models_place(task, request):
    model_dir = request.getfixturevalue(task)
    model = evaluate_model(model_dir, split="train", options=QUICK)
    report, said = _evaluate(model_dir, baseline="cca")
    assert report["baseline"] == "cca"
    assert report["metrics"].keys() == model["metrics"].keys()
    num_pairs = {"sentences": 5 * NUM_IMAGES, "phrases": NUM_IMAGES}[task]
    assert report["baseline_choice"]["num_pairs"] == num_pairs
    assert report["baseline_choice"]["dimensions"] == 3
    assert "cca, on the features of embedding, on small train" in said
    assert ("to learn from" in said) == (task == "phrases")
    assert report["protocol"]["baseline"] in said
