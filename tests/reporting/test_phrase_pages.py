import types

import numpy as np

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.reporting.phrase_pages import PhraseCards

LEFT, RIGHT, TOP = (0, 0, 1, 0.5), (0, 0.5, 1, 1), (0, 0, 0.5, 1)
NONE = np.zeros((0, 4))


def _lines(*ranked_phrases):
    records = types.SimpleNamespace(filenames=["0.png", "1.png"])
    phrases = [(1, f"phrase {number}") for number in range(len(ranked_phrases))]
    cards = PhraseCards(phrases, ranked_phrases, records, GivenPhotographs())
    assert cards.images == [1]
    content = cards.card(1).content
    return content["lines"], content["boxes"]


def test_a_phrase_points_at_the_found_box_and_the_true_one():
    (line,), boxes = _lines((np.array([LEFT, RIGHT]), np.array([LEFT]), "people"))
    found, true = (boxes[box] for box in line["parts"][0]["boxes"])
    assert found["box"] == true["box"] == list(LEFT)
    assert found["color"] and not true["color"]
    assert (line["label"], line["note"], line["right"]) == ("people", "overlap 1.00", True)


def test_a_wrong_answer_says_where_the_right_one_stands():
    # LEFT and TOP share a quarter of the frame, of the three that they cover together.
    (line,), _ = _lines((np.array([RIGHT, TOP, LEFT]), np.array([LEFT]), ""))
    assert (line["note"], line["right"]) == ("overlap 0.00, right at rank 3", False)
    (line,), _ = _lines((np.array([TOP]), np.array([LEFT]), ""))
    assert (line["note"], line["right"]) == ("overlap 0.33, no region is right", False)


def test_the_truth_is_the_box_around_all_boxes_of_a_chain():
    halves = np.array([(0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5)])
    (line,), boxes = _lines((np.array([LEFT]), halves, ""))
    assert line["note"] == "overlap 1.00"
    assert [box["box"] for box in boxes if box["color"] is None] == [list(LEFT)]


def test_a_phrase_without_a_true_box_is_shown_and_not_judged():
    lines, boxes = _lines((np.array([LEFT]), NONE, "scene"), (NONE, np.array([LEFT]), ""))
    assert [line["note"] for line in lines] == ["no box is annotated", "no region"]
    assert [line["right"] for line in lines] == [None, False]
    assert len(boxes) == 2
