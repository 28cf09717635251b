import types

import numpy as np
import pytest

from tests.box_agreements import box_agreements
from tests.evaluation.given_vectors import GivenVectors, given_data, unit_vectors
from vsa_tf.evaluation.evaluation import EvaluationOptions, GivenSplits
from vsa_tf.evaluation.two_branch_evaluator import TwoBranchEvaluator, phrase_rankings
from vsa_tf.models.two_branch.settings import EmbeddingSettings, SimilaritySettings
from vsa_tf.models.two_branch.similarity_network import SimilarityNetwork
from vsa_tf.scoring.embedded_split import EmbeddedPairs

QUICK = EvaluationOptions(intervals=False)
PHOTOGRAPH = np.full((30, 40, 3), 200, np.uint8)
GREEN = (0, 158, 115)
# Quarters of the image; a phrase's box is right from an overlap of a half on.
WHOLE, LEFT, RIGHT, TOP = (0, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1), (0, 0, 0.5, 1)


def _sentence_data(**records):
    """Three images at 0, 90 and 180 degrees; the last has one sentence."""
    sentences = [10, 80, 85, 120, 149]
    return given_data(
        unit_vectors([[0], [90], [180]]),
        unit_vectors(sentences),
        [0, 0, 1, 1, 2],
        captions=[f"sentence {number}" for number in range(5)],
        filenames=["a.jpg", "b.jpg", "c.jpg"],
        read_image=lambda image: PHOTOGRAPH,
        **records,
    )


def _phrase_data(**records):
    """Two images; the last region of the second is padding."""
    boxes = np.float32([[WHOLE, LEFT, RIGHT], [WHOLE, TOP, TOP]])
    return given_data(
        unit_vectors([[0, 30, 60], [0, 30, 60]]),
        unit_vectors([28, 2, 58, 59]),
        [0, 0, 0, 1],
        np.array([[1, 1, 1], [1, 1, 0]], bool),
        region_boxes=boxes,
        phrase_boxes=np.float32([LEFT, LEFT, LEFT, TOP]),
        phrase_types=["people", "scene", "people", "animals"],
        num_dropped=7,
        captions=["a man", "the left", "he", "a bird"],
        filenames=["a.jpg", "b.jpg"],
        read_image=lambda image: PHOTOGRAPH,
        **records,
    )


def _retrieve(data, options=QUICK, splits=GivenSplits()):
    evaluator = TwoBranchEvaluator(EmbeddingSettings(), splits=splits)
    return evaluator.evaluate(GivenVectors(), data, options)


def _localize(data, options=QUICK):
    evaluator = TwoBranchEvaluator(EmbeddingSettings(task="region_phrase"))
    return evaluator.evaluate(GivenVectors("region_phrase"), data, options)


