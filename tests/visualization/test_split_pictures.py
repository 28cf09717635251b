import types

import numpy as np
import pytest

from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS
from vsa_tf.visualization.split_pictures import (
    aligned_pictures,
    localized_pictures,
    picture_names,
    retrieved_pictures,
    spread,
)

GREY = np.full((60, 80, 3), 128, np.uint8)
TRUE_BOX = (0.25, 0.25, 0.75, 0.5)
GREEN = (0, 158, 115)
# Grey photographs of different heights, the last as flat as they come.
PHOTOGRAPHS = [np.full((20 + 10 * n, 40, 3), 40 * n, np.uint8) for n in range(5)]
PHOTOGRAPHS += [np.zeros((1, 300, 3), np.uint8), np.zeros((300, 1, 3), np.uint8)]


def test_places_are_spread_from_the_first_to_the_last():
    assert spread(7, 3).tolist() == [0, 3, 6]
    assert spread(7, 1).tolist() == [0]
    # Of fewer than were asked for all, and of none none.
    assert spread(2, 3).tolist() == [0, 1]
    assert spread(0, 3).tolist() == []


def test_pictures_of_photographs_of_one_name_are_told_apart():
    records = types.SimpleNamespace(
        filenames=["1.jpg", "2.jpg", "1.jpg"], source_ids=["11", "12", "13"]
    )
    assert picture_names(records, [0, 1, 2]) == ["1.jpg (11)", "2.jpg", "1.jpg (13)"]
    # Also where only one of them is drawn.
    assert picture_names(records, [2]) == ["1.jpg (13)"]


def test_alignments_of_photographs_of_one_name_are_all_drawn():
    regions = np.eye(2, dtype=np.float32)
    words, lengths = np.stack([regions[1], regions[1]]), np.array([1, 1])
    embedded = EmbeddedSplit(np.stack([regions] * 2), np.ones((2, 2), bool), words, lengths)
    records = types.SimpleNamespace(
        info=types.SimpleNamespace(contents={"images_stored": True}),
        num_images=2,
        first_caption=np.array([0, 1, 2]),
        captions=["dog", "cat"],
        filenames=["1.jpg", "1.jpg"],
        source_ids=["a/1", "b/1"],
        region_boxes=np.float32([[(0, 0, 1, 1), TRUE_BOX]] * 2),
        read_image=lambda image: GREY,
    )
    text = types.SimpleNamespace(relation_types=None)
    data = types.SimpleNamespace(
        records=records, text=text, fragment_names=lambda sentence: [records.captions[sentence]]
    )
    pictures = aligned_pictures(embedded, data, 2)
    captions = {name: caption for name, (caption, _) in pictures.items()}
    assert captions == {"1.jpg (a/1)": "dog", "1.jpg (b/1)": "cat"}


def _localized(found, count=3, images_stored=True):
    records = types.SimpleNamespace(
        info=types.SimpleNamespace(images_stored=images_stored),
        image_of_caption=np.array([0, 0, 1]),
        captions=["a dog", "", "its tail"],
        phrase_boxes=np.float32([TRUE_BOX] * 3),
        filenames=["a.jpg", "b.jpg"],
        read_image=lambda image: GREY,
    )
    return localized_pictures(np.float32([found] * 3), records, count)


def _colored(picture):
    return (picture[:360] == SNIPPET_COLORS[0]).all(axis=-1)


def test_the_box_that_was_found_has_a_colour_and_the_true_one_is_dashed():
    pictures = _localized((0.5, 0.5, 1.0, 1.0))
    assert [phrase for phrase, _ in pictures.values()] == ["a dog", "", "its tail"]
    picture = pictures["b.jpg#2"][1]
    # 60 x 80 becomes 360 x 480: the found box is the lower right quarter.
    rows, columns = np.nonzero(_colored(picture))
    assert columns.min() > 230 and rows.max() > 350 and columns.max() > 470
    # The left edge of the true box, black and white by turns.
    edge = picture[90:270, 120]
    assert {tuple(pixel) for pixel in edge.tolist()} >= {(0, 0, 0), (255, 255, 255)}


def test_the_whole_frame_is_no_place():
    picture = _localized((0.0, 0.0, 1.0, 1.0))["a.jpg#0"][1]
    assert not _colored(picture).any()


def test_phrases_are_spread_over_the_split():
    assert list(_localized(TRUE_BOX, count=2)) == ["a.jpg#0", "b.jpg#2"]


def test_without_stored_images_no_phrase_is_drawn():
    assert _localized(TRUE_BOX, images_stored=False) == {}


def _records(images_stored=True):
    return types.SimpleNamespace(
        info=types.SimpleNamespace(images_stored=images_stored),
        image_of_caption=np.array([0, 0, 6]),
        captions=["a dog", "<b>", "two cats"],
        filenames=[f"{name}.jpg" for name in "abcdefg"],
        read_image=PHOTOGRAPHS.__getitem__,
    )


def _green_columns(picture):
    return np.flatnonzero((picture == GREEN).all(axis=-1).any(axis=0))


@pytest.mark.parametrize("place", range(4))
def test_the_right_image_is_framed_at_its_place(place):
    scores = np.zeros((7, 3))
    scores[:4, 0] = [3.5 - place, 3, 2, 1]  # the right image is 0
    caption, picture = retrieved_pictures(scores, _records(), 1)["a.jpg#0"]
    assert caption == f"a dog (rank {place + 1})"
    columns = _green_columns(picture) / picture.shape[1]
    assert place / 4 < columns.min() and columns.max() < (place + 1) / 4


def test_no_image_is_framed_where_the_right_one_is_not_found():
    scores = np.zeros((7, 3))
    scores[1:5] = 1
    caption, picture = retrieved_pictures(scores, _records(), 1)["a.jpg#0"]
    # The others score as much: a tie counts against it.
    assert caption == "a dog (rank 7)"
    assert _green_columns(picture).size == 0


def test_sentences_are_spread_over_the_split_and_images_of_any_shape_drawn():
    scores = np.zeros((7, 3))
    scores[5:] = 1
    pictures = retrieved_pictures(scores, _records(), 9)
    assert list(pictures) == ["a.jpg#0", "a.jpg#1", "g.jpg#2"]
    assert all(picture.dtype == np.uint8 for _, picture in pictures.values())


def test_without_stored_images_no_retrieved_image_is_drawn():
    assert retrieved_pictures(np.zeros((7, 3)), _records(images_stored=False), 3) == {}
