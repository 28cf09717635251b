import types

import numpy as np
import pytest

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.reporting.retrieval_pages import RetrievalPages


@pytest.fixture
def pages():
    """Seven images; image i has sentence i, and the last two have none.

    A sentence's own image comes first, but for sentence 4, whose image comes last.
    """
    scores = np.full((7, 5), 0.1) + 0.01 * np.arange(7)[:, None]
    scores[np.arange(5), np.arange(5)] = 1.0
    scores[4, 4] = 0.0
    records = types.SimpleNamespace(
        image_of_caption=np.arange(5),
        num_captions=5,
        filenames=[f"{i}.png" for i in range(7)],
        captions=[f"sentence {i}" for i in range(5)],
    )
    return RetrievalPages(scores, records, GivenPhotographs()).pages()


def _titles(page):
    return [group["title"] for group in page.groups]


def test_successes_and_failures_of_search(pages):
    search, _ = pages
    assert _titles(search) == [
        "Found: 4 of 5 have a right image first",
        "sentence 0",
        "sentence 1",
        "sentence 2",
        "sentence 3",
        "Not found: the 1 worst",
        "sentence 4",
    ]
    found, missed = search.groups[1]["cards"], search.groups[-1]["cards"]
    # Of the others the last images score highest.
    assert [card["photograph"]["file"] for card in found] == [
        "0.jpg",
        "6.jpg",
        "5.jpg",
        "4.jpg",
        "3.jpg",
    ]
    assert [card["right"] for card in found] == [True, None, None, None, None]
    # The right one is shown behind the five best.
    assert [card["photograph"]["file"] for card in missed] == [
        "6.jpg",
        "5.jpg",
        "3.jpg",
        "2.jpg",
        "1.jpg",
        "4.jpg",
    ]
    assert missed[-1]["right"] is True
    assert missed[-1]["note"] == "rank 7, 0.00"


def test_successes_and_failures_of_annotation(pages):
    _, annotation = pages
    assert _titles(annotation)[0] == "Found: 4 of 5 have a right sentence first"
    lines = annotation.groups[-1]["cards"][0]["lines"]
    assert annotation.groups[-1]["cards"][0]["title"] == "4.png"
    # Its own sentence is the last of five.
    assert [line["parts"][0]["text"] for line in lines] == [f"sentence {i}" for i in range(5)]
    assert [line["right"] for line in lines] == [None, None, None, None, True]
    assert lines[-1]["note"] == "rank 5, 0.00"
