"""Pictures of alignments: what is drawn where, and what does not break them."""

import numpy as np
import pytest
from PIL import Image

from vsa_tf.decoding.segment_alignment import Snippet
from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS, alignment_picture, contact_sheet

WORDS = ["a", "red", "circle", "above", "a", "square"]
GREY_IMAGE = np.full((60, 80, 3), 128, np.uint8)


def snippet(box, first_word=0, last_word=2):
    return Snippet(box, 1, first_word, last_word, 2.5)


def count(picture, color):
    return int((np.asarray(picture) == color).all(axis=-1).sum())


@pytest.mark.parametrize(("own", "drawn"), [(100, 480), (900, 900), (3000, 1280)])
def test_photograph_keeps_its_size_within_bounds(own, drawn):
    image = np.zeros((own // 2, own, 3), np.uint8)
    picture = np.asarray(alignment_picture(image, [], []))
    assert picture.shape[1] == drawn
    assert (picture[: drawn // 2] == 0).all()
    assert alignment_picture(image, [], [], width=300).width == 300


def test_photograph_is_enlarged_to_the_width():
    picture = alignment_picture(GREY_IMAGE, WORDS, [])
    assert picture.mode == "RGB" and picture.width == 480
    # 60 x 80 becomes 360 x 480, with the sentence below.
    assert picture.height > 360
    assert (np.asarray(picture)[:360] == 128).all()


def test_box_is_drawn_on_its_edges_and_not_inside():
    picture = np.asarray(alignment_picture(GREY_IMAGE, WORDS, [snippet((0.25, 0.25, 0.75, 0.75))]))
    # Corners at 25 % and 75 % of 360 x 480, three pixels of colour inside a seam.
    for row, column in ((180, 122), (180, 357), (267, 240)):
        assert tuple(picture[row, column]) == SNIPPET_COLORS[0]
    assert tuple(picture[180, 240]) == (128, 128, 128)


def test_words_have_the_colour_of_their_box_and_whole_frame_words_have_none():
    boxes = [
        snippet((0.1, 0.1, 0.4, 0.4), 0, 2),
        snippet((0.0, 0.0, 1.0, 1.0), 3, 3),
        snippet((0.5, 0.5, 0.9, 0.9), 4, 5),
    ]
    picture = alignment_picture(GREY_IMAGE, WORDS, boxes)
    sentence = picture.crop((0, 360, 480, picture.height))
    assert count(sentence, SNIPPET_COLORS[0]) > 20 and count(sentence, SNIPPET_COLORS[1]) > 20
    assert count(picture, SNIPPET_COLORS[2]) == 0


def test_snippets_on_one_box_share_its_colour():
    box = (0.2, 0.2, 0.6, 0.6)
    picture = alignment_picture(GREY_IMAGE, WORDS, [snippet(box, 0, 1), snippet(box, 4, 5)])
    assert count(picture, SNIPPET_COLORS[0]) > 0 and count(picture, SNIPPET_COLORS[1]) == 0


def test_colours_differ():
    assert len(set(SNIPPET_COLORS)) == len(SNIPPET_COLORS)


def test_long_sentences_are_wrapped_within_the_width():
    short = alignment_picture(GREY_IMAGE, ["word"], [])
    long = alignment_picture(GREY_IMAGE, ["word"] * 100, [])
    assert long.width == short.width and long.height > short.height + 100
    pixels = np.asarray(long)[360:]
    assert (pixels[:, -2:] == 255).all()


def test_title_stands_above():
    plain = alignment_picture(GREY_IMAGE, WORDS, [])
    titled = alignment_picture(GREY_IMAGE, WORDS, [], title="Rank 1 of 500")
    assert titled.height > plain.height
    assert count(titled.crop((0, 0, 480, titled.height - plain.height)), (255, 255, 255)) > 0


@pytest.mark.parametrize(
    "words", [["ünïcödé", "naïve", "日本", "😀", "עברית", "\x00\n"], ["x" * 500], [""], []]
)
def test_any_words_can_be_drawn(words):
    snippets = [snippet((0.1, 0.1, 0.5, 0.5), 0, len(words) - 1)] if words else []
    assert alignment_picture(GREY_IMAGE, words, snippets, title=" ".join(words)).width == 480


@pytest.mark.parametrize(
    "box",
    [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), (-0.5, -0.5, 2.0, 0.5), (0.5, 0.5, 0.501, 0.501)],
)
def test_any_box_can_be_drawn(box):
    alignment_picture(GREY_IMAGE, WORDS, [snippet(box)], truth_boxes=[box], show_scores=True)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((1, 500, 3), np.uint8),
        np.zeros((500, 1, 3), np.uint8),
        np.zeros((9, 9), np.uint8),
        Image.new("L", (9, 9)),
        Image.new("RGBA", (9, 9)),
    ],
)
def test_any_shape_of_image_can_be_drawn(image):
    picture = alignment_picture(image, WORDS, [snippet((0.1, 0.1, 0.9, 0.5))])
    assert picture.width in (480, 500) and picture.height < 4 * 480 + 200


def test_the_same_arguments_give_the_same_picture():
    snippets = [snippet((0.2, 0.2, 0.6, 0.6))]
    assert (
        alignment_picture(GREY_IMAGE, WORDS, snippets).tobytes()
        == alignment_picture(GREY_IMAGE, WORDS, snippets).tobytes()
    )


def test_the_argument_is_not_drawn_on():
    image = Image.new("RGB", (480, 360), (1, 2, 3))
    alignment_picture(image, WORDS, [snippet((0.2, 0.2, 0.6, 0.6))])
    assert image.getcolors() == [(480 * 360, (1, 2, 3))]


@pytest.mark.parametrize(
    "image, snippets",
    [
        (np.zeros((4, 4, 3), np.float32), []),
        (np.zeros((4, 4, 4), np.uint8), []),
        (np.zeros((0, 4, 3), np.uint8), []),
        (GREY_IMAGE, [snippet((0, 0, 0.5, 0.5), 3, 6)]),
        (GREY_IMAGE, [snippet((0, 0, 0.5, 0.5), 2, 1)]),
        (GREY_IMAGE, [snippet((0, 0, np.nan, 0.5))]),
    ],
)
def test_bad_arguments_are_errors(image, snippets):
    with pytest.raises(ValueError, match="Expected .* Received"):
        alignment_picture(image, WORDS, snippets)


@pytest.mark.parametrize("width", ["x", 39, 320.5])
def test_what_is_no_width_is_named(width):
    with pytest.raises(ValueError, match=f"at least 40 pixels. Received: width={width!r}"):
        alignment_picture(GREY_IMAGE, WORDS, [], width=width)


def test_sheet_holds_pictures_of_different_sizes():
    pictures = [
        Image.new("RGB", size, (10 * n, 0, 0))
        for n, size in enumerate([(40, 30), (20, 50), (40, 20)], start=1)
    ]
    sheet = contact_sheet(pictures, columns=2, gap=5)
    # Two cells of 40 and three gaps; rows of 50 and 20 and three gaps.
    assert sheet.size == (95, 85)
    for picture, color in zip(pictures, ((10, 0, 0), (20, 0, 0), (30, 0, 0))):
        assert count(sheet, color) == picture.width * picture.height


def test_empty_sheet_is_an_error():
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])
