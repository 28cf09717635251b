import io
import json

import numpy as np
import pytest

from tests.answers.given_model import GivenModel, GivenSource, write_files
from tests.saved_models.small_models import make_model_dir, photographs
from vsa_tf.answers.localize_images import localize_images
from vsa_tf.answers.model_source import ModelSource
from vsa_tf.models.captioning.settings import AlignmentSettings
from vsa_tf.photographs.photograph_reader import PhotographReader
from vsa_tf.saved_models.live_model import LiveModel

LOCALIZE = {
    "boxes": np.float32([[[0, 0, 0.5, 0.5], [0, 0, 1, 1], [0, 0, 0, 0]]]),
    "scores": np.float32([[2, 1, 0]]),
    "num_boxes": np.int32([2]),
}


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
    answer = LiveModel(str(model_dir)).call("localize", image_bytes=[image], phrases=["x"])
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
