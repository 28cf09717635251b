import errno
import os

import keras
import numpy as np
import pytest

from vsa_tf.model_dir.checkpoint import CheckpointError, restore_checkpoint, save_checkpoint


def _variables(scale=1.0, size=3, name="kernel"):
    """More than ten, so that their order is not that of their names."""
    return [
        keras.Variable(scale * (index + np.arange(size, dtype="float32")), name=f"{name}")
        for index in range(12)
    ] + [keras.Variable(int(5 * scale), dtype="int32", name="counter", trainable=False)]


def _values(variables):
    return [np.array(variable) for variable in variables]


def _assert_equal(variables, values):
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_variables_and_progress_round_trip(tmp_path):
    saved, progress = _variables(2.0), {"steps": 7, "best": None, "history": [{"loss": 0.1}]}
    save_checkpoint(tmp_path / "a.npz", saved, progress)
    restored = _variables()
    assert restore_checkpoint(tmp_path / "a.npz", restored) == progress
    _assert_equal(restored, _values(saved))
    assert restored[-1].dtype == "int32"


def test_an_optimizer_goes_on_where_it_was(tmp_path):
    def run(optimizer, variable, steps):
        for _ in range(steps):
            optimizer.apply([keras.ops.sin(variable.value)], [variable])

    def start():
        variable = keras.Variable([1.0, 2.0], name="kernel")
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build([variable])
        return optimizer, variable

    optimizer, variable = start()
    run(optimizer, variable, 3)
    save_checkpoint(tmp_path / "a.npz", [variable] + optimizer.variables, {})
    run(optimizer, variable, 2)
    other_optimizer, other = start()
    restore_checkpoint(tmp_path / "a.npz", [other] + other_optimizer.variables)
    run(other_optimizer, other, 2)
    np.testing.assert_array_equal(other, variable)


def test_names_that_keras_numbers_anew_are_the_same_model(tmp_path):
    def weights():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        # An optimiser's variables have the layer's name within theirs.
        optimizer = keras.optimizers.SGD(momentum=0.9)
        optimizer.build(layer.weights)
        return layer.weights + optimizer.variables

    first, second = weights(), weights()
    for own, other in ((first[0], second[0]), (first[-1], second[-1])):
        assert own.path != other.path
    save_checkpoint(tmp_path / "a.npz", first, {})
    restore_checkpoint(tmp_path / "a.npz", second)
    _assert_equal(second, _values(first))


def _full_disk(file_descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    save_checkpoint(path, _variables(), {"steps": 1})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, _variables(3.0), {"steps": 2})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_killed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(source, target):
        raise Killed

    path = tmp_path / "a.npz"
    save_checkpoint(path, _variables(), {"steps": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        with pytest.raises(Killed):
            save_checkpoint(path, _variables(3.0), {"steps": 2})
    restored = _variables(5.0)
    assert restore_checkpoint(path, restored) == {"steps": 1}
    _assert_equal(restored, _values(_variables()))
    # The next write is not in the way of what was left.
    save_checkpoint(path, _variables(3.0), {"steps": 2})
    assert restore_checkpoint(path, restored) == {"steps": 2}
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-10],
        lambda content: b"not a zip at all",
        lambda content: content[:200] + bytes([content[200] ^ 255]) + content[201:],
    ],
    ids=["empty", "half", "end missing", "text", "flipped byte"],
)
def test_a_corrupt_file_is_refused_and_changes_nothing(tmp_path, damage):
    path = tmp_path / "a.npz"
    save_checkpoint(path, _variables(2.0), {})
    path.write_bytes(damage(path.read_bytes()))
    variables = _variables()
    with pytest.raises(CheckpointError, match="a.npz cannot be read as a checkpoint"):
        restore_checkpoint(path, variables)
    _assert_equal(variables, _values(_variables()))


def test_a_file_of_arrays_that_is_no_checkpoint_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", weights=np.zeros(3))
    with pytest.raises(CheckpointError, match="a.npz"):
        restore_checkpoint(tmp_path / "a.npz", _variables())


@pytest.mark.parametrize("other", [_variables(size=4), _variables(name="bias"), _variables()[:5]])
def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(tmp_path, other):
    save_checkpoint(tmp_path / "a.npz", other, {})
    variables = _variables(3.0)
    with pytest.raises(CheckpointError, match="Expected .*Received.*another model"):
        restore_checkpoint(tmp_path / "a.npz", variables)
    _assert_equal(variables, _values(_variables(3.0)))
