import os

import pytest

from tfrecords_tools.exporting.whole_directory import whole_directory


def test_directory_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "out"
    with whole_directory(f"{path}/") as folder:
        (folder / "a").write_text("a")
        assert not path.exists()
    assert [item.name for item in path.iterdir()] == ["a"]
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_nothing_is_left_of_one_that_failed(tmp_path):
    with pytest.raises(OSError, match="full"):
        with whole_directory(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise OSError("full")
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    (tmp_path / ".out.partial" / "images").mkdir(parents=True)
    (tmp_path / ".out.partial" / "half").write_text("half")
    (tmp_path / "out").mkdir()
    with whole_directory(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
    assert os.listdir(tmp_path / "out") == ["a"] and os.listdir(tmp_path) == ["out"]


def test_what_is_there_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("out", "file"):
        with pytest.raises(FileExistsError, match=f"empty or not there. Received: .*{name}"):
            with whole_directory(tmp_path / name):
                raise AssertionError("it was given to be filled")
    assert (tmp_path / "out" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"


def test_two_runs_do_not_fill_one_directory(tmp_path):
    with whole_directory(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        with pytest.raises(OSError, match="Another run is writing"):
            with whole_directory(tmp_path / "out"):
                raise AssertionError("it was given to be filled")
    assert os.listdir(tmp_path / "out") == ["a"]
