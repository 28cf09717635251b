import io
import json

import numpy as np
from PIL import Image

from tests.answers.given_model import ALIGN, GivenModel, GivenSource, write_files
from vsa_tf.answers.align_images import align_images


def _photograph():
    file = io.BytesIO()
    Image.new("RGB", (80, 60), (10, 200, 10)).save(file, "PNG")
    return file.getvalue()


def test_the_line_has_score_snippets_and_words_without_padding(tmp_path):
    (path,) = write_files(tmp_path, [b"x"])
    output = io.StringIO()
    align_images(GivenSource(GivenModel({"align": ALIGN})), [path], "A red dog", output=output)
    box, frame = [0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1]
    assert json.loads(output.getvalue()) == {
        "image": path,
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


def test_the_picture_shows_the_boxes_in_the_colours_of_their_words(tmp_path):
    (path,) = write_files(tmp_path, [_photograph()])
    picture = tmp_path / "picture.png"
    align_images(
        GivenSource(GivenModel({"align": ALIGN})), [path], "A red dog", picture, io.StringIO()
    )
    pixels = np.asarray(Image.open(picture))
    # The first colour of `alignment_picture`, on the box and in the words below the photograph.
    drawn = (pixels == (213, 94, 0)).all(axis=2)
    photograph_height = 480 * 60 // 80
    assert drawn[:photograph_height].any() and drawn[photograph_height:].any()
