import io
import re
import types

import numpy as np
import pytest
from PIL import Image

from tests.reporting.given_photographs import GivenPhotographs
from vsa_tf.metrics.retrieval import RetrievalRanks
from vsa_tf.reporting.report_folder import ReportOptions
from vsa_tf.reporting.retrieval_pages import (
    RetrievalPages,
    neighbor_page,
    recall_page,
    split_neighbor_page,
)
from vsa_tf.scoring.nearest_images import NearestImages


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


def test_sentences_of_image_annotation_are_aligned_with_the_image_that_asks():
    records = types.SimpleNamespace(
        image_of_caption=np.arange(2),
        num_captions=2,
        filenames=["0.png", "1.png"],
        captions=["one", "two"],
    )

    asked = []

    def parts_of(card, image, sentence):
        asked.append((image, sentence))
        return [card.part(f"sentence {sentence} on image {image}")]

    pages = RetrievalPages(np.float32([[1, 2], [0, 4]]), records, GivenPhotographs(), parts_of)
    lines = [card["lines"] for group in pages.pages()[1].groups for card in group["cards"]]
    assert sorted([line["parts"][0]["text"] for line in of_card] for of_card in lines) == [
        ["sentence 1 on image 0", "sentence 0 on image 0"],
        ["sentence 1 on image 1", "sentence 0 on image 1"],
    ]
    assert asked == list(zip(*pages.annotations()))


def _row(html, name):
    cells = re.findall(rf'<th scope="row">{name}</th>(.*?)</tr>', html)
    return [re.findall("<td>(.*?)</td>", row) for row in cells]


def test_recall_curves_have_every_model_and_chance():
    ranks = {
        "one": RetrievalRanks(np.array([1, 3]), np.array([1, 1, 2, 2])),
        "other": RetrievalRanks(np.array([1, 1]), np.array([2, 2, 2, 2])),
    }
    page = recall_page(ranks, {"num_images": 2, "num_sentences": 4})
    # Of images among four sentences at K = 1, 2; of sentences among two images at K = 1, 2.
    assert _row(page.html, "one") == [["50.0", "50.0"], ["50.0", "100.0"]]
    assert _row(page.html, "other") == [["100.0", "100.0"], ["0.0", "100.0"]]
    # Of two of the four sentences; two at random hold none of them once in six times.
    assert _row(page.html, "by chance") == [["50.0", "83.3"], ["50.0", "100.0"]]
    assert set(page.files) == {"recall_image_to_sentence.png", "recall_sentence_to_image.png"}
    for name, content in page.files.items():
        assert f'src="{name}"' in page.html
        assert Image.open(io.BytesIO(content)).width == 720


def test_a_single_image_has_no_curve():
    ranks = {"one": RetrievalRanks(np.array([1]), np.array([1]))}
    assert recall_page(ranks, {"num_images": 1, "num_sentences": 1}) is None


def _neighbors(page):
    """Of each group its title, and the file and note of its cards."""
    return [
        (group["title"], [(card["photograph"]["file"], card["note"]) for card in group["cards"]])
        for group in page.groups
    ]


def test_an_image_is_not_its_own_neighbor_within_the_split():
    # By the model's vectors 0 and 1 are doubles, and 2 is opposite; by features 0 and 2 are alike.
    vectors = np.float32([[1, 0], [2, 0], [-1, 0]])
    features = np.float32([[[1, 1]], [[1, -1]], [[3, 3]]])
    records = types.SimpleNamespace(
        num_images=3,
        filenames=["0.png", "1.png", "2.png"],
        captions=["a dog", "two dogs", "a cat"],
        first_caption=np.array([0, 2, 2, 3]),
        info=types.SimpleNamespace(region_feature_size=2),
        read_region_features=lambda images, num_regions: features[images],
    )
    options = ReportOptions(max_images=2)
    page = split_neighbor_page(vectors, records, GivenPhotographs(), options)
    model, encoder = "by the model's vectors", "by the image encoder's features"
    assert _neighbors(page) == [
        ("0.png", []),
        (model, [("0.jpg", "this one"), ("1.jpg", "0.00"), ("2.jpg", "2.00")]),
        (encoder, [("0.jpg", "this one"), ("2.jpg", "0.00"), ("1.jpg", "1.00")]),
        ("1.png", []),
        (model, [("1.jpg", "this one"), ("0.jpg", "0.00"), ("2.jpg", "2.00")]),
        (encoder, [("1.jpg", "this one"), ("0.jpg", "1.00"), ("2.jpg", "1.00")]),
    ]
    # The first caption of each; image 1 has none.
    lines = [card["lines"] for card in page.groups[1]["cards"]]
    assert [[line["parts"][0]["text"] for line in each] for each in lines] == [
        ["a dog"],
        [],
        ["a cat"],
    ]
    records.info.region_feature_size = 0
    page = split_neighbor_page(vectors, records, GivenPhotographs(), options)
    assert {title for title, _ in _neighbors(page)} == {"0.png", "1.png", model}
    assert "hold no features of an encoder" in page.introduction


def test_neighbors_may_be_of_another_split():
    records = types.SimpleNamespace(
        filenames=["0.png"], captions=["a dog"], first_caption=np.array([0, 1])
    )
    others = types.SimpleNamespace(
        captions=["one", "two"], first_caption=np.array([0, 0, 0, 0, 1, 2])
    )
    found = {"by features": NearestImages(np.array([[4, 3]]), np.array([[0.25, 0.5]]))}
    shown = records, GivenPhotographs()
    page = neighbor_page("", [0], found, shown, (others, GivenPhotographs("training/")))
    cards = [("0.jpg", "this one"), ("training/4.jpg", "0.25"), ("training/3.jpg", "0.50")]
    assert _neighbors(page) == [("0.png", []), ("by features", cards)]
    lines = [card["lines"][0]["parts"][0]["text"] for card in page.groups[1]["cards"]]
    assert lines == ["a dog", "two", "one"]
