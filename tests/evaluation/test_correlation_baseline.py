import types

import numpy as np
import pytest

from tests.evaluation.small_pairs import BOXES, load_pairs, load_phrases, make_network
from vsa_tf.evaluation.canonical_correlation import CanonicalCorrelation
from vsa_tf.evaluation.correlation_baseline import (
    REGULARIZATIONS,
    CorrelationBaseline,
    fit_correlation_baseline,
    training_pairs,
)
from vsa_tf.evaluation.evaluation import EvaluationOptions, GivenSplits
from vsa_tf.evaluation.two_branch_evaluator import TwoBranchEvaluator
from vsa_tf.models.two_branch.settings import EmbeddingSettings

RNG = np.random.default_rng(0)
BATCH = {
    "region_features": RNG.normal(size=(5, 3, 4)).astype("float16"),
    "region_boxes": RNG.random((5, 3, 4)).astype("float32"),
    "region_mask": np.ones((5, 3), bool),
    "sentence_features": RNG.normal(size=(5, 6)).astype("float16"),
}
FRAMES = RNG.normal(size=(12, 4)).astype("float16")
IMAGE_OF_SENTENCE = np.repeat(np.arange(12), [2, 1, 3] * 4)
# Sentences say of their image what a matrix makes of its feature, and a little else.
TABLE = (FRAMES[IMAGE_OF_SENTENCE] @ RNG.normal(size=(4, 5))).astype("float32")
TABLE += 0.01 * RNG.normal(size=TABLE.shape)
REGIONS = RNG.normal(size=(12, 3, 4)).astype("float16")
CHAINS = RNG.normal(size=(12, 4)).astype("float16")


def _baseline(width, task="image_sentence", **settings):
    x, y = RNG.normal(size=(30, width)), RNG.normal(size=(30, 6))
    correlation = CanonicalCorrelation.fit(x, y, dimensions=3)
    return CorrelationBaseline(make_network(task, **settings), correlation), correlation


def test_frames_and_sentences_are_projected():
    baseline, correlation = _baseline(4)
    images, sentences = baseline.embed_images(BATCH), baseline.embed_sentences(BATCH)
    np.testing.assert_allclose(
        images, correlation.project_x(BATCH["region_features"][:, 0]), rtol=1e-5
    )
    np.testing.assert_allclose(
        sentences, correlation.project_y(BATCH["sentence_features"]), rtol=1e-5
    )
    cosines = correlation.similarity(BATCH["region_features"][:, 0], BATCH["sentence_features"])
    np.testing.assert_allclose(baseline.score(images, sentences), cosines, rtol=1e-4, atol=1e-6)


def test_all_regions_are_projected():
    baseline, correlation = _baseline(4, "region_phrase")
    assert baseline.task == "region_phrase"
    regions = baseline.embed_regions(BATCH)
    assert regions.shape == (5, 3, 3)
    for region in range(3):
        np.testing.assert_allclose(
            regions[:, region],
            correlation.project_x(BATCH["region_features"][:, region]),
            rtol=1e-5,
        )


