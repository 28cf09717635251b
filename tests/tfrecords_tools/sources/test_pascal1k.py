import pytest
from source_samples import SAMPLES, copy_sample, read_all, skips

from tfrecords_tools.sources.pascal1k import Pascal1k

FOLDER = SAMPLES / "pascal1k"
PAGE = FOLDER / "pascal-sentences.html"


def test_the_page_and_the_text_files_give_the_same():
    by_page = read_all(Pascal1k(FOLDER / "dataset", PAGE))
    by_text = read_all(Pascal1k(FOLDER / "dataset", FOLDER / "sentence"))
    captions = [
        {split: {key: own.captions for key, own in rows.items()} for split, rows in every.items()}
        for every in (by_page, by_text)
    ]
    assert captions[0] == captions[1]
    # "&amp;" in the page.
    assert captions[0]["train"]["2008_000800"] == (
        "A bicycle in picture 5.", "Picture 5 shows a bicycle & more.",
    )


def test_of_ten_photographs_one_is_dev_and_one_is_test():
    examples = read_all(Pascal1k(FOLDER / "dataset", PAGE))
    assert {split: len(own) for split, own in examples.items()} == {
        "train": 8, "dev": 1, "test": 1,
    }
    assert list(examples["dev"]) == ["2008_000803"] and list(examples["test"]) == ["2008_000804"]


def test_a_missing_photograph_is_skipped_and_moves_no_other(tmp_path):
    folder = copy_sample("pascal1k", tmp_path)
    (folder / "dataset" / "aeroplane" / "2008_000700.jpg").unlink()
    source = Pascal1k(folder / "dataset", folder / "pascal-sentences.html")
    assert list(read_all(source)["dev"]) == ["2008_000803"]
    assert skips(source) == [("train", "2008_000700", "2008_000700.jpg is not in --images")]


def test_pictures_of_the_page_itself_are_no_photographs(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="logo.gif">' + PAGE.read_text())
    source = Pascal1k(FOLDER / "dataset", page)
    assert sum(map(len, read_all(source).values())) == 10 and skips(source) == []


def test_bad_captions_are_skipped_and_listed(tmp_path):
    folder = copy_sample("pascal1k", tmp_path)
    (folder / "sentence" / "aeroplane" / "2008_000700.txt").write_bytes(b"caf\xe9\nA plane .\n")
    (folder / "sentence" / "bicycle" / "2008_000800.txt").write_bytes(b"\n")
    (folder / "sentence" / "bicycle" / "2008_999999.txt").write_bytes(b"A bicycle .\n")
    source = Pascal1k(folder / "dataset", folder / "sentence")
    assert read_all(source)["train"]["2008_000700"].captions == ("A plane .",)
    found = skips(source)
    assert [row[:2] for row in found] == [
        ("", "2008_999999.txt"), ("train", "2008_000700#0"), ("train", "2008_000800"),
    ]
    assert "not UTF-8" in found[1][2]


def test_missing_files_say_what_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match="vision.cs.uiuc.edu/pascal-sentences"):
        Pascal1k(FOLDER / "dataset", tmp_path)
    with pytest.raises(ValueError, match="example 2008_000700.jpg"):
        Pascal1k(tmp_path, PAGE)
