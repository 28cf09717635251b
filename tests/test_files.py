import numpy as np
import pytest

from vsa_tf.files import array_kind, read_arrays, write_arrays


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


@pytest.mark.parametrize("damage", ["empty", "text", "cut off", "no kind", "array", "pickle"])
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
