import types

import numpy as np
import pytest

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.data.caption_rows import FragmentStore
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.reporting.alignment_pages import (
    AlignedSentences,
    magnitude_page,
    relation_answers,
    snippet_parts,
)
from vsa_tf.reporting.phrase_pages import frequent_snippets
from vsa_tf.reporting.report_page import Card
from vsa_tf.reporting.retrieval_pages import RetrievalPages
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, RelationTypes, Vocabulary

WHOLE, LEFT, RIGHT = (0, 0, 1, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 1)
CAPTIONS = ["A dog .", "The cat sits by a dog .", "A cat"]
RECORDS = types.SimpleNamespace(
    captions=CAPTIONS,
    first_caption=np.array([0, 2, 3]),
    image_of_caption=np.array([0, 0, 1]),
    filenames=["0.png", "1.png"],
    region_boxes=np.float32([[WHOLE, LEFT, RIGHT], [WHOLE, RIGHT, LEFT]]),
    num_captions=3,
    num_images=2,
)
# Of image 0 sentence 2 is the best; of image 1 its own.
SCORES = np.array([[1.0, 2.0, 3.5], [0.0, 1.0, 4.0]])


def _embedded(region_of_word, factor_of_word, lengths):
    """Two images; a word's vector is so many times that of the region it goes to."""
    regions = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    words = np.eye(3, dtype=np.float32)[region_of_word] * np.float32(factor_of_word)[:, None]
    return EmbeddedSplit(regions, np.ones((2, 3), bool), words, np.array(lengths))


@pytest.fixture
def cards():
    #                     A  dog | the cat sits by a dog | a cat
    embedded = _embedded([2, 2, 1, 1, 0, 0, 2, 2, 1, 1], [2, 3, 2, 5, 2, 2, 2, 3, 2, 5], [2, 6, 2])
    text = CaptionText(Vocabulary.from_sentences([["dog"]], 1), "word")
    data = types.SimpleNamespace(records=RECORDS, text=text)
    aligned = AlignedSentences(embedded, data, smoothness=0.3)
    return RetrievalPages(SCORES, RECORDS, GivenPhotographs(), aligned.parts)


def _pointed(line, content):
    return [
        (part["text"], [content["boxes"][box]["box"] for box in part["boxes"]])
        for part in line["parts"]
    ]


def test_words_point_at_the_box_of_their_region(cards):
    content = cards.card(0).content
    assert [_pointed(line, content) for line in content["lines"][1:]] == [
        [("A dog .", [list(RIGHT)])],
        # The whole frame is no place.
        [("The cat", [list(LEFT)]), ("sits by", []), ("a dog .", [list(RIGHT)])],
    ]


def test_the_retrieved_sentence_points_at_the_boxes_of_the_image_that_retrieved_it(cards):
    content = cards.card(0).content
    retrieved = content["lines"][0]
    # It is a sentence of image 1, whose regions lie elsewhere.
    assert _pointed(retrieved, content) == [("A cat", [list(LEFT)])]
    assert (retrieved["label"], retrieved["note"], retrieved["right"]) == (
        "retrieved",
        "3.50",
        None,
    )
    content = cards.card(1).content
    assert _pointed(content["lines"][0], content) == [("A cat", [list(RIGHT)])]
    assert content["lines"][0]["right"] is True


def test_a_part_scores_the_sum_over_its_words(cards):
    parts = cards.card(0).content["lines"][2]["parts"]
    assert [part["note"] for part in parts] == ["7.00", "4.00", "5.00"]


def test_sentences_have_their_ranks(cards):
    lines = cards.card(0).content["lines"][1:] + cards.card(1).content["lines"][1:]
    assert [(line["label"], line["note"], line["right"]) for line in lines] == [
        ("true", "rank 1", True),
        ("true", "rank 1", True),
        ("true", "rank 1", True),
    ]
    scores = np.array([[1.0, 0.0, 3.5], [0.0, 1.0, 3.0]])
    lines = RetrievalPages(scores, RECORDS, GivenPhotographs()).card(0).content["lines"]
    assert [line["note"] for line in lines] == ["3.50", "rank 1", "rank 2"]
    assert [line["right"] for line in lines] == [None, True, None]


