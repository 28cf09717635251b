import types

import numpy as np

from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS
from vsa_tf.visualization.localized_pictures import localized_pictures

GREY = np.full((60, 80, 3), 128, np.uint8)
TRUE_BOX = (0.25, 0.25, 0.75, 0.5)


def _pictures(found, count=3, images_stored=True):
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
    pictures = _pictures((0.5, 0.5, 1.0, 1.0))
    assert [phrase for phrase, _ in pictures.values()] == ["a dog", "", "its tail"]
    picture = pictures["b.jpg#2"][1]
    # 60 x 80 becomes 360 x 480: the found box is the lower right quarter.
    rows, columns = np.nonzero(_colored(picture))
    assert columns.min() > 230 and rows.max() > 350 and columns.max() > 470
    # The left edge of the true box, black and white by turns.
    edge = picture[90:270, 120]
    assert {tuple(pixel) for pixel in edge.tolist()} >= {(0, 0, 0), (255, 255, 255)}


def test_the_whole_frame_is_no_place():
    picture = _pictures((0.0, 0.0, 1.0, 1.0))["a.jpg#0"][1]
    assert not _colored(picture).any()


def test_phrases_are_spread_over_the_split():
    assert list(_pictures(TRUE_BOX, count=2)) == ["a.jpg#0", "b.jpg#2"]


def test_without_stored_images_there_are_no_pictures():
    assert _pictures(TRUE_BOX, images_stored=False) == {}
