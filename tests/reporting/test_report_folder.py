import json

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.reporting.report_folder import ReportFolder, former_files


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
