"""numpy's files of Python's objects: what is data is read, and nothing is run."""

import os
import pathlib
import pickle

import numpy as np
import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.metrics.object_file import read_objects


def _pickled_npy(path, pickled):
    """Writes a `.npy` file of objects that holds a pickle, bytes."""
    with open(path, "wb") as file:
        header = {"shape": (1,), "fortran_order": False, "descr": "|O"}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(pickled)


_CONTENT = {
    "words": [["a", "dög"], ("two",), "犬"],
    "numbers": [1, -2.5, True, None, 10**30],
    "scalars": [np.float64(2.5), np.int16(-3)],
    "vector": np.arange(6, dtype=">f4").reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "bytes": b"\xff\x00",
}


@pytest.mark.parametrize("protocol", range(5))
def test_objects_are_data_whatever_the_protocol(tmp_path, protocol):
    shared = [3]
    array = np.array([_CONTENT, {"one": shared, "two": shared}], dtype=object)
    _pickled_npy(tmp_path / "a.npy", pickle.dumps(array, protocol))
    content, other = read_objects(tmp_path / "a.npy")
    for name in ("vector", "columns"):
        np.testing.assert_array_equal(content.pop(name), _CONTENT[name])
    assert content == {key: _CONTENT[key] for key in content} and len(content) == 4
    assert other == {"one": [3], "two": [3]}


def test_a_dict_that_numpy_saved_is_one(tmp_path):
    np.save(tmp_path / "a.npy", {5: np.ones(3)})
    (found,) = read_objects(tmp_path / "a.npy").items()
    assert found[0] == 5 and found[1].tolist() == [1, 1, 1]


def test_a_list_of_python_2_has_texts(tmp_path):
    # As Python 2.7 and numpy 1.9 wrote np.array([{'id': 5, 's': 'd\xc3\xb6g'}]), with bytes as str.
    _pickled_npy(
        tmp_path / "a.npy",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R"
        b"(K\x01K\x01\x85cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff"
        b"\xff\xff\xffK?tb\x89]}(U\x02idK\x05U\x01sU\x04d\xc3\xb6guatb.",
    )
    assert read_objects(tmp_path / "a.npy") == [{"id": 5, "s": "dög"}]


class _Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "hostile",
    [
        _Runs(os.mkdir, "{folder}/made"),
        _Runs(eval, "__import__('os').mkdir('{folder}/made')"),
        _Runs(getattr, os.mkdir, "__call__"),
        _Runs(np.load, "{folder}/other.npy"),
        _Runs(np.frombuffer, b"1234"),
        pathlib.PurePosixPath("a"),
        {1, 2},
    ],
)
def test_a_pickle_that_asks_for_more_than_data_is_refused_and_not_run(tmp_path, protocol, hostile):
    if isinstance(hostile, _Runs):
        function, arguments = hostile.call
        arguments = [a.format(folder=tmp_path) if isinstance(a, str) else a for a in arguments]
        hostile = _Runs(function, *arguments)
    _pickled_npy(tmp_path / "a.npy", pickle.dumps(np.array([hostile], object), protocol))
    with pytest.raises(VsaTfError, match="texts and numbers in .*a.npy, .* Received: a pickle"):
        read_objects(tmp_path / "a.npy")
    assert os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.parametrize(
    "pickled",
    [
        # A class of ours that is given another method, a dtype that says its objects are numbers
        # (numpy's own would take bytes for addresses), itself within itself, and no pickle.
        b"c_codecs\nencode\n(N}(U\x05valueU\x01xutb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(t)R(K\x01K\x01\x85cnumpy\ndtype\n(U\x02O8tR(K\x03U\x01|"
        b"NNNK\x08K\x08K\x00tb\x89U\x08AAAAAAAAtb.",
        b"]q\x00h\x00a.",
        b"persistent\nPabc\n.",
        b"\x82\x01.",
        # Places and lengths of gigabytes, as one wrong bit makes them.
        b"]r\xff\xff\xff\x7fh\x05a.",
        b"\x80\x05\x96\x00\x00\x00\x00\x08\x00\x00\x00.",
        b"\x80\x04\x8e\x00\x00\x00\x00\x08\x00\x00\x00a.",
        b"cnumpy\ndtype\n.",
        b"",
        b"no pickle",
    ],
)
def test_damaged_and_crooked_pickles_are_refused(tmp_path, pickled):
    _pickled_npy(tmp_path / "a.npy", pickled)
    with pytest.raises(VsaTfError, match="Expected dicts, lists, texts and numbers in"):
        read_objects(tmp_path / "a.npy")
    _pickled_npy(tmp_path / "b.npy", pickle.dumps(np.array([{"a": b"b"}], object), 0))
    assert read_objects(tmp_path / "b.npy") == [{"a": b"b"}]


def test_texts_of_characters_that_there_are_not_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"caption": np.str_("\U0010abcd")}], object))
    data = (tmp_path / "a.npy").read_bytes()
    assert read_objects(tmp_path / "a.npy") == [{"caption": "\U0010abcd"}]
    changed = data.replace(b"\xcd\xab\x10\x00", b"\xcd\xab\x11\x00")
    assert changed != data
    (tmp_path / "a.npy").write_bytes(changed)
    with pytest.raises(VsaTfError, match="characters that there are not"):
        read_objects(tmp_path / "a.npy")


def test_an_array_of_numbers_is_no_array_of_objects(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(VsaTfError, match="Received: an array of numbers"):
        read_objects(tmp_path / "a.npy")
