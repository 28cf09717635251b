import math

import pytest

from tests.answers.given_model import GivenModel, write_files
from vsa_tf.answers import answered_images as module
from vsa_tf.answers.answered_images import answered_images


@pytest.fixture
def model():
    return GivenModel({"size": lambda image_bytes: [len(data) for data in image_bytes]})


def _answers(model, paths):
    return list(answered_images(paths, lambda images: model.call("size", image_bytes=images)))


def test_answers_come_in_the_order_of_the_files(model, tmp_path):
    paths = write_files(tmp_path, [b"x" * size for size in range(1, 36)])
    assert _answers(model, paths) == [(path, size, None) for size, path in enumerate(paths, 1)]
    assert model.batches == [16, 16, 3]


def test_large_files_make_small_batches(model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 10)
    # 4 + 5 fit, 6 more do not; one of 12 is alone.
    _answers(model, write_files(tmp_path, [b"x" * size for size in (4, 5, 6, 12, 3)]))
    assert model.batches == [2, 1, 1, 1]


@pytest.mark.parametrize("bad", [0, 7, 15])
def test_a_bad_image_stops_none_of_the_others(model, tmp_path, bad):
    contents = [b"good"] * 16
    contents[bad] = b"bad image"
    paths = write_files(tmp_path, contents)
    results = _answers(model, paths)
    assert results.pop(bad) == (paths[bad], None, "not an image")
    assert {(answer, reason) for _, answer, reason in results} == {(4, None)}
    # The batch, then two halves of it for every doubling.
    assert len(model.batches) == 1 + 2 * math.log2(16)


def test_unreadable_files_are_reported_and_never_asked_about(model, tmp_path):
    missing, empty = str(tmp_path / "missing.jpg"), str(tmp_path / "empty.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    results = _answers(model, [missing, empty, str(tmp_path)])
    assert [reason for _, _, reason in results] == [
        "No such file or directory", "the image file is empty", "Is a directory"
    ]
    assert model.batches == []
