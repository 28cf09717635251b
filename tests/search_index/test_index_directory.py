import pytest

from vsa_tf.program import ProgramError
from vsa_tf.search_index.index_manifest import IndexManifest


def test_what_was_saved_is_loaded(tmp_path):
    manifest = IndexManifest({"server": "h:1"}, "max_sum", "float16", {"images": [0.5, -1.25]})
    manifest.save(tmp_path)
    assert IndexManifest.load(tmp_path) == manifest


def test_a_directory_without_one_has_none(tmp_path):
    assert IndexManifest.load(tmp_path) is None
    assert IndexManifest.load(tmp_path / "nowhere") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\x00"])
def test_a_damaged_one_is_refused(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ProgramError, match="no index that can be read"):
        IndexManifest.load(tmp_path)