class TestImageSentence:
    def test_images_and_sentences_find_one_another(self):
        metrics = _retrieve(_sentence_data()).metrics
        # Sentence 1 at 80 is at the image of 90; 3 at 120 as well, which is its own.
        assert metrics["sentence_to_image"]["R@1"] == 80
        # The images at 0, 90 and 180 find 10, 85 and 149, their own.
        assert metrics["image_to_sentence"]["R@1"] == 100

    def test_sentences_find_one_another(self):
        metrics = _retrieve(_sentence_data()).metrics["sentence_to_sentence"]
        # 10 -> 80: 1. 80 -> 10 behind 85, 120 and 149: 4. 85 -> 120 behind 80: 2. 120 -> 85 behind
        # 149: 2. The fifth is alone.
        assert metrics["num_queries"] == 4
        assert metrics["mean_rank"] == (1 + 4 + 2 + 2) / 4
        assert metrics["R@1"] == 25

    def test_sentences_alone_are_not_compared(self):
        data = given_data(unit_vectors([[0], [90]]), unit_vectors([0, 90]), [0, 1])
        assert _retrieve(data).metrics.keys() == {"image_to_sentence", "sentence_to_image"}

    def test_intervals_and_folds_are_added_where_asked_for(self):
        metrics = _retrieve(_sentence_data(), EvaluationOptions(fold_size=3)).metrics
        for name in ("image_to_sentence", "sentence_to_image", "sentence_to_sentence"):
            low, high = metrics[name]["interval_95"]["R@1"]
            assert low <= metrics[name]["R@1"] <= high
        folds = metrics["folds"]["sentence_to_image"]
        assert folds["R@1"] == metrics["sentence_to_image"]["R@1"]

    def test_sentences_of_a_similarity_network_are_not_compared(self):
        model = SimilarityNetwork(joint_size=2, num_fusion_layers=1)
        model.task = "image_sentence"
        for name in ("embed_images", "embed_sentences"):
            setattr(model, name, getattr(GivenVectors(), name))
        metrics = (
            TwoBranchEvaluator(SimilaritySettings())
            .evaluate(model, _sentence_data(), QUICK)
            .metrics
        )
        assert metrics.keys() == {"image_to_sentence", "sentence_to_image"}

    def test_the_distance_of_phrases_is_added_where_there_is_a_model_of_them(self):
        phrases = given_data(
            unit_vectors([[0], [90], [180]]),
            unit_vectors([10, 80]),
            [0, 0],
            sentence_of_phrase=np.array([0, 1]),
        )
        splits = GivenSplits(phrase_model=lambda records: (GivenVectors("region_phrase"), phrases))
        combined = _retrieve(_sentence_data(), splits=splits).metrics["combined_distance"]
        assert (combined["weight"], combined["num_without_phrases"]) == (0.2, 3)

    def test_pictures_show_what_a_sentence_finds_first(self):
        info = types.SimpleNamespace(dataset="small", images_stored=True)
        pictures = _retrieve(
            _sentence_data(info=info), EvaluationOptions(intervals=False, num_pictures=2)
        ).pictures
        assert list(pictures) == ["a.jpg#0", "c.jpg#4"]
        captions = [caption for caption, _ in pictures.values()]
        assert captions == ["sentence 0 (rank 1)", "sentence 4 (rank 1)"]
        for _, picture in pictures.values():
            assert picture.dtype == np.uint8
            # The right image stands first: its frame is in the left third.
            columns = np.flatnonzero((picture == GREEN).all(axis=-1).any(axis=0))
            assert columns.size and columns.max() < picture.shape[1] / 3


class TestRegionPhrase:
    def test_regions_are_ranked_for_phrases(self):
        metrics = _localize(_phrase_data()).metrics["phrase_localization"]
        # 28 degrees: LEFT, right. 2: WHOLE, of which LEFT is half: right. 58: RIGHT, wrong; LEFT
        # comes second. The bird: TOP, as the region at 60 is padding.
        assert (metrics["R@1"], metrics["R@5"], metrics["upper_bound"]) == (75, 100, 100)
        assert (metrics["num_phrases"], metrics["num_dropped"]) == (4, 7)
        # WHOLE has its middle on the border of LEFT.
        assert metrics["pointing"] == 75
        assert metrics["by_type"]["people"]["R@1"] == 50
        # Two of three regions are right in the first image, both of two in the second.
        assert metrics["chance"] == pytest.approx(100 * (2 / 3 * 3 + 1) / 4)

    def test_phrases_are_found_by_agreement_too(self):
        # All vectors are of one width: what fits a phrase at 28 degrees is LEFT, and a little WHOLE
        # and RIGHT; at 2 it is WHOLE, at 58 RIGHT, each of half of the frame.
        evaluation = _localize(_phrase_data())
        first = [tuple(boxes[0]) for boxes, *_ in evaluation.ranked_phrases]
        degrees = [[28, 2, 32], [2, 28, 58], [58, 28, 2]]
        expected = []
        for away in degrees:
            scores = (-np.sqrt(2 - 2 * np.cos(np.deg2rad(away)) + 1e-4)).tolist()
            own = [list(map(float, box)) for box in (WHOLE, LEFT, RIGHT)]
            agreement = box_agreements(scores, own, 1.0)
            expected.append((WHOLE, LEFT, RIGHT)[int(np.argmax(agreement))])
        assert first[:3] == expected
        agreed = evaluation.metrics["phrase_localization"]["agreed"]
        assert agreed.keys() == {"R@1", "R@5", "R@10", "pointing"} and agreed["R@5"] == 100

    def test_there_is_nothing_but_localization(self):
        evaluation = _localize(_phrase_data())
        assert evaluation.metrics.keys() == {"phrase_localization"}
        assert evaluation.pictures == {}

    def test_pictures_show_the_phrase_and_both_boxes(self):
        info = types.SimpleNamespace(dataset="small", images_stored=True)
        options = EvaluationOptions(intervals=False, num_pictures=2)
        pictures = _localize(_phrase_data(info=info), options).pictures
        assert [caption for caption, _ in pictures.values()] == ["a man", "a bird"]
        for _, picture in pictures.values():
            assert picture.dtype == np.uint8 and (picture != 200).any()


