import io
import json

import numpy as np
import pytest

from tests.answers.given_model import GivenModel, GivenSource, write_files
from vsa_tf.answers.caption_images import caption_images
from vsa_tf.program import ProgramError

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


def _line(answer, path, num_captions):
    output = io.StringIO()
    caption_images(GivenSource(GivenModel({"caption": answer})), [path], num_captions, output)
    return json.loads(output.getvalue())


def test_captions_come_without_padding_best_first(tmp_path):
    (path,) = write_files(tmp_path, [b"x"])
    assert _line(CAPTION, path, 1) == {"image": path, "captions": [FIRST]}
    # Of the third there is none: its probability is 0.
    assert _line(CAPTION, path, 3) == {"image": path, "captions": [FIRST, SECOND]}


def test_a_caption_cut_at_its_greatest_length_has_no_end(tmp_path):
    (path,) = write_files(tmp_path, [b"x"])
    cut = {
        **CAPTION,
        "tokens": np.array([[["a", "dog", "and"], *CAPTION["tokens"][0, 1:]]], object),
    }
    (caption,) = _line(cut, path, 1)["captions"]
    assert caption["tokens"] == ["a", "dog", "and"]
    assert caption["token_log_probs"] == [-1, -0.25, -0.25]


def test_regions_come_with_their_boxes(tmp_path):
    (path,) = write_files(tmp_path, [b"x"])
    boxes = [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0, 0]]
    of_regions = {name: np.stack([value] * 3, axis=1) for name, value in CAPTION.items()}
    answer = {**of_regions, "boxes": np.float32([boxes]), "num_regions": np.int32([2])}
    assert _line(answer, path, 1) == {
        "image": path,
        "regions": [{"box": box, "captions": [FIRST]} for box in boxes[:2]],
    }


def test_more_captions_than_were_exported_are_refused(tmp_path):
    (path,) = write_files(tmp_path, [b"x"])
    with pytest.raises(ProgramError, match="--num_captions=4: given was exported with 3"):
        _line(CAPTION, path, 4)
