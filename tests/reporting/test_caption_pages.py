import math
import types

import numpy as np

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.evaluation.caption_methods import GeneratedCaptions
from vsa_tf.reporting.caption_pages import CaptionedCards

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
