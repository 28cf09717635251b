import json
import types
import zipfile

import pytest
from PIL import Image

from vsa_tf.errors import VsaTfError
from vsa_tf.reporting.report_folder import PhotographFolder, ReportFolder, former_files, open_images


def _write(path, names):
    folder = ReportFolder(path)
    for name in names:
        folder.write(name, name)
    folder.finish()


def _files(path):
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_a_new_folder_holds_the_files_and_their_list(tmp_path):
    _write(tmp_path / "a" / "report", ["index.html", "data/index.js"])
    assert _files(tmp_path / "a" / "report") == ["data/index.js", "index.html", "report.json"]
    assert (tmp_path / "a" / "report" / "index.html").read_text() == "index.html"


def test_a_former_report_is_replaced_whole(tmp_path):
    _write(tmp_path, ["index.html", "data/images_002.js"])
    _write(tmp_path, ["index.html"])
    assert _files(tmp_path) == ["index.html", "report.json"]


def test_a_report_that_was_not_finished_is_replaced(tmp_path):
    ReportFolder(tmp_path).write("index.html", "")
    former_files(tmp_path)
    _write(tmp_path, ["index.html"])


@pytest.mark.parametrize("content", [None, "{}", "[]", "no JSON", '{"written_by": "another"}'])
def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "thesis.txt").write_text("all of it")
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    before = _files(tmp_path)
    for refuse in (former_files, ReportFolder):
        with pytest.raises(VsaTfError, match="holds other files. Choose another directory"):
            refuse(tmp_path)
    assert _files(tmp_path) == before


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "report").write_text("")
    with pytest.raises(VsaTfError, match="is a file"):
        former_files(tmp_path / "report")


def test_a_check_makes_nothing(tmp_path):
    former_files(tmp_path / "report")
    assert not list(tmp_path.iterdir())


def test_nothing_outside_is_removed_whatever_the_list_says(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    report = tmp_path / "report"
    report.mkdir()
    names = ["../thesis.txt", str(tmp_path / "thesis.txt")]
    (report / "report.json").write_text(json.dumps({"written_by": "vsa_tf.report", "files": names}))
    _write(report, ["index.html"])
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


def _without_images(*names):
    return types.SimpleNamespace(info=types.SimpleNamespace(images_stored=False), filenames=names)


@pytest.mark.parametrize("kind", ["directory", "zip"])
def test_photographs_that_records_lack_are_found_by_name(tmp_path, kind):
    (tmp_path / "images" / "below").mkdir(parents=True)
    Image.new("RGB", (960, 480), "red").save(tmp_path / "images" / "below" / "wide.png")
    (tmp_path / "images" / "damaged.jpg").write_bytes(b"no image")
    path = tmp_path / "images"
    if kind == "zip":
        path = tmp_path / "images.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("below/wide.png", "damaged.jpg"):
                archive.write(tmp_path / "images" / name, name)
    records = _without_images("absent.jpg", "damaged.jpg", "wide.png")
    folder = ReportFolder(tmp_path / "report")
    photographs = PhotographFolder(records, folder, archive=open_images(str(path)))
    assert photographs.photograph(2) == {
        "file": "photographs/000002.jpg",
        "width": 480,
        "height": 240,
    }
    assert not photographs.absent
    with Image.open(tmp_path / "report" / "photographs" / "000002.jpg") as picture:
        red, green, blue = picture.getpixel((200, 100))
        assert red > 240 and green < 15 and blue < 15
    # Others have an empty frame, each is counted once.
    for image in (0, 1, 0):
        assert photographs.photograph(image)["file"] is None
    assert photographs.absent == "2 are not in --images: absent.jpg, ..."
    # Another split has a place of its own.
    others = "wide.png", "damaged.jpg", "elsewhere.jpg"
    training = photographs.of(_without_images(*others), "training")
    assert training.photograph(0)["file"] == "training/000000.jpg"
    # What it lacks is said with the rest.
    for image in (1, 2):
        assert training.photograph(image)["file"] is None
    assert photographs.absent == "3 are not in --images: absent.jpg, ..."


def test_records_without_photographs_say_how_they_are_shown(tmp_path):
    photographs = PhotographFolder(_without_images("a.jpg"), ReportFolder(tmp_path / "report"))
    assert photographs.photograph(0)["file"] is None
    assert "--images=DIR_OR_ZIP" in photographs.absent


def test_images_of_no_folder_are_refused(tmp_path):
    (tmp_path / "images.zip").write_text("no zip")
    for name in ("images.zip", "nowhere"):
        with pytest.raises(VsaTfError, match=f"^images={tmp_path / name}: "):
            open_images(str(tmp_path / name))
