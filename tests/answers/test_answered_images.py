import math
import threading

import pytest

from tests.answers.given_model import GivenModel, write_files
from vsa_tf.answers import answered_images as module
from vsa_tf.answers.answered_images import answered_images
from vsa_tf.program import ProgramError


@pytest.fixture
def model():
    return GivenModel({"size": lambda image_bytes: [len(data) for data in image_bytes]})


def _answers(model, paths):
    return list(answered_images(paths, lambda images: model.call("size", image_bytes=images)))


def test_answers_come_in_the_order_of_the_files(model, tmp_path):
    paths = write_files(tmp_path, [b"x" * size for size in range(1, 36)])
    assert _answers(model, paths) == [(path, size, None) for size, path in enumerate(paths, 1)]
    # Two threads ask: either may be first.
    assert sorted(model.batches) == [3, 16, 16]


def test_large_files_make_small_batches(model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 10)
    # 4 + 5 fit, 6 more do not; one of 12 is alone.
    _answers(model, write_files(tmp_path, [b"x" * size for size in (4, 5, 6, 12, 3)]))
    assert sorted(model.batches) == [1, 1, 1, 2]


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
        "No such file or directory",
        "the image file is empty",
        "Is a directory",
    ]
    assert model.batches == []


def test_batches_are_asked_about_at_the_same_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCHES_AT_A_TIME", 2)
    both = threading.Barrier(2)

    def ask(images):
        both.wait(timeout=30)  # broken, and an error, if the other batch does not come too
        return [len(data) for data in images]

    paths = write_files(tmp_path, [b"x"] * 32)
    assert list(answered_images(paths, ask)) == [(path, 1, None) for path in paths]


def test_an_error_of_the_model_ends_the_answers(tmp_path):
    def ask(images):
        raise ProgramError("the server does not answer")

    with pytest.raises(ProgramError, match="does not answer"):
        list(answered_images(write_files(tmp_path, [b"x"] * 80), ask))
