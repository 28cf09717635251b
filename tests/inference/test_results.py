import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.inference.given_model import ALIGN, GivenModel, GivenSource, write_files
from tests.inference.small_models import make_model_dir, photographs
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.photograph_reader import PhotographReader
from vsa_tf.inference.results import align_images, caption_images, localize_images
from vsa_tf.models.alignment.settings import AlignmentSettings

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


def _lines(source, paths, phrases, boxes=None):
    output = io.StringIO()
    localize_images(source, paths, phrases, boxes, output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_for_each_image_and_phrase_without_padding(tmp_path):
    paths = write_files(tmp_path, [b"x", b"y"])
    lines = _lines(GivenSource(GivenModel({"localize": LOCALIZE})), paths, ["a dog", "a cat"])
    assert [(line["image"], line["phrase"]) for line in lines] == [
        (path, phrase) for path in paths for phrase in ("a dog", "a cat")
    ]
    assert lines[0]["boxes"] == [
        {"box": [0, 0, 0.5, 0.5], "score": 2},
        {"box": [0, 0, 1, 1], "score": 1},
    ]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    # The frame's feature is added to every region's: the frame must be there to be added.
    return make_model_dir(
        tmp_path_factory.mktemp("localize") / "model",
        "alignment",
        AlignmentSettings(crop_size=16, joint_size=8, frame_context=True),
        detector="grid",
        num_regions=4,
    )


def test_boxes_of_ones_own_score_as_the_same_boxes_of_the_detector(model_dir, tmp_path):
    source = ModelSource(str(model_dir))
    (image,) = photographs(1)
    (path,) = write_files(tmp_path, [image])
    (line,) = _lines(source, [path], ["a red dog"])
    found = {tuple(entry["box"]): entry["score"] for entry in line["boxes"]}
    answer = LocalModel(str(model_dir)).call("localize", image_bytes=[image], phrases=["x"])
    own = [box.tolist() for box in answer["boxes"][0] if tuple(box) != (0, 0, 1, 1)]
    assert len(own) == 3
    (line,) = _lines(source, [path], ["a red dog"], own)
    assert {tuple(entry["box"]): entry["score"] for entry in line["boxes"]} == pytest.approx(
        {box: score for box, score in found.items() if box != (0, 0, 1, 1)}, abs=1e-5
    )
    scores = [entry["score"] for entry in line["boxes"]]
    assert scores == sorted(scores, reverse=True)


def test_overlapping_boxes_and_the_frame_are_kept_where_they_were_given(model_dir, tmp_path):
    (path,) = write_files(tmp_path, photographs(1))
    own = [
        [0, 0, 1, 1],
        [0.1, 0.1, 0.9, 0.9],
        [0.1, 0.1, 0.9, 0.875],
        [0, 0, 0.25, 0.25],
        [0.5, 0.5, 1, 1],
        [0, 0.5, 0.5, 1],
    ]
    (line,) = _lines(ModelSource(str(model_dir)), [path], ["a red dog"], own)
    boxes = [entry["box"] for entry in line["boxes"]]
    assert sorted(boxes) == sorted(own)


def test_the_regions_of_an_image_are_found_once_for_all_phrases(model_dir, tmp_path, monkeypatch):
    read, times = PhotographReader.batch, []
    monkeypatch.setattr(
        PhotographReader, "batch", lambda self, *args: times.append(1) or read(self, *args)
    )
    paths = write_files(tmp_path, photographs(2))
    lines = _lines(ModelSource(str(model_dir)), paths, ["a red dog", "a cat", "a dog"])
    assert len(lines) == 6
    # At most a reading of each image: several images may be asked about at a time.
    assert 1 <= len(times) <= 2


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
    with pytest.raises(VsaTfError, match="--num_captions=4: given was exported with 3"):
        _line(CAPTION, path, 4)
