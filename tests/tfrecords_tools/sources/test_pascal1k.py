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
        "A bicycle in picture 5.",
        "Picture 5 shows a bicycle & more.",
    )


def test_of_ten_photographs_one_is_dev_and_one_is_test():
    examples = read_all(Pascal1k(FOLDER / "dataset", PAGE))
    assert {split: len(own) for split, own in examples.items()} == {"train": 8, "dev": 1, "test": 1}
    assert list(examples["dev"]) == ["2008_000803"] and list(examples["test"]) == ["2008_000804"]


@pytest.mark.parametrize("captions", ["pascal-sentences.html", "sentence"])
def test_a_missing_photograph_is_skipped_and_moves_no_other(tmp_path, captions):
    folder = copy_sample("pascal1k", tmp_path)
    (folder / "dataset" / "aeroplane" / "2008_000700.jpg").unlink()
    source = Pascal1k(folder / "dataset", folder / captions)
    assert list(read_all(source)["dev"]) == ["2008_000803"]
    assert skips(source) == [("train", "2008_000700", "2008_000700.jpg is not in --images")]


def test_photographs_without_captions_are_listed(tmp_path):
    folder = copy_sample("pascal1k", tmp_path)
    photograph = folder / "dataset" / "aeroplane" / "2008_000701.jpg"
    photograph.with_name("2009_000001.JPG").write_bytes(photograph.read_bytes())
    (folder / "sentence" / "aeroplane" / "2008_000701.txt").unlink()
    found = skips(Pascal1k(folder / "dataset", folder / "sentence"))
    assert found == [
        ("", "2008_000701.jpg", "a photograph without captions"),
        ("", "2009_000001.JPG", "a photograph without captions"),
    ]


def test_of_two_files_of_one_name_the_first_is_taken(tmp_path):
    folder = copy_sample("pascal1k", tmp_path)
    (folder / "sentence" / "bicycle" / "2008_000702.txt").write_text("Another.\n")
    source = Pascal1k(folder / "dataset", folder / "sentence")
    expected = read_all(Pascal1k(FOLDER / "dataset", FOLDER / "sentence"))
    assert read_all(source)["train"]["2008_000702"].captions == (
        expected["train"]["2008_000702"].captions
    )
    assert skips(source) == [("", "2008_000702.txt", "a second file of this name")]


def test_photographs_and_texts_may_lie_in_one_directory(tmp_path):
    folder = copy_sample("pascal1k", tmp_path)
    (folder / "pascal-sentences.html").unlink()
    (folder / "README.txt").write_text("Read me.\n")
    (folder / "dataset" / "bicycle" / "2008_000800.jpg").unlink()
    source = Pascal1k(folder, folder)
    assert list(read_all(source)["dev"]) == ["2008_000803"]
    assert skips(source) == [
        ("", "README.txt", "captions of no photograph"),
        ("train", "2008_000800", "2008_000800.jpg is not in --images"),
    ]


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
        ("train", "2008_000700#0"),
        ("train", "2008_000800"),
        ("train", "2008_999999"),
    ]
    assert "not UTF-8" in found[0][2]


def test_a_page_of_other_photographs_is_one_line(tmp_path):
    page = PAGE.read_text().replace(".jpg", "\n.jpg")
    (tmp_path / "page.html").write_text(page)
    with pytest.raises(ValueError, match="none of them") as raised:
        Pascal1k(FOLDER / "dataset", tmp_path / "page.html")
    assert "\n" not in str(raised.value)


def test_missing_files_say_what_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match="vision.cs.uiuc.edu/pascal-sentences"):
        Pascal1k(FOLDER / "dataset", tmp_path)
    with pytest.raises(ValueError, match="example .2008_000700.jpg"):
        Pascal1k(tmp_path, PAGE)