TYPES = RelationTypes.from_relations(["det", "nsubj", "case", "det", "amod"])
WORDS = Vocabulary((*SPECIAL_TOKENS, "dog", "runs", "big", "cat"), (0,) * 4 + (1,) * 4)
DET, NSUBJ, AMOD, CASE = TYPES.encode(["det", "nsubj", "amod", "case"])
DOG, RUNS, BIG, CAT = WORDS.encode(["dog", "runs", "big", "cat"])


def _relations():
    """The second caption has no relation; `unknown` no type, and `cat` stands for a rare word."""
    fragments = [
        [(NSUBJ, RUNS, DOG), (DET, DOG, BIG), (AMOD, DOG, BIG)],
        [],
        [(AMOD, DOG, BIG), (NSUBJ, RUNS, DOG), (NSUBJ, RUNS, 3), (AMOD, CAT, BIG)],
    ]
    text = CaptionText(WORDS, "word", relation_types=TYPES)
    data = types.SimpleNamespace(records=RECORDS, text=text, tokens=FragmentStore(fragments, 9))
    data.fragment_names = lambda sentence: text.decode_fragments(data.tokens.row(sentence))
    factors = [2, 3, 4, 4, 2, 5, 1]
    return _embedded([1, 0, 2, 2, 1, 1, 1], factors, data.tokens.lengths), data


def test_each_relation_points_at_its_own_best_box():
    embedded, data = _relations()
    aligned = AlignedSentences(embedded, data, smoothness=0.3)
    card = Card({"file": None, "width": 4, "height": 3})
    # Of image 1, whose region 1 lies right; neighbours of one region are not joined.
    parts = aligned.parts(card, 1, 2)
    assert _pointed({"parts": parts}, card.content) == [
        ("A cat —", []),
        ("amod(dog, big)", [list(LEFT)]),
        ("nsubj(runs, dog)", [list(RIGHT)]),
        ("nsubj(runs, <unk>)", [list(RIGHT)]),
        ("amod(cat, big)", [list(RIGHT)]),
    ]
    assert [part["note"] for part in parts] == ["", "4.00", "2.00", "5.00", "1.00"]
    # The whole frame is no place, and a caption without relations stands for itself.
    assert [part["boxes"] for part in aligned.parts(card, 0, 0)][2] == []
    assert [part["text"] for part in aligned.parts(card, 0, 1)] == ["The cat sits by a dog ."]


def test_padding_is_no_region_of_a_relation():
    embedded, data = _relations()
    embedded.region_mask[1] = True, True, False
    rows = AlignedSentences(embedded, data, 0.0).align([0, 1], [0, 0])
    # Without region 2 a relation that scores 0 everywhere else goes to the first.
    assert rows.tolist() == [
        *([0, 1, 0, 1], [0, 0, 1, 2], [0, 2, 2, 3]),
        *([1, 1, 0, 1], [1, 0, 1, 2], [1, 0, 2, 3]),
    ]


def test_frequent_relations_find_their_best_regions():
    embedded, data = _relations()
    answers = relation_answers(embedded, data, 3)
    # Of articles none, nor of what the model does not know.
    assert [text for text, _ in answers] == ["nsubj(runs, dog)", "amod(dog, big)", "amod(cat, big)"]
    hits = {text: [(hit.image, hit.region, hit.score) for hit in hits] for text, hits in answers}
    assert hits["amod(dog, big)"][:3] == [(0, 2, 4.0), (1, 2, 4.0), (0, 0, 0.0)]


def test_relation_types_have_magnitudes():
    embedded, data = _relations()
    data.tokens = FragmentStore([[(NSUBJ, RUNS, DOG)] * 3, [], [(NSUBJ, CAT, DOG)] * 4], 9)
    page = magnitude_page(embedded, data, GivenPhotographs())
    # All seven are of one type: (2 + 3 + 4 + 4 + 2 + 5 + 1) / 7.
    assert '<th scope="row">nsubj</th><td>3.00</td><td>7</td>' in page.html
    assert "Relations of largest magnitude" in page.html


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
