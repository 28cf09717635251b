import math
import types

import numpy as np

from tests.evaluation.given_vectors import GivenVectors, given_data
from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.evaluation.caption_methods import GeneratedCaptions
from vsa_tf.reporting.caption_pages import (
    CaptionedCards,
    ExampleCards,
    reranking_page,
    training_neighbor_page,
    training_page,
)
from vsa_tf.scoring.caption_consensus import Reranking
from vsa_tf.scoring.nearest_images import NearestImages

HALF, QUARTER = math.log(0.5), math.log(0.25)


def _card(image):
    captions = GeneratedCaptions(
        [["a dog"], ["two cats"]],
        [[["a", "dog"]], [["two", "cats"]]],
        [[2 * HALF + QUARTER], [2 * QUARTER]],
        # The second was cut at two words: it has no end.
        [[[HALF, QUARTER, HALF]], [[QUARTER, QUARTER]]],
    )
    records = types.SimpleNamespace(
        filenames=["0.png", "1.png"],
        captions=["A dog .", "One dog", "Cats"],
        first_caption=np.array([0, 2, 3]),
    )
    text = types.SimpleNamespace(tokenize=lambda caption: caption.lower().rstrip(" .").split())
    data = types.SimpleNamespace(records=records, text=text)
    return CaptionedCards(captions, ["A dog .", "a cat"], data, GivenPhotographs()).card(image)


def _line(line):
    return line["label"], " ".join(part["text"] for part in line["parts"]), line["note"]


def test_a_card_shows_what_was_written_what_was_learnt_and_what_is_true():
    # ln(1/2 * 1/4 * 1/2) = -2.77.
    assert [_line(line) for line in _card(0).content["lines"]] == [
        ("generated", "a dog (end)", "log probability -2.77"),
        ("in training", "A dog .", "the same words"),
        ("true", "A dog .", ""),
        ("true", "One dog", ""),
    ]


def test_words_have_their_log_probabilities():
    parts = _card(0).content["lines"][0]["parts"]
    assert [part["below"] for part in parts] == ["-0.69", "-1.39", "-0.69"]


def test_a_caption_that_was_cut_has_no_end():
    generated, closest, _ = map(_line, _card(1).content["lines"])
    assert generated[1] == "two cats"
    assert closest == ("in training", "a cat", "")


# Images 1 and 0 of a split, in this order.
RECORDS = types.SimpleNamespace(
    filenames=["0.png", "1.png"],
    captions=["A dog .", "One dog", "Cats"],
    first_caption=np.array([0, 2, 3]),
)
EXAMPLES = ExampleCards(
    np.array([1, 0]), types.SimpleNamespace(records=RECORDS), GivenPhotographs()
)
TRAINING = types.SimpleNamespace(
    filenames=["a.png", "b.png", "c.png"],
    captions=["Two cats sit", "A dog runs"],
    # The second training image has no caption.
    first_caption=np.array([0, 1, 1, 2]),
)
BEST = GeneratedCaptions([["a dog"], ["two cats"]], [], [], [])


def _methods(retrieval_model=None, **values):
    splits = types.SimpleNamespace(
        training=types.SimpleNamespace(records=TRAINING), retrieval_model=retrieval_model
    )
    return types.SimpleNamespace(splits=splits, **values)


def _lines(page):
    (group,) = page.groups
    return [[_line(line) for line in card["lines"]] for card in group["cards"]]


def test_the_training_caption_that_fits_an_image_best_stands_beside_the_generated_one():
    # By the distance to its frame image 1 has training caption 1, image 0 caption 0.
    regions, sentences = [[[0, 0]], [[3, 4]]], [[0, 1], [3, 4]]
    seen = {
        id(RECORDS): given_data(regions, [[0, 0]] * 3, [0, 0, 1]),
        id(TRAINING): given_data([[[9, 9]]] * 3, sentences, [0, 2], num_captions=2),
    }
    methods = _methods(lambda records: (GivenVectors(), seen[id(records)]))
    page = training_page(EXAMPLES, BEST, methods)
    assert _lines(page) == [
        [("generated", "two cats", ""), ("training", "A dog runs", "score -0.01"), TRUE_CATS],
        [("generated", "a dog", ""), ("training", "Two cats sit", "score -1.00"), *TRUE_DOGS],
    ]
    assert "--retrieval_model" in page.introduction


TRUE_CATS, TRUE_DOGS = ("true", "Cats", ""), [("true", "A dog .", ""), ("true", "One dog", "")]


def test_without_a_model_of_sentences_similar_images_choose_the_training_caption():
    chosen = {"nearest_cider": ["A dog runs", "Two cats sit"]}
    page = training_page(EXAMPLES, BEST, _methods(captions=chosen.get))
    assert _lines(page) == [
        [("generated", "two cats", ""), ("training", "A dog runs", ""), TRUE_CATS],
        [("generated", "a dog", ""), ("training", "Two cats sit", ""), *TRUE_DOGS],
    ]


def test_hypotheses_stand_in_their_new_order_with_their_former_places():
    hypotheses = GeneratedCaptions(
        [["cats", "two cats", "a cat"], ["a dog"]], [], [[-1.0, -2.0, -2.5], [-3.0]], []
    )
    scores = [np.array([0.5, 0.2, 0.9]), np.array([0.1])]
    ranking = Reranking([np.array([2, 0, 1]), np.array([0])], scores)
    page = reranking_page(
        EXAMPLES,
        _methods(
            hypotheses=hypotheses, neighbors=np.zeros((2, 7)), consensus={"cider": ranking}.get
        ),
    )
    assert _lines(page) == [
        [
            ("1, was 3", "a cat", "consensus 0.90, log probability -2.50"),
            ("2, was 1", "cats", "consensus 0.50, log probability -1.00"),
            ("3, was 2", "two cats", "consensus 0.20, log probability -2.00"),
            TRUE_CATS,
        ],
        [("1", "a dog", "consensus 0.10, log probability -3.00"), *TRUE_DOGS],
    ]
    assert page.introduction.startswith("The 3 likeliest captions")
    assert "the 7 most similar training images" in page.introduction


def test_neighbors_by_refined_and_original_features_are_of_training():
    # Rows of the captioned images: 0 is the first, 1 the third.
    nearest = {
        "refined": NearestImages(np.array([[1, 0], [0, 1]]), np.array([[0.1, 0.2], [0.3, 0.4]])),
        "encoder": NearestImages(np.array([[0, 1], [0, 1]]), np.array([[0.5, 0.6], [0.7, 0.8]])),
    }
    methods = _methods(features=list(nearest), nearest=nearest.get)
    page = training_neighbor_page(EXAMPLES, methods)
    found = [
        (group["title"], [card["photograph"]["file"] for card in group["cards"]])
        for group in page.groups[:3]
    ]
    first, third = "training_photographs/0.jpg", "training_photographs/2.jpg"
    assert found == [
        ("1.png", []),
        ("by the model's refined features", ["1.jpg", third, first]),
        ("by the image encoder's features", ["1.jpg", first, third]),
    ]
    notes = [card["note"] for card in page.groups[-1]["cards"]]
    assert notes == ["this one", "0.70", "0.80"]


def test_a_model_that_refines_no_features_says_so():
    nearest = {"encoder": NearestImages(np.zeros((2, 1), int), np.zeros((2, 1)))}
    page = training_neighbor_page(EXAMPLES, _methods(features=["encoder"], nearest=nearest.get))
    assert len(page.groups) == 4
    assert "it refines no features" in page.introduction
