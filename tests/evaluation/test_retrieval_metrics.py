import dataclasses
import json
import types

import numpy as np
import pytest

from tests.evaluation.given_vectors import GivenVectors, given_data, unit_vectors
from tests.evaluation.small_splits import load_split, make_captioner
from vsa_tf.evaluation.alignment_evaluator import AlignmentEvaluator
from vsa_tf.evaluation.evaluation import (
    CaptionOptions,
    EvaluationOptions,
    GivenSplits,
    RetrievalOptions,
)
from vsa_tf.evaluation.probability_retrieval import encode_images, probability_retrieval
from vsa_tf.evaluation.retrieval_metrics import (
    chance_line,
    iapr_tc12_metrics,
    recall_sum,
    rescored_metrics,
    retrieval_metrics,
)
from vsa_tf.evaluation.two_branch_evaluator import TwoBranchEvaluator
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.metrics.shortlists import RETRIEVED
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.two_branch.settings import EmbeddingSettings
from vsa_tf.scoring.embedded_split import EmbeddedSplit

QUICK = EvaluationOptions(intervals=False)
IAPR_TC12 = RetrievalOptions(iapr_tc12=True)
KEYS = {"image_to_sentence_shortlist", "recall_curves", "match_curves"}


# Right pairs have 5, others less; image 0 and sentence 0 have 4.5 more with everything: hubs.
HUBS = np.float32([[14, 6.5, 5.5], [6.5, 5, 0], [5.5, 2, 5]])


@pytest.mark.parametrize("method", ["csls", "inverted_softmax"])
def test_hubs_are_taken_off_in_either_direction(method):
    # Halves of the mean, csls: 26/6, 13.5/6 and 10.5/6 of the sentences, 26/6, 11.5/6 and 12.5/6 of
    # the images. Image 1 then has 2.2, 2.8 and -1.8, image 2 1.2, -0.2 and 3.2; sentence 1 has 2.2,
    # 3.1 and -0.1, sentence 2 1.2, -1.9 and 2.9.
    own = np.arange(3)
    plain = retrieval_metrics(HUBS, own, QUICK)
    (found,) = rescored_metrics(
        HUBS, own, RetrievalOptions(rescoring=(method,)), EvaluationOptions(fold_size=1)
    ).values()
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert plain[direction]["R@1"] == pytest.approx(100 / 3)
        assert found[method][direction]["R@1"] == 100
        assert "interval_95" in found[method][direction]
    assert "folds" not in found[method]
    setting = {"csls": ("num_neighbors", 10), "inverted_softmax": ("temperature", 0.5)}[method]
    assert next(iter(found[method].items())) == setting


def test_each_direction_has_the_hubs_of_its_own_candidates():
    # Image 0 is a hub, and no sentence is: only sentences look for images otherwise.
    scores = np.float32([[9, 5.5], [1, 5]])
    metrics = rescored_metrics(scores, np.arange(2), RetrievalOptions(rescoring=("csls",)), QUICK)[
        "rescored"
    ]["csls"]
    # Off the rows by 14.5/4 and 6/4 they leave 1.9 and 3.5 for sentence 1; off the columns by 10/4
    # and 10.5/4 image 1 has -1.5 and 2.4, and image 0 6.5 and 2.9.
    assert metrics["sentence_to_image"]["mean_rank"] == 1
    assert metrics["image_to_sentence"]["mean_rank"] == 1


def test_nothing_is_rescored_unless_it_is_asked_for():
    assert rescored_metrics(HUBS, np.arange(3), RetrievalOptions(), QUICK) == {}


