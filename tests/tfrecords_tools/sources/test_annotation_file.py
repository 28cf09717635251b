import hashlib
import zipfile

import pytest

from tfrecords_tools.sources.annotation_file import AnnotationFile


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
