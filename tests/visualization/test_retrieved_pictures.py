import types

import numpy as np
import pytest

from vsa_tf.visualization.retrieved_pictures import retrieved_pictures

GREEN = (0, 158, 115)
# Grey photographs of different heights, the last as flat as they come.
PHOTOGRAPHS = [np.full((20 + 10 * n, 40, 3), 40 * n, np.uint8) for n in range(5)]
PHOTOGRAPHS += [np.zeros((1, 300, 3), np.uint8), np.zeros((300, 1, 3), np.uint8)]


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


def test_without_stored_images_there_are_no_pictures():
    assert retrieved_pictures(np.zeros((7, 3)), _records(images_stored=False), 3) == {}
