import json

import pytest

from vsa_tf.answers.read_boxes import read_boxes
from vsa_tf.program import ProgramError


def test_boxes_are_read(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text("[[0, 0.25, 1, 0.5], [0.5, 0.5, 1, 1]]")
    assert read_boxes(path) == [[0, 0.25, 1, 0.5], [0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([], "JSON list of boxes"),
        ({"boxes": []}, "JSON list of boxes"),
        ([[0, 0, 1, 1], [0, 0, 1]], "box 1"),
        ([[0, 0, 0, 1]], "ymin < ymax"),
        ([[0, 0.5, 1, 0.25]], "xmin < xmax"),
        ([[0, 0, 480, 640]], "from 0 to 1"),
        ([[-0.1, 0, 1, 1]], "from 0 to 1"),
        ([[0, 0, 1, float("nan")]], "from 0 to 1"),
        ([[0, 0, 1, True]], "from 0 to 1"),
        (["0 0 1 1"], "box 0"),
    ],
)
def test_what_is_no_box_is_named(tmp_path, boxes, message):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(boxes))
    with pytest.raises(ProgramError, match=message):
        read_boxes(path)


def test_what_is_no_file_of_json_is_refused(tmp_path):
    with pytest.raises(ProgramError, match="cannot be read"):
        read_boxes(tmp_path / "missing.json")
    (tmp_path / "text.json").write_text("0 0 1 1")
    with pytest.raises(ProgramError, match="cannot be read"):
        read_boxes(tmp_path / "text.json")
