import numpy as np
import pytest

from tests.evaluation.given_vectors import GivenVectors, given_data, unit_vectors
from vsa_tf.evaluation.combined_retrieval import combined_retrieval, recall_sums, weight_choices
from vsa_tf.evaluation.evaluation import EvaluationOptions, GivenSplits
from vsa_tf.scoring.embedded_split import EmbeddedPairs

# Three images with a sentence each. The sentences 0 and 1 are nearer to the other's image by 10
# degrees: by the distance alone both are wrong, the third is right.
IMAGES, SENTENCES = [[0], [30], [180]], [20, 10, 180]
# Phrases: of sentence 0 two, on their image's second region; of sentence 1 none; of sentence 2 one.
REGIONS, PHRASES, SENTENCE_OF_PHRASE = [[90, 0], [90, 60], [90, 90]], [0, 0, 90], [0, 0, 2]


def _data():
    return given_data(unit_vectors(IMAGES), unit_vectors(SENTENCES), [0, 1, 2])


def _phrase_model(records):
    assert records.num_captions == 3
    phrases = given_data(
        unit_vectors(REGIONS),
        unit_vectors(PHRASES),
        [0, 0, 2],
        sentence_of_phrase=np.array(SENTENCE_OF_PHRASE),
    )
    return GivenVectors("region_phrase"), phrases


def _retrieve(dev=None, **weight):
    model, data = GivenVectors(), _data()
    scores = EmbeddedPairs.embed(model, data).scores(model)
    splits = GivenSplits(dev=dev, phrase_model=_phrase_model)
    options = EvaluationOptions(intervals=False)
    return combined_retrieval(model, data, scores, options, splits, **weight)


def chord(degrees):
    """The distance of unit vectors at an angle."""
    return np.sqrt(2 - 2 * np.cos(np.radians(degrees)) + 1e-4)


def _combined_by_hand(weight):
    angles = np.abs(np.ravel(IMAGES)[:, None] - SENTENCES)
    combined = np.array([[chord(angle) for angle in row] for row in angles])
    nearest = {0: [0, 60, 90], 2: [0, 0, 0]}  # degrees from the images' best regions
    for sentence, degrees in nearest.items():
        phrases = np.array([chord(angle) for angle in degrees])
        combined[:, sentence] = (1 - weight) * combined[:, sentence] + weight * phrases
    return combined


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_images_and_sentences_are_ranked_by_the_equation(weight):
    metrics = _retrieve(weight=weight)
    combined, true = _combined_by_hand(weight), np.arange(3)
    assert metrics["weight"] == weight
    for axis, direction in ((0, "sentence_to_image"), (1, "image_to_sentence")):
        right = combined[true, true][:, None]
        wrong = combined.T if axis == 0 else combined
        ranks = (wrong <= right + 1e-6).sum(axis=1)  # the right one is counted too
        assert metrics[direction]["R@1"] == pytest.approx(100 * np.mean(ranks == 1)), direction
        assert metrics[direction]["mean_rank"] == pytest.approx(ranks.mean())


def test_phrases_help_the_sentence_that_has_them():
    # Sentence 0 is at 20 degrees from its image and 10 from the next: chords of .347 and .174.
    # Its phrases are on their image and 60 degrees off the other: .01 and 1. From a = .15 on the
    # right image is nearer.
    assert _retrieve(weight=0.1)["sentence_to_image"]["R@1"] == pytest.approx(100 / 3)
    assert _retrieve(weight=0.2)["sentence_to_image"]["R@1"] == pytest.approx(200 / 3)


def test_sentences_without_phrases_are_counted():
    assert _retrieve()["num_without_phrases"] == 1


def test_a_weight_is_chosen_on_dev_and_the_table_is_kept():
    dev = _data()
    metrics = _retrieve(dev, weight=None)
    sums = metrics["tuning"]["recall_sums"]
    assert (metrics["tuning"]["split"], len(sums)) == ("dev", 21)
    best = max(sums.values())
    # Of the best weights the smallest; phrases help, and at 1 the images of sentence 2 are tied.
    assert f"{metrics['weight']:.2f}" == next(name for name in sums if sums[name] == best)
    assert sums["0.00"] < best and sums["1.00"] < best
    same = _retrieve(weight=metrics["weight"])
    assert same["sentence_to_image"] == metrics["sentence_to_image"]
    assert "tuning" not in same


def test_weights_are_twentieths_and_the_first_model_has_most_first():
    assert weight_choices(2) == [((20 - step) / 20, step / 20) for step in range(21)]
    three = weight_choices(3)
    # 22 choose 2, and equal ones, which are no twentieths.
    assert len(three) == 231 + 1 and three[0] == (1, 0, 0) and three[-1] == (1 / 3,) * 3
    assert len(set(three)) == len(three)


@pytest.mark.parametrize("num_models", [2, 3, 4, 6, 9])
def test_many_models_have_no_more_choices_than_can_be_tried(num_models):
    choices = weight_choices(num_models)
    assert num_models < len(choices) <= 301
    np.testing.assert_allclose(np.sum(choices, axis=1), 1)
    assert (np.array(choices) >= 0).all()
    for model in np.eye(num_models).tolist():  # each alone, and all alike
        assert tuple(model) in choices
    assert any(np.allclose(each, 1 / num_models) for each in choices)


def test_sums_of_recalls_are_of_the_combined_distance():
    # By d the sentence is at the wrong image, by d_rp at the right one: even at a half, and a tie
    # counts as wrong. The image has one sentence, which it always finds.
    d, d_rp = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])
    sums = recall_sums((-d, -d_rp), np.ones((2, 1), bool), np.array([0]))
    assert [sums[each] for each in weight_choices(2)] == [500.0] * 11 + [600.0] * 10