def test_retrieval_metrics_have_the_layout_of_the_interface():
    image, sentence = np.arange(6)[:, None], np.arange(30)
    scores = np.sin(1.3 * image + 2.1 * sentence) + 0.8 * (image == sentence // 5)
    metrics = retrieval_metrics(scores, sentence // 5, EvaluationOptions(fold_size=3))
    # docs/equations.md 6.4, retrieval ranks.
    assert metrics["image_to_sentence"]["R@1"] == 100
    assert metrics["image_to_sentence"]["mean_rank"] == 1
    assert metrics["sentence_to_image"]["R@1"] == 40
    assert metrics["sentence_to_image"]["R@5"] == 100
    np.testing.assert_allclose(metrics["sentence_to_image"]["mean_rank"], 2.6)
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert metrics[direction].keys() == {
            "R@1",
            "R@5",
            "R@10",
            "median_rank",
            "mean_rank",
            "interval_95",
        }
        low, high = metrics[direction]["interval_95"]["R@1"]
        assert low <= metrics[direction]["R@1"] <= high
    assert metrics["folds"]["fold_size"] == 3
    assert metrics["folds"].keys() >= {"image_to_sentence", "sentence_to_image"}


def test_intervals_and_folds_may_be_left_out():
    metrics = retrieval_metrics(np.eye(4), np.arange(4), QUICK)
    assert metrics.keys() == {"image_to_sentence", "sentence_to_image"}
    assert "interval_95" not in metrics["image_to_sentence"]


def test_all_six_recalls_count():
    first = {"R@1": 1.0, "R@5": 2.0, "R@10": 4.0, "mean_rank": 99.0}
    second = {"R@1": 8.0, "R@5": 16.0, "R@10": 32.0}
    metrics = {
        "image_to_sentence": first,
        "sentence_to_image": second,
        "sentence_to_sentence": second,
    }
    assert recall_sum(metrics) == 63


def _records(frames, image_of_caption):
    """Records of images whose second region is far from everything."""
    features = np.stack([frames, np.full_like(frames, 100)], axis=1).astype(np.float16)
    return types.SimpleNamespace(
        num_images=len(frames),
        num_captions=len(image_of_caption),
        image_of_caption=np.array(image_of_caption),
        read_region_features=lambda images: features[images],
    )


def test_sentences_are_ranked_among_those_of_images_with_like_features(monkeypatch):
    monkeypatch.setattr("vsa_tf.evaluation.retrieval_metrics.SHORTLIST_SIZE", 2)
    # The frames of 0 and 1 are close, and those of 2 and 3; the last image has no sentence.
    frames = np.float32([[0, 0], [0, 1], [9, 0], [9, 2], [50, 50]])
    records = _records(frames, [0, 0, 1, 2, 3])
    scores = np.array(
        [
            [1.0, 0.0, 2.0, 9.0, 9.0],  # 1 of its neighbour is better: rank 2 of 3
            [0.0, 0.0, 1.0, 9.0, 9.0],  # its neighbour's are worse: rank 1 of 3
            [9.0, 9.0, 9.0, 1.0, 0.0],  # rank 1 of 2
            [9.0, 9.0, 9.0, 1.0, 1.0],  # a tie: rank 2 of 2
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    ranks = retrieval_ranks(scores, records.image_of_caption)
    metrics = iapr_tc12_metrics(scores, ranks, records, QUICK)
    shortlist = metrics["image_to_sentence_shortlist"]
    assert (shortlist["R@1"], shortlist["mean_rank"]) == (50, (2 + 1 + 1 + 2) / 4)
    assert (shortlist["shortlist_size"], shortlist["mean_candidates"]) == (2, (3 + 3 + 2 + 2) / 4)
    curves = metrics["recall_curves"]
    # Rank 1 is half or a third of the candidates.
    assert curves["image_to_sentence_shortlist"]["20"] == 0
    assert curves["image_to_sentence_shortlist"]["50"] == 50
    # Among all five sentences: ranks 4, 3, 4 and 5.
    assert ranks.image_to_sentence.tolist() == [4, 3, 4, 5]
    assert curves["image_to_sentence"]["50"] == 0
    # Image 0's two sentences are the second and the last of three; ranks 1 are within a half.
    matches = metrics["match_curves"]
    assert matches["image_to_sentence_shortlist"]["50"] == (0 + 1 + 1 + 0) / 4
    assert matches["image_to_sentence_shortlist"]["100"] == 5 / 4
    assert matches["image_to_sentence"]["100"] == 5 / 4
    assert set(curves["sentence_to_image"]) == {f"{share:g}" for share in RETRIEVED}
    json.dumps(metrics)


def test_intervals_hold_the_recall():
    random = np.random.default_rng(0)
    image_of_caption = np.arange(40) // 2
    records = _records(random.standard_normal((20, 3)).astype(np.float32), image_of_caption)
    scores = random.standard_normal((20, 40))
    ranks = retrieval_ranks(scores, image_of_caption)
    options = dataclasses.replace(QUICK, intervals=True)
    shortlist = iapr_tc12_metrics(scores, ranks, records, options)["image_to_sentence_shortlist"]
    low, high = shortlist["interval_95"]["R@5"]
    assert low <= shortlist["R@5"] <= high
    # Of 20 images all are similar enough: the ranks are those among everything.
    assert shortlist["mean_rank"] == ranks.image_to_sentence.mean()
    assert shortlist["mean_candidates"] == 40


def test_two_branch_networks_are_evaluated_by_it():
    frames = unit_vectors([[0], [90], [180]])
    data = given_data(
        frames,
        unit_vectors([10, 80, 85, 120, 149]),
        [0, 0, 1, 1, 2],
        captions=[],
        filenames=[],
        read_region_features=lambda images: frames[images],
    )
    evaluator = TwoBranchEvaluator(EmbeddingSettings(), IAPR_TC12)
    metrics = evaluator.evaluate(GivenVectors(), data, QUICK).metrics
    assert KEYS <= metrics.keys()
    assert metrics["image_to_sentence_shortlist"]["R@1"] == metrics["image_to_sentence"]["R@1"]
    without = TwoBranchEvaluator(EmbeddingSettings()).evaluate(GivenVectors(), data, QUICK).metrics
    assert not KEYS & without.keys()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def alignment(data):
    model = AlignmentModel(len(data.text.vocabulary), 6, word_embedding_size=4)
    model({**next(iter(data.image_batches(4))), **next(iter(data.sentence_batches(4)))})
    return model


def test_alignment_models_are_evaluated_by_it(data, alignment):
    evaluation = AlignmentEvaluator(IAPR_TC12).evaluate(alignment, data, QUICK)
    scores = EmbeddedSplit.embed(alignment, data).scores(alignment)
    ranks = retrieval_ranks(scores, data.records.image_of_caption)
    expected = iapr_tc12_metrics(scores, ranks, data.records, QUICK)
    assert {name: evaluation.metrics[name] for name in KEYS} == expected


@pytest.mark.parametrize("retrieval", ["exact", "shortlist"])
def test_caption_generators_score_every_pair_that_it_asks_for(data, alignment, retrieval):
    model = make_captioner(data)
    images = encode_images(model, data)
    splits = GivenSplits(data, shortlist_model=lambda records: (alignment, data))

    def retrieve(retrieval):
        captions = CaptionOptions(retrieval=retrieval, shortlist_size=1, num_normalization_images=3)
        return probability_retrieval(
            model, data, images, QUICK, captions=captions, retrieval=IAPR_TC12, splits=splits
        )

    metrics = retrieve(retrieval)
    assert KEYS < metrics.keys()
    expected = retrieve("exact")
    # All four images are similar: nothing of theirs ranks behind for want of a score.
    assert metrics["image_to_sentence_shortlist"] == expected["image_to_sentence_shortlist"]
    assert (
        metrics["image_to_sentence_shortlist"]["mean_rank"]
        == (expected["image_to_sentence"]["mean_rank"])
    )


def _report(num_images, images, sentences, per_image=5):
    return {
        "num_images": num_images,
        "num_sentences": per_image * num_images,
        "metrics": {"image_to_sentence": images, "sentence_to_image": sentences},
    }


def test_chance_is_said_and_more_is_not():
    generator = np.random.default_rng(0)
    said = 0
    for _ in range(200):
        # Ranks at random: of 100 images, and of 500 sentences the best of five.
        images = 100 * np.mean(generator.integers(500, size=(100, 5)).min(axis=1) < 10)
        sentences = 100 * np.mean(generator.integers(100, size=500) < 10)
        said += chance_line(_report(100, {"R@10": images}, {"R@10": sentences})) is not None
    assert said > 180
    assert chance_line(_report(100, {"R@10": 30.0}, {"R@10": 10.0})) is None
    assert chance_line(_report(100, {"R@10": 9.0}, {"R@10": 25.0})) is None
    line = chance_line(_report(100, {"R@10": 9.0}, {"R@10": 10.0}))
    assert line.startswith("This is chance level: R@10 of 10.0 where 10.0 is chance.")


@pytest.mark.parametrize("num_images", [1, 3])
def test_too_few_photographs_say_nothing(num_images):
    recalls = {"R@1": 0.0, "R@5": 0.0, "R@10": 0.0}
    assert chance_line(_report(num_images, recalls, recalls)) is None


def test_few_photographs_are_judged_by_a_smaller_rank():
    recalls = {"R@1": 12.0, "R@5": 100.0, "R@10": 100.0}
    assert "R@1 of 12.0 where 12.5" in chance_line(_report(8, recalls, recalls))


def test_other_metrics_say_nothing():
    assert chance_line({"num_images": 9, "num_sentences": 45, "metrics": {"captions": {}}}) is None
