import io
import json

import pytest

from tests.answers.given_model import write_files
from vsa_tf.answers.write_answers import write_answers
from vsa_tf.program import ProgramError


def test_every_file_has_its_lines_and_failures_are_counted(tmp_path):
    paths = [*write_files(tmp_path, [b"a", b"bc"]), str(tmp_path / "missing.jpg")]
    output = io.StringIO()
    with pytest.raises(ProgramError, match="1 of 3 images could not be read"):
        write_answers(
            paths, lambda images: [[{"n": n} for n in range(len(data))] for data in images], output
        )
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [
        {"image": paths[0], "n": 0},
        {"image": paths[1], "n": 0},
        {"image": paths[1], "n": 1},
        {"image": paths[2], "error": "No such file or directory"},
    ]