@pytest.mark.parametrize(
    ("settings", "width"), [({"region_geometry": True}, 9), ({"regions_context": True}, 8)]
)
def test_what_the_network_adds_to_the_features_is_projected_too(settings, width):
    baseline, correlation = _baseline(width, **settings)
    frames = BATCH["region_features"][:, 0].astype("float32")
    boxes = BATCH["region_boxes"][:, 0]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    added = {
        "region_geometry": np.concatenate([boxes, area[:, None]], axis=1),
        "regions_context": BATCH["region_features"][:, 1:].astype("float32").mean(axis=1),
    }
    (name,) = settings
    inputs = np.concatenate([frames, added[name]], axis=1)
    np.testing.assert_allclose(
        baseline.embed_images(BATCH), correlation.project_x(inputs), rtol=1e-3, atol=1e-5
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_pairs(tmp_path_factory.mktemp("records"), FRAMES, TABLE, IMAGE_OF_SENTENCE)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("vsa_tf.evaluation.correlation_baseline._BATCH_SIZE", 5)


def test_an_image_is_paired_with_each_of_its_sentences(data):
    x, y = training_pairs(make_network(), data)
    assert (x.dtype, y.dtype) == (np.float16, np.float16)
    np.testing.assert_array_equal(x, FRAMES[IMAGE_OF_SENTENCE])
    np.testing.assert_array_equal(y, TABLE.astype("float16"))


def test_pairs_are_scaled_as_the_network_scales_them(data):
    network = make_network(feature_normalization="l2", text_normalization="l2")
    x, y = training_pairs(network, data)
    np.testing.assert_allclose(np.linalg.norm(x.astype("float32"), axis=1), 2, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(y.astype("float32"), axis=1), 5**0.5, rtol=1e-3)


def test_a_phrase_is_paired_with_its_annotated_box(tmp_path):
    data = load_phrases(tmp_path, REGIONS, CHAINS, TABLE[:12])
    x, y = training_pairs(make_network("region_phrase", region_geometry=True), data)
    np.testing.assert_array_equal(x[:, :4], CHAINS)
    # The box 0, 0, .5, .5 and its area.
    np.testing.assert_array_equal(x[:, 4:], [[0, 0, 0.5, 0.5, 0.25]] * 12)
    np.testing.assert_array_equal(y, TABLE[:12].astype("float16"))


def test_without_its_feature_the_closest_proposal_stands_for_it(tmp_path):
    # Every third image has the whole frame alone, a quarter of which is the box.
    has_proposal = np.arange(12) % 3 > 0
    data = load_phrases(tmp_path, REGIONS, CHAINS, TABLE[:12], has_proposal, object_features=False)
    x, y = training_pairs(make_network("region_phrase"), data)
    np.testing.assert_array_equal(x, REGIONS[has_proposal, 1])
    np.testing.assert_array_equal(y, TABLE[:12][has_proposal].astype("float16"))


def test_sentences_are_found_by_what_they_say_of_images(data):
    evaluator = TwoBranchEvaluator(EmbeddingSettings())
    splits, options = GivenSplits(data, data), EvaluationOptions(intervals=False)
    baseline, report = fit_correlation_baseline(make_network(), evaluator, splits, options)
    metrics = evaluator.evaluate(baseline, data, options).metrics
    assert metrics["sentence_to_image"]["R@1"] == 100
    assert metrics["sentence_to_sentence"]["num_queries"] == 4 * (2 + 3)
    choice = report["baseline_choice"]
    assert (choice["num_pairs"], choice["dimensions"], choice["split"]) == (24, 3, "train")
    assert report["baseline"] == "cca" and "on train" in report["protocol"]


def test_phrases_are_localized(tmp_path):
    # Phrases say what a matrix makes of their region's feature.
    matrix = RNG.normal(size=(4, 5))
    table = (REGIONS[:, 1] @ matrix).astype("float32")
    data = load_phrases(tmp_path, REGIONS, REGIONS[:, 1], table)
    evaluator = TwoBranchEvaluator(EmbeddingSettings(task="region_phrase"))
    splits, options = GivenSplits(data, data), EvaluationOptions(intervals=False)
    baseline, _ = fit_correlation_baseline(
        make_network("region_phrase"), evaluator, splits, options
    )
    metrics = evaluator.evaluate(baseline, data, options).metrics["phrase_localization"]
    assert metrics["R@1"] == 100 and metrics["num_phrases"] == 12
    np.testing.assert_allclose(metrics["chance"], 100 / len(BOXES))


def test_the_regularisation_is_the_best_on_dev(data):
    tried, scores = [], [3.0, 1.0, 7.0, 7.0, 2.0, 0.0]

    def evaluate(baseline, dev, options):
        assert dev == "dev data"
        assert (options.intervals, options.num_pictures, options.fold_size) == (False, 0, 0)
        tried.append(baseline)
        return types.SimpleNamespace(metrics=scores[len(tried) - 1])

    evaluator = types.SimpleNamespace(evaluate=evaluate, selection_score=lambda metrics: metrics)

    class Dev(str):
        records = types.SimpleNamespace(split="dev")

    splits = GivenSplits(data, Dev("dev data"))
    options = EvaluationOptions(num_pictures=3, fold_size=4)
    baseline, report = fit_correlation_baseline(make_network(), evaluator, splits, options)
    # Of equals the smaller.
    assert baseline is tried[2]
    assert report["baseline_choice"]["regularization"] == REGULARIZATIONS[2]
    assert list(report["baseline_choice"]["selection_scores"].values()) == scores
    expected = CanonicalCorrelation.fit(
        FRAMES[IMAGE_OF_SENTENCE], TABLE.astype("float16"), REGULARIZATIONS[2], 3
    )
    batch = {"region_features": FRAMES[:, None]}
    np.testing.assert_allclose(
        baseline.embed_images(batch), expected.project_x(FRAMES), rtol=1e-4, atol=1e-6
    )
