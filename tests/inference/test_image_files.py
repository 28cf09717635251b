import io
import json
import math
import os
import pathlib
import sys
import threading

import pytest

from tests.inference.given_model import GivenModel, write_files
from vsa_tf.errors import VsaTfError
from vsa_tf.inference import image_files as module
from vsa_tf.inference import photographs
from vsa_tf.inference.image_files import (
    answered_images,
    check_output,
    image_files,
    input_lines,
    read_boxes,
    write_answers,
    write_answers_of_lines,
)
from vsa_tf.visualization import fonts


def test_a_directory_is_the_images_below_it_by_name(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "c/d.webp", ".git/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    expected = [str(tmp_path / name) for name in ("a.png", "b.JPG", "c/d.webp")]
    told = []
    assert image_files([tmp_path], told.append) == expected
    # Hidden ones are meant for nobody.
    (line,) = told
    assert line.startswith(f"1 file not taken, by the ending of the name: {tmp_path}/notes.txt (")


def test_files_that_are_not_taken_are_counted_and_five_of_them_named(tmp_path):
    for number in range(7):
        (tmp_path / f"{number}.cr2").write_bytes(b"")
    with pytest.raises(VsaTfError, match="holds no image files; 7 files not taken.*4.cr2, ... "):
        image_files([tmp_path])
    (tmp_path / "a.jpg").write_bytes(b"")
    told = []
    image_files([tmp_path], told.append)
    assert "/4.cr2, ..." in told[0] and "5.cr2" not in told[0]


def test_files_are_taken_as_they_are_and_once(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    odd, first = str(tmp_path / "photo.raw"), str(tmp_path / "a.png")
    assert image_files([odd, str(tmp_path), first, odd]) == [odd, first]


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
    monkeypatch.setattr(photographs, "_BATCH_BYTES", 10)
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


def test_one_batch_at_a_time_is_asked_about_in_the_order_of_the_files(tmp_path):
    paths, asked = write_files(tmp_path, [bytes([number]) * 2 for number in range(80)]), []

    def ask(images):
        asked.extend(images)
        return images

    found = [answer for _, answer, _ in answered_images(paths, ask, batches_at_a_time=1)]
    assert asked == found == [bytes([number]) * 2 for number in range(80)]


def test_an_error_of_the_model_ends_the_answers(tmp_path):
    def ask(images):
        raise VsaTfError("the server does not answer")

    with pytest.raises(VsaTfError, match="does not answer"):
        list(answered_images(write_files(tmp_path, [b"x"] * 80), ask))


def _bytes_of(images):
    return [[{"n": n} for n in range(len(data))] for data in images]


def test_every_file_has_its_lines_and_failures_are_counted(tmp_path, capsys):
    paths = [*write_files(tmp_path, [b"a", b"bc"]), str(tmp_path / "missing.jpg")]
    output = io.StringIO()
    write_answers(paths, _bytes_of, output)
    assert "1 of 3 images could not be read; see their lines\n" in capsys.readouterr().err
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [
        {"image": paths[0], "n": 0},
        {"image": paths[1], "n": 0},
        {"image": paths[1], "n": 1},
        {"image": paths[2], "error": "No such file or directory"},
    ]


@pytest.mark.parametrize(("last", "strict"), [(3, True), (1, True), (1, False)])
def test_failures_are_an_error_if_strict_or_where_all_fail(tmp_path, last, strict):
    paths = [str(tmp_path / "missing.jpg"), *write_files(tmp_path, [b"a", b"bc"])][:last]
    with pytest.raises(VsaTfError, match=f"1 of {last} images could not be read"):
        write_answers(paths, _bytes_of, io.StringIO(), strict=strict)


def test_lines_are_utf8_whatever_a_file_is_called(tmp_path):
    folder = tmp_path / "läuft"
    folder.mkdir()
    paths = write_files(folder, [b"a"])
    latin = os.fsdecode(os.fsencode(folder) + b"/gr\xfc\xdfe.jpg")
    pathlib.Path(latin).write_bytes(b"a")
    output = io.StringIO()
    write_answers([*paths, latin], lambda images: [[{"caption": "犬"}] for _ in images], output)
    first, second = output.getvalue().encode("utf-8").decode().splitlines()
    assert first == f'{{"image": "{paths[0]}", "caption": "犬"}}'
    # What UTF-8 cannot hold is still found again.
    assert json.loads(second)["image"] == latin


def test_boxes_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "boxes.json").write_bytes(b"\xef\xbb\xbf[[0, 0, 1, 1]]")
    assert read_boxes(tmp_path / "boxes.json") == [[0, 0, 1, 1]]


def test_lines_of_standard_input_are_utf8_and_keep_other_bytes(monkeypatch):
    given = "a.jpg\tein Hund läuft\r\n\n  \n b.jpg \n".encode() + b"gr\xfc\xdfe.jpg"
    stream = io.TextIOWrapper(io.BytesIO(given), encoding="latin-1")
    monkeypatch.setattr(sys, "stdin", stream)
    lines = input_lines()
    assert next(lines) == "a.jpg\tein Hund läuft"
    # The name of a file that is not UTF-8 opens the file.
    assert [os.fsencode(line) for line in lines] == [b"b.jpg", b"gr\xfc\xdfe.jpg"]


def test_lines_are_answered_as_they_come(tmp_path, capsys):
    paths = write_files(tmp_path, [b"a", b"bc"])
    output = io.StringIO()
    seen = []

    def lines():
        for line in (paths[0], f"{paths[1]}\ta cat", "missing.jpg", paths[1]):
            seen.append(len(output.getvalue().splitlines()))
            yield line

    def ask(images, texts):
        return [[{"size": len(data), "text": text} for text in texts] for data in images]

    write_answers_of_lines(lines(), ask, ["a dog"], output=output)
    assert capsys.readouterr().err == "1 of 4 lines could not be answered; see theirs\n"
    assert seen == [0, 1, 2, 3]
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [
        {"image": paths[0], "size": 1, "text": "a dog"},
        {"image": paths[1], "size": 2, "text": "a cat"},
        {"image": "missing.jpg", "error": "No such file or directory"},
        {"image": paths[1], "size": 2, "text": "a dog"},
    ]


def test_a_line_without_the_text_that_is_needed_says_so(tmp_path):
    output = io.StringIO()
    with pytest.raises(VsaTfError, match="1 of 1 lines"):  # all
        write_answers_of_lines(["a.jpg"], None, [], "Expected IMAGE<TAB>PHRASE", output)
    assert json.loads(output.getvalue()) == {"image": "a.jpg", "error": "Expected IMAGE<TAB>PHRASE"}


def test_a_line_that_fails_is_an_error_if_strict(tmp_path):
    lines = ["missing.jpg", *write_files(tmp_path, [b"a"])]
    output = io.StringIO()
    with pytest.raises(VsaTfError, match="1 of 2 lines could not be answered"):
        write_answers_of_lines(
            lines, lambda images, _: _bytes_of(images), output=output, strict=True
        )
    assert len(output.getvalue().splitlines()) == 2


def test_boxes_are_read(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text("[[0, 0.25, 1, 0.5], [0.5, 0.5, 1, 1]]")
    assert read_boxes(path) == [[0, 0.25, 1, 0.5], [0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([], "boxes.json to be a list of boxes .*, at least one"),
        ({"boxes": []}, "list of boxes .*Received: {'boxes': ..}"),
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
    with pytest.raises(VsaTfError, match=message):
        read_boxes(path)


def test_what_is_no_file_of_json_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="cannot be read"):
        read_boxes(tmp_path / "missing.json")
    (tmp_path / "text.json").write_text("0 0 1 1")
    with pytest.raises(VsaTfError, match="cannot be read"):
        read_boxes(tmp_path / "text.json")


def test_letters_that_no_font_has_are_one_warning(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fonts, "_installed_fonts", lambda: [])
    fonts._installed_font.cache_clear()
    picture = str(tmp_path / "picture.png")
    check_output(picture, ["a.jpg"], text="Ein Caf\u00e9 \u72d7\u732b\u72d7")
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(
        "warning: no font that is installed has the letters \u72d7\u732b; give"
    )
    check_output(picture, ["a.jpg"], text="a dog's ball")
    check_output("", ["a.jpg"], text="\u72d7")
    assert not capsys.readouterr().err
    fonts._installed_font.cache_clear()


def test_a_font_that_is_none_is_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "no.ttf").write_text("no font")
    picture = str(tmp_path / "picture.png")
    for font in (tmp_path / "no.ttf", tmp_path / "missing.ttf"):
        with pytest.raises(VsaTfError) as caught:
            check_output(picture, ["a.jpg"], str(font))
        assert caught.value.of_flags.startswith("--font: Expected font to be a TrueType or OpenTyp")
        assert str(font) in str(caught.value)
    with pytest.raises(VsaTfError, match="font=a.ttf: it is of a picture"):
        check_output("", ["a.jpg"], "a.ttf")
    check_output(picture, ["a.jpg"])
