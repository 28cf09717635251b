"""Trains tiny two-branch networks and evaluates their directories in every way."""

import dataclasses
import json
import types

import pytest
from PIL import Image

from tests.data import small_records
from vsa_tf.data import schema
from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation import caption_methods
from vsa_tf.evaluation.evaluate_model import evaluate_model
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions
from vsa_tf.evaluation.retrieval_metrics import recall_sum, retrieval_metrics
from vsa_tf.evaluation.stored_splits import PhraseModel, check_same_pairs
from vsa_tf.files import read_sealed
from vsa_tf.model_dir.load_split import load_split, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.models.two_branch.settings import EmbeddingSettings
from vsa_tf.scoring.embedded_split import EmbeddedPairs, EmbeddedSplit
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.train_model import train_model

NUM_IMAGES = 6
QUICK = EvaluationOptions(intervals=False)


def _write(data_dir, num_regions=small_records.NUM_REGIONS, captions=None, swapped=False):
    """Records whose frame alone is used if `num_regions` is 1, and the same captions.

    Where they are `swapped`, a photograph has the features of another.
    """
    data_dir.mkdir()

    def edit(image, values):
        if num_regions == 1:
            for key in schema.REGION_BOX:
                values[key] = values[key][:1]
            values[schema.REGION_SCORE] = [1.0]
            values[schema.REGION_FEATURE] = [small_records.region_features(image, 1).tobytes()]
        if swapped:
            other, count = (image + 2) % NUM_IMAGES, len(values[schema.REGION_SCORE])
            values[schema.REGION_FEATURE] = [small_records.region_features(other, count).tobytes()]
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
        num_proposals=1 if task == "region_phrase" else 10,
        regions_context=False,
    )
    return _train_model(data_dir, model_dir, "embedding", embedding)


