import types

import numpy as np
import pytest

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.reporting.alignment_pages import AlignedCards, snippet_parts
from vsa_tf.reporting.phrase_pages import frequent_snippets
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.text.vocabulary import Vocabulary

WHOLE, LEFT, RIGHT = (0, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1)
CAPTIONS = ["A dog .", "The cat sits by a dog .", "A cat"]


@pytest.fixture
def cards():
    """Two images; a word's vector is 2, 3 or 5 times that of the region it goes to."""
    regions = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    #                  A  dog | the cat sits by a dog | a cat
    region_of_word = [2, 2, 1, 1, 0, 0, 2, 2, 1, 1]
    factor_of_word = [2, 3, 2, 5, 2, 2, 2, 3, 2, 5]
    words = np.eye(3, dtype=np.float32)[region_of_word] * np.float32(factor_of_word)[:, None]
    embedded = EmbeddedSplit(regions, np.ones((2, 3), bool), words, np.array([2, 6, 2]))
    records = types.SimpleNamespace(
        captions=CAPTIONS,
        first_caption=np.array([0, 2, 3]),
        filenames=["0.png", "1.png"],
        region_boxes=np.float32([[WHOLE, LEFT, RIGHT]] * 2),
        num_captions=3,
    )
    text = CaptionText(Vocabulary.from_sentences([["dog"]], 1), "word")
    data = types.SimpleNamespace(records=records, text=text)
    snippets = np.array([(0, 2, 0, 2), (1, 1, 0, 2), (1, 0, 2, 4), (1, 2, 4, 6), (2, 1, 0, 2)])
    return AlignedCards(embedded, data, snippets, [3, 1, 2], GivenPhotographs())


def test_words_point_at_the_box_of_their_region(cards):
    content = cards.card(0).content
    boxes = [box["box"] for box in content["boxes"]]
    pointed = [
        [(part["text"], [boxes[box] for box in part["boxes"]]) for part in line["parts"]]
        for line in content["lines"]
    ]
    assert pointed == [
        [("A dog .", [list(RIGHT)])],
        # The whole frame is no place.
        [("The cat", [list(LEFT)]), ("sits by", []), ("a dog .", [list(RIGHT)])],
    ]


def test_a_part_scores_the_sum_over_its_words(cards):
    parts = cards.card(0).content["lines"][1]["parts"]
    assert [part["note"] for part in parts] == ["7.00", "4.00", "5.00"]


def test_sentences_have_their_ranks(cards):
    assert [line["note"] for line in cards.card(0).content["lines"]] == ["rank 3", "rank 1"]
    assert [line["note"] for line in cards.card(1).content["lines"]] == ["rank 2"]


def test_all_words_are_there_in_their_order():
    caption = '" A  dog runs " .'
    parts = snippet_parts(caption, [0, 0, 1, 2, 3, 3, 3], [(0, 2), (2, 3)])
    # The quotation mark at the start has no token, and no word before it.
    assert parts == [('"', None), ("A dog", 0), ('runs " .', 1)]


def test_words_that_the_model_did_not_read_are_in_no_snippet():
    assert snippet_parts("a dog runs", [0, 1, 2, 3], [(0, 2)]) == [("a dog", 0), ("runs", None)]


def test_a_word_of_several_tokens_goes_where_its_first_is():
    # "kneeling" is kneel, ##ing; the second snippet begins within it.
    assert snippet_parts("dog kneeling down", [0, 1, 3, 4], [(0, 2), (2, 4)]) == [
        ("dog kneeling", 0),
        ("down", 1),
    ]


def test_a_caption_without_words_has_no_parts():
    assert snippet_parts("  ", [0], [(0, 1)]) == []


def _frequent(snippets, count=9):
    return [" ".join(words) for words in frequent_snippets(map(str.split, snippets), count)]


def test_the_most_frequent_come_first_whatever_their_article():
    snippets = ["red ball", "a black dog", "the black dog", "an old man", "old man", "black dog"]
    assert _frequent(snippets) == ["black dog", "old man", "red ball"]
    assert _frequent(snippets, 1) == ["black dog"]


def test_single_words_and_long_runs_are_left_out():
    assert _frequent(["dog", "the dog", "a", "two dogs run on grass", "the two dogs run fast"]) == [
        "two dogs run fast"
    ]


def test_snippets_within_others_are_left_out():
    snippets = ["black dog", "black dog", "big black dog", "black dog runs", "dog runs"]
    assert _frequent(snippets) == ["black dog", "dog runs"]