RECALLS = {"R@1": 10.0, "R@5": 11.0, "R@10": 12.0, "mean_rank": 99.0}


def test_retrieval_is_chosen_by_the_sum_of_recalls_and_localization_by_its_first():
    metrics = {name: RECALLS for name in ("image_to_sentence", "sentence_to_image")}
    metrics["sentence_to_sentence"] = {**RECALLS, "R@1": 3.0}
    evaluator = TwoBranchEvaluator(EmbeddingSettings())
    assert evaluator.selection_score(metrics) == 2 * (10 + 11 + 12)
    assert evaluator.summary(metrics) == {
        "image_to_sentence R@1": 10,
        "sentence_to_image R@1": 10,
        "sentence_to_sentence R@1": 3,
    }
    evaluator = TwoBranchEvaluator(SimilaritySettings(task="region_phrase"))
    metrics = {"phrase_localization": RECALLS}
    assert evaluator.selection_score(metrics) == 10
    assert evaluator.summary(metrics) == {"phrase_localization R@1": 10}


def _rankings(regions, phrases, image_of_phrase, mask=None):
    model = GivenVectors("region_phrase")
    data = given_data(unit_vectors(regions), unit_vectors(phrases), image_of_phrase, mask)
    embedded = EmbeddedPairs.embed(model, data)
    boxes = np.float32([[[k, 0, k + 1, 1] for k in range(len(row))] for row in regions])
    rankings = phrase_rankings(model, embedded, data.records.image_of_caption, boxes)
    # Of boxes apart, regions that agree are those that are near.
    assert all(own.tolist() == agreed.tolist() for own, agreed in rankings)
    return [own.tolist() for own, _ in rankings]


def test_nearer_regions_stand_first():
    # At 25 degrees: 20 is nearer than 40, and that than 0. At 170: 40, 20, 0.
    assert _rankings([[0, 20, 40]], [25, 170], [0, 0]) == [[1, 2, 0], [2, 1, 0]]


def test_each_phrase_is_looked_for_in_its_own_image():
    regions = [[0, 20, 40], [40, 0, 20], [20, 40, 0]]
    # In no order of the images, of which the second has no phrase.
    assert _rankings(regions, [1, 39, 2], [2, 0, 2]) == [[2, 0, 1], [2, 1, 0], [2, 0, 1]]


def test_padding_is_never_found_and_regions_keep_their_numbers():
    mask = [[True, False, True], [True, True, True]]
    assert _rankings([[0, 20, 40], [0, 20, 40]], [25, 25], [0, 1], mask) == [[2, 0], [1, 2, 0]]


def test_of_equal_regions_the_first_stands_first():
    assert _rankings([[30, 10, 30, 10]], [30], [0]) == [[0, 2, 1, 3]]


def test_there_may_be_no_phrase():
    assert phrase_rankings(GivenVectors(), None, np.zeros(0, int), np.zeros((0, 1, 4))) == []