def _train_model(data_dir, model_dir, model, model_settings):
    settings = Settings(
        DataSettings(
            data_dir=str(data_dir),
            batch_size=4,
            min_count=1,
            num_regions=int(model_settings.family == "captioning"),
        ),
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


@pytest.fixture(scope="module")
def words(folder, data_dir):
    small = AlignmentSettings(joint_size=3, word_embedding_size=4)
    return _train_model(data_dir, folder / "words", "alignment", small)


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
    report = _evaluate_into(lines, model_dir, retrieval, **arguments)
    return report, "\n".join(lines)


def _evaluate_into(lines, model_dir, retrieval=RetrievalOptions(), **arguments):
    return evaluate_model(
        model_dir, split="train", options=QUICK, retrieval=retrieval, say=lines.append, **arguments
    )


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


def test_words_of_an_alignment_model_may_take_the_place_of_phrases(sentences, words):
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
    _, data = PhraseModel("phrase_model", phrases).load(records)
    assert data.num_regions == small_records.NUM_REGIONS
    assert data.records.sentence_of_phrase.tolist() == [2, 7, 12, 17, 22, 27]
    same = read_records(folder / "data", "train")
    _, data = PhraseModel("phrase_model", phrases).load(same)
    assert data.records.read_image.__self__ is same


def test_phrases_of_other_captions_are_refused(phrases, folder):
    others = _write(folder / "others", num_regions=1, captions="w4 w5")
    with pytest.raises(VsaTfError, match="phrase_model was trained on"):
        PhraseModel("phrase_model", phrases).load(read_records(others, "train"))


def test_models_of_all_kinds_are_evaluated_together_and_each_beside_them(
    sentences, phrases, words, tmp_path
):
    models = [sentences, words, phrases]
    report, said = _evaluate(models, output=tmp_path / "metrics.json")
    assert report == json.loads((tmp_path / "metrics.json").read_text())
    assert (report["model"], report["num_images"], report["num_sentences"]) == ("ensemble", 6, 30)
    assert [each["model_dir"] for each in report["models"]] == [str(each) for each in models]
    assert [each["weight"] for each in report["models"]] == [1 / 3] * 3
    assert [each["num_without_score"] for each in report["models"]] == [0, 0, 4 * NUM_IMAGES]
    for each, model_dir in zip(report["models"][:2], models):
        alone = evaluate_model(model_dir, split="train", options=QUICK)["metrics"]
        for direction in ("image_to_sentence", "sentence_to_image"):
            assert each["metrics"][direction] == alone[direction]
    assert "standard deviation" in report["protocol"]["ensemble"]
    assert said.count("image search") == 4 and f"0.33 alignment, {words}" in said


def test_a_model_with_all_the_weight_ranks_as_alone_and_each_tells_how_far_it_is(sentences, words):
    retrieval, told = RetrievalOptions(weights=(0.0, 2.0)), []
    options = dataclasses.replace(QUICK, progress=lambda *call: told.append(call))
    report = evaluate_model([sentences, words], split="train", options=options, retrieval=retrieval)
    assert told.count((NUM_IMAGES, NUM_IMAGES, "images")) >= 2
    assert told.count((30, 30, "sentences")) == 2
    for direction in ("image_to_sentence", "sentence_to_image"):
        alone = report["models"][1]["metrics"][direction]
        assert report["metrics"][direction] == alone


def test_scores_of_an_ensemble_are_the_weighted_mean_of_the_standardised(sentences, words):
    retrieval = RetrievalOptions(weights=(0.75, 0.25), rescoring=("csls",))
    report, said = _evaluate([sentences, words], retrieval)
    scores = []
    for model_dir, embedding in ((sentences, EmbeddedPairs), (words, EmbeddedSplit)):
        trained = TrainedModel(model_dir)
        data = load_split(trained, trained.settings.data.data_dir, "train")
        scores.append(embedding.embed(trained.model, data).scores(trained.model).astype(float))
    first, second = ((each - each.mean()) / each.std() for each in scores)
    combined = 0.75 * first + 0.25 * second
    metrics = retrieval_metrics(combined, data.records.image_of_caption, QUICK)
    for direction, expected in metrics.items():
        for name, value in expected.items():
            assert report["metrics"][direction][name] == pytest.approx(value), (direction, name)
    assert "rescored (csls, num_neighbors 10), which reads all queries of the split" in said
    assert report["metrics"]["rescored"]["csls"].keys() >= metrics.keys()


def test_weights_of_models_may_be_chosen_on_dev(sentences, words):
    report, said = _evaluate([sentences, words], RetrievalOptions(weights="tuned"))
    tuning = report["metrics"]["tuning"]
    weights = " ".join(f"{each['weight']:.2f}" for each in report["models"])
    # dev is the split itself here, and what was chosen is what is evaluated.
    assert tuning["split"] == "train" and len(tuning["recall_sums"]) == 21
    assert tuning["recall_sums"][weights] == max(tuning["recall_sums"].values())
    assert tuning["recall_sums"][weights] == pytest.approx(recall_sum(report["metrics"]))
    assert "their weights chosen on train" in said and f"  {weights}  " in said


def test_each_model_may_have_its_own_records_of_the_same_pairs(sentences, words, folder, data_dir):
    frames = _write(folder / "other_frames", num_regions=1)
    both = _evaluate([sentences, words], data_dir=[frames, data_dir])[0]
    own = _evaluate([sentences, words])[0]
    # The embedding reads whole frames alone, and the words' regions are those of their own records.
    assert both["metrics"] == own["metrics"]
    swapped = _write(folder / "swapped", swapped=True)
    other, said = _evaluate([sentences, words], data_dir=[data_dir, swapped])
    assert other["models"][0] == own["models"][0]
    alone = evaluate_model(words, swapped, "train", options=QUICK)["metrics"]
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert other["models"][1]["metrics"][direction] == alone[direction]
    assert other["models"][1] != own["models"][1]
    assert said.count("reading train of") == 2


def test_models_of_other_pairs_are_refused_before_they_are_loaded(
    sentences, words, folder, data_dir
):
    others = _write(folder / "other_captions", captions="w4 w5")
    message = (
        f"^Expected {others} to hold the photographs and captions of {data_dir} in split train, in "
        "their order. Received: caption 1 is 'w4 w5', not "
    )
    lines = []
    with pytest.raises(VsaTfError, match=message):
        _evaluate_into(lines, [sentences, sentences], data_dir=[data_dir, others])
    assert not any("scoring" in line for line in lines)
    with pytest.raises(VsaTfError, match="^Expected fold_size of at most the 6 images of split"):
        evaluate_model([sentences, words], split="train", options=EvaluationOptions(fold_size=7))


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"filenames": ["in/a.jpg", "b.jpg"]}, None),
        ({"filenames": ["a.jpg", "c.jpg"]}, "photograph 2 is 'c.jpg', not 'b.jpg'"),
        ({"filenames": ["a.jpg"]}, "1 photographs, not 2"),
        ({"captions": ["w", "v", "x"]}, "caption 2 is 'v', not 'w'"),
        ({"captions": ["w", "w"]}, "2 captions, not 3"),
        ({"first_caption": [0, 2, 3]}, "the same captions, of other photographs"),
    ],
)
def test_what_differs_first_is_named(changes, difference):
    values = {"split": "dev", "info": types.SimpleNamespace(data_dir="data"), "captions": ["w"] * 3}
    values |= {"filenames": ["a.jpg", "b.jpg"], "first_caption": [0, 1, 3]}
    records, other = (types.SimpleNamespace(**values | each) for each in ({}, changes))
    if difference is None:
        check_same_pairs(records, other)
        return
    with pytest.raises(VsaTfError, match=f"Received: {difference}$"):
        check_same_pairs(records, other)


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


def test_another_model_says_which_photographs_are_alike_for_a_generator_of_captions(
    sentences, words, data_dir, folder, monkeypatch
):
    small = MRnnSettings(word_embedding_size=4, recurrent_size=4, multimodal_size=4)
    model_dir = _train_model(data_dir, folder / "captions", "m_rnn", small)
    seen, vectors = [], caption_methods.image_vectors

    def image_vectors(model, data, images):
        seen.append((type(model).__name__, len(images)))
        return vectors(model, data, images)

    monkeypatch.setattr(caption_methods, "image_vectors", image_vectors)
    options = CaptionOptions(("nearest_cider",), num_neighbors=1)
    for other, name in ((sentences, "EmbeddingNetwork"), (words, "AlignmentModel")):
        evaluate_model(
            model_dir, split="train", options=QUICK, captions=options, neighbor_model=other
        )
        assert seen == [(name, NUM_IMAGES)] * 2
        seen.clear()
    others = _write(folder / "other_encoder")
    small_records.change_info(others, encoder={"spec": "another"})
    with pytest.raises(VsaTfError, match="neighbor_model=.*the features the model was trained on"):
        evaluate_model(
            _train_model(others, folder / "other_captions", "m_rnn", small),
            split="train",
            captions=options,
            neighbor_model=words,
        )
    with pytest.raises(VsaTfError, match="neighbor_model=nowhere: Expected a model directory"):
        evaluate_model(model_dir, captions=options, neighbor_model="nowhere")
