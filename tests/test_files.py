import fcntl
import os
import re

import numpy as np
import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.files import (
    array_kind,
    json_text,
    partial_directory,
    read_arrays,
    read_sealed,
    sealed,
    write_arrays,
    write_json,
)


def test_arrays_come_back_to_the_last_bit(tmp_path):
    arrays = {
        "a": np.random.default_rng(0).normal(size=(3, 4)).T,
        "b": np.array([True, False]),
        "c": np.float64(0.1),
        "d": np.zeros((0, 2), np.float32),
    }
    write_arrays(tmp_path / "file.npz", "fruit", arrays)
    restored = read_arrays(tmp_path / "file.npz", "fruit")
    assert restored.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(restored[name], array)
        assert restored[name].dtype == np.asarray(array).dtype
    assert array_kind(tmp_path / "file.npz") == "fruit"
    assert [path.name for path in tmp_path.iterdir()] == ["file.npz"]


def test_another_kind_is_refused(tmp_path):
    write_arrays(tmp_path / "file.npz", "fruit", {})
    with pytest.raises(ValueError, match="file.npz to hold a tree. Received: a fruit"):
        read_arrays(tmp_path / "file.npz", "tree")


@pytest.mark.parametrize(
    "damage", ["empty", "text", "cut off", "no kind", "other kind", "array", "pickle"]
)
def test_other_files_are_refused(tmp_path, damage):
    path = tmp_path / "file.npz"
    write_arrays(path, "fruit", {"a": np.arange(1000)})
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("dog 1 2\n")
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "no kind":
        np.savez(path, a=np.zeros(3))
    elif damage == "other kind":
        np.savez(path, kind=np.zeros((20, 20)))
    elif damage == "array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    else:
        np.savez(path, kind=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="arrays that this project wrote.*file.npz"):
        read_arrays(path, "fruit")


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="[Oo]bject"):
        write_arrays(tmp_path / "file.npz", "fruit", {"a": np.array([{}], object)})
    assert not list(tmp_path.iterdir())


def test_sealed_json_comes_back_and_is_utf8(tmp_path):
    # Names of files that are not UTF-8, and of JSON, which can spell halves of characters.
    values = {"b": ["läuft", "\udcff", "\ud800"], "a": {"1": 0.1, "2": None}, "c": float("inf")}
    write_json(tmp_path / "file.json", sealed(values))
    assert read_sealed(tmp_path / "file.json") == values
    text = (tmp_path / "file.json").read_text("utf-8")
    assert '"läuft"' in text and '"\\udcff"' in text
    # Those of before have no checksum.
    (tmp_path / "file.json").write_text(json_text(values))
    assert read_sealed(tmp_path / "file.json") == values


def test_a_number_key_is_sealed_as_it_is_read(tmp_path):
    write_json(tmp_path / "file.json", sealed({2: "b", 10: "a"}))
    assert read_sealed(tmp_path / "file.json") == {"2": "b", "10": "a"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("7", "8"), "file.json is damaged: .*remove the entries"),
        (lambda text: text.replace('"seed"', '"size"'), "file.json is damaged"),
        (lambda text: text.replace('"content_sha256"', '"content_sha255"'), "is damaged"),
        (lambda text: text.replace('"sealed_by"', '"sealed_bx"'), "is damaged"),
        (lambda text: re.sub("ed_by.*sha", "", text, flags=re.DOTALL), "is damaged"),
        (lambda text: text.replace("}", ', "more": 1}'), "is damaged"),
        (lambda text: text[:-3], "Expected JSON in .*file.json"),
        (lambda text: "[]", "Expected a JSON object in .*file.json. Received: a list"),
    ],
)
def test_json_that_was_changed_is_refused(tmp_path, damage, message):
    path = tmp_path / "file.json"
    write_json(path, sealed({"seed": 7}))
    path.write_text(damage(path.read_text()))
    with pytest.raises(VsaTfError, match=message):
        read_sealed(path)


def test_a_partial_directory_is_renamed_or_removed(tmp_path):
    with partial_directory(tmp_path, "shard") as path:
        (path / "file").touch()
        path.rename(tmp_path / "shard-0")
    with pytest.raises(OSError, match="no room"), partial_directory(tmp_path, "shard") as path:
        (path / "file").touch()
        raise OSError("no room")
    assert [each.name for each in tmp_path.iterdir()] == ["shard-0"]


def test_what_a_killed_run_has_left_is_removed_and_what_another_writes_is_not(tmp_path):
    left, written = tmp_path / ".shard.1.partial", tmp_path / ".shard.2.partial"
    for path in (left, written):
        path.mkdir()
        (path / "file").touch()
    descriptor = os.open(written, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with partial_directory(tmp_path, "shard"):
            assert not left.exists() and (written / "file").exists()
    finally:
        os.close(descriptor)
