import hashlib
import pickle
import zipfile

import pytest

from tfrecords_tools.archive import AnnotationFile, Archive

FILES = {"x/a.txt": b"one", "x/y/a.txt": b"two", "b.txt": b"three"}


@pytest.fixture(params=["directory", "zip"])
def path(request, tmp_path):
    if request.param == "directory":
        for name, data in {**FILES, ".hidden": b"", "x/.DS_Store": b""}.items():
            file = tmp_path / "files" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return tmp_path / "files"
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as file:
        for name, data in {**FILES, "__MACOSX/x/._a.txt": b"", "x/.DS_Store": b""}.items():
            file.writestr(name, data)
    return tmp_path / "files.zip"


def test_directory_and_zip_answer_alike(path):
    archive = Archive(path)
    assert archive.names() == ["b.txt", "x/a.txt", "x/y/a.txt"]
    assert {name: archive.read(name) for name in archive.names()} == FILES


def test_find_takes_the_least_deep_file_and_matches_whole_path_parts(path):
    archive = Archive(path)
    assert archive.find("a.txt") == "x/a.txt"
    assert archive.find("y/a.txt") == "x/y/a.txt"
    assert archive.find("/a.txt".lstrip("/")) == "x/a.txt"
    assert archive.find("ba.txt") is None
    assert archive.find("other.txt") is None


def test_a_path_means_the_one_file_that_ends_in_it(path):
    archive = Archive(path)
    assert archive.locate("./x\\a.txt") == "x/a.txt"
    # The whole name is meant before the end of another.
    assert archive.locate("x/a.txt") == "x/a.txt"
    assert archive.locate("y/a.txt") == "x/y/a.txt"
    assert archive.locate("b.txt") == "b.txt"
    for other in ("z/a.txt", "c.txt", "../b.txt", "/b.txt", "", "."):
        assert archive.locate(other) is None
    with pytest.raises(ValueError, match="'a.txt', which may be 'x/a.txt' or 'x/y/a.txt'"):
        archive.locate("a.txt")


def test_a_path_may_begin_above_the_archive(tmp_path):
    folder = tmp_path / "photographs"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "a.txt").write_text("")
    (tmp_path / "link").symlink_to(folder)
    archive = Archive(tmp_path / "link")
    for path in (f"{folder}/x/a.txt", f"{tmp_path}/link/x/a.txt", "photographs/x/a.txt"):
        assert archive.locate(path) == "x/a.txt"
    assert archive.locate("/photographs/x/a.txt") is None
    assert archive.locate("others/x/a.txt") is None


def test_missing_file_is_an_os_error(path):
    with pytest.raises(OSError):
        Archive(path).read("absent.txt")


def test_archive_survives_pickling(path):
    assert pickle.loads(pickle.dumps(Archive(path))).read("b.txt") == b"three"


def test_missing_path_names_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        Archive(tmp_path / "absent")


def test_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "images.zip").write_bytes(b"<html>404</html>")
    with pytest.raises(OSError, match="not a sound zip"):
        Archive(tmp_path / "images.zip")


def test_truncated_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as file:
        file.writestr("a.txt", b"x" * 1000)
    data = (tmp_path / "files.zip").read_bytes()
    (tmp_path / "files.zip").write_bytes(data[:500])
    with pytest.raises(OSError, match="not a sound zip"):
        Archive(tmp_path / "files.zip")


def test_damaged_member_is_an_os_error_and_the_others_stay_readable(tmp_path):
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as file:
        file.writestr("a.txt", b"x" * 1000)
        file.writestr("b.txt", b"y" * 1000)
    data = bytearray((tmp_path / "files.zip").read_bytes())
    data[data.index(b"xxxx") + 10] = 0
    (tmp_path / "files.zip").write_bytes(data)
    archive = Archive(tmp_path / "files.zip")
    with pytest.raises(OSError, match="a.txt"):
        archive.read("a.txt")
    assert archive.read("b.txt") == b"y" * 1000


def test_a_file_a_directory_and_a_zip_give_the_same(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text('{"x": 1}')
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("annotations/a.json", '{"x": 1}')
        file.writestr("annotations/b.txt", "")
    for path in (tmp_path / "deep" / "a.json", tmp_path, tmp_path / "all.zip"):
        (found,) = AnnotationFile.find(path, r".*\.json")
        assert found.name == "a.json" and found.sha256 is None
        assert found.read_json() == {"x": 1}
        assert found.sha256 == hashlib.sha256(b'{"x": 1}').hexdigest()


def test_a_file_of_another_name_is_not_taken(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert AnnotationFile.find(tmp_path / "a.json", r"b\.json") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"x": ', "does not parse"), (b"\xff{}", "does not parse"), (b"[1]", "a list")],
)
def test_what_is_no_json_object_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    (found,) = AnnotationFile.find(tmp_path, r"a\.json")
    with pytest.raises(ValueError, match=f"a.json.*{message}"):
        found.read_json()
