"""Results of given answers, and the pictures of them."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.inference.given_model import ALIGN, GivenModel, GivenSource
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.model import Model
from vsa_tf.inference.results import Alignment, Captions, Localization

LOCALIZE = {
    "boxes": np.float32([[[0, 0, 0.5, 0.5], [0, 0, 1, 1], [0, 0, 0, 0]]]),
    "scores": np.float32([[2, 1, 0]]),
    "num_boxes": np.int32([2]),
}
CAPTION = {
    "captions": np.array([["a dog", "dog", ""]], object),
    "log_prob": np.float32([[-1.5, -2, -np.inf]]),
    "tokens": np.array([[["a", "dog", ""], ["dog", "", ""], ["", "", ""]]], object),
    "token_log_probs": np.float32([[[-1, -0.25, -0.25], [-1.5, -0.5, 0], [0, 0, 0]]]),
}
FIRST = {
    "text": "a dog",
    "log_prob": -1.5,
    "tokens": ["a", "dog"],
    "token_log_probs": [-1, -0.25, -0.25],
}
SECOND = {"text": "dog", "log_prob": -2, "tokens": ["dog"], "token_log_probs": [-1.5, -0.5]}
REGIONS = [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0, 0]]
OF_REGIONS = {
    **{name: np.stack([value] * 3, axis=1) for name, value in CAPTION.items()},
    "boxes": np.float32([REGIONS]),
    "num_regions": np.int32([2]),
}


def _photograph():
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (10, 200, 10)).save(file, "PNG")
    return file.getvalue()


PHOTOGRAPH = _photograph()


def given(answers):
    """Returns a `Model` of a `GivenModel`."""
    return Model.of(GivenSource(GivenModel(answers)))


def test_an_alignment_has_score_snippets_and_words_without_padding():
    found = given({"align": ALIGN}).align(b"x", "A red dog")
    box, frame = [0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1]
    assert found.to_dict() == {
        "sentence": "A red dog",
        "score": 1.5,
        "snippets": [
            {"text": "a red", "box": box, "score": 0.75},
            {"text": "dog", "box": frame, "score": 0.75},
        ],
        "words": [
            {"text": "a", "box": box, "score": 0.25},
            {"text": "red", "box": box, "score": 0.5},
            {"text": "dog", "box": frame, "score": 0.75},
        ],
    }
    assert [(part.first_word, part.last_word) for part in found.snippets] == [(0, 1), (2, 2)]
    assert [(part.first_word, part.last_word) for part in found.words] == [(0, 0), (1, 1), (2, 2)]
    assert found.photograph == b"x"


def test_the_picture_of_an_alignment_shows_the_boxes_in_the_colours_of_their_words():
    found = given({"align": ALIGN}).align(PHOTOGRAPH, "A red dog")
    # The first colour of `alignment_picture`, on the box and in the words below the photograph.
    drawn = (np.asarray(found.picture()) == (213, 94, 0)).all(axis=2)
    photograph_height = 480 * 60 // 80
    assert drawn[:photograph_height].any() and drawn[photograph_height:].any()


def _answers():
    """Yields a result of each kind."""
    model = given({"align": ALIGN, "localize": LOCALIZE, "caption": CAPTION})
    yield model.align(PHOTOGRAPH, "A red dog")
    yield model.localize(PHOTOGRAPH, "a dog")
    yield model.caption(PHOTOGRAPH)
    yield given({"caption": OF_REGIONS}).caption(PHOTOGRAPH)


def test_a_notebook_shows_the_picture_of_a_result():
    for found in _answers():
        shown = Image.open(io.BytesIO(found._repr_png_()))
        assert shown.format == "PNG"
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(found.picture()))
        # The photograph is in it, and text below.
        assert shown.width == 480 and shown.height > 360
        assert (np.asarray(shown)[:360] == (10, 200, 10)).all(axis=2).mean() > 0.5


def test_the_picture_of_a_localization_draws_as_many_boxes_as_asked_for():
    boxes = np.float32([[[0, 0, 0.25, 0.25], [0.5, 0.5, 1, 1]]])
    scores, count = np.float32([[2, 1]]), np.int32([2])
    model = given({"localize": {"boxes": boxes, "scores": scores, "num_boxes": count}})
    found = model.localize(PHOTOGRAPH, "a dog")
    best, both = (np.asarray(found.picture(top_k))[:360] for top_k in (1, 2))
    differs = (best != both).any(axis=2)
    # The second box is in the lower right quarter.
    assert differs[170:, 230:].any() and not differs[:170, :230].any()


def test_boxes_are_ranked_without_padding():
    found = given({"localize": LOCALIZE}).localize(b"x", "a dog")
    assert found.to_dict() == {
        "phrase": "a dog",
        "boxes": [{"box": [0, 0, 0.5, 0.5], "score": 2}, {"box": [0, 0, 1, 1], "score": 1}],
    }


def _captions(answer, num_captions):
    found = given({"caption": answer}).caption(b"x", num_captions)
    return found.to_dict()


def test_captions_come_without_padding_best_first():
    assert _captions(CAPTION, 1) == {"captions": [FIRST]}
    # Of the third there is none: its probability is 0.
    assert _captions(CAPTION, 3) == {"captions": [FIRST, SECOND]}


def test_a_caption_cut_at_its_greatest_length_has_no_end():
    cut = {
        **CAPTION,
        "tokens": np.array([[["a", "dog", "and"], *CAPTION["tokens"][0, 1:]]], object),
    }
    (caption,) = _captions(cut, 1)["captions"]
    assert caption["tokens"] == ["a", "dog", "and"]
    assert caption["token_log_probs"] == [-1, -0.25, -0.25]


def test_captions_of_regions_come_with_their_boxes():
    assert _captions(OF_REGIONS, 1) == {
        "regions": [{"box": box, "captions": [FIRST]} for box in REGIONS[:2]]
    }


def test_more_captions_than_the_model_writes_are_refused():
    with pytest.raises(VsaTfError, match="^num_captions=4: the model was .* with 3"):
        _captions(CAPTION, 4)


def test_results_print_without_their_photograph():
    for found in _answers():
        assert "photograph" not in repr(found)
        assert isinstance(found, (Alignment, Localization, Captions))
    (best, _) = given({"caption": CAPTION}).caption(b"x", 2).captions
    assert str(best) == "a dog"


def test_a_photograph_without_captions_has_a_picture():
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "PNG")
    assert Captions([], None, file.getvalue()).picture(width=120).width == 120
