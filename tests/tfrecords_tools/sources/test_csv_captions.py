import zipfile

import pytest
from mini_flickr8k import jpeg

from tfrecords_tools.sources.csv_captions import CsvCaptions


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "more/c.jpg"):
        (folder / name).write_bytes(jpeg(seed=len(name)))
    return folder


def build(tmp_path, images, text):
    path = tmp_path / "captions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvCaptions(images, path)


def rows(source):
    return {
        split: [(example.source_id, example.captions) for example in source.examples(split)]
        for split in source.splits()
    }


def test_rows_of_one_path_are_captions_of_one_photograph(tmp_path, images):
    source = build(tmp_path, images, "b.jpg,A dog\nmore/c.jpg,A cat,dev\nb.jpg,A brown dog\n")
    assert rows(source) == {
        "train": [("b.jpg", ("A dog", "A brown dog"))],
        "dev": [("more/c.jpg", ("A cat",))],
    }
    (example,) = source.examples("dev")
    assert example.filename == "c.jpg" and example.read_image() == jpeg(seed=10)
    assert source.skipped == []


def test_header_orders_the_columns(tmp_path, images):
    source = build(
        tmp_path,
        images,
        '\ufeffsplit,Caption,path\r\ntest,"A dog, running",./a.jpg\r\n\r\n,Hi,b.jpg\r\n',
    )
    assert rows(source) == {"test": [("a.jpg", ("A dog, running",))], "train": [("b.jpg", ("Hi",))]}


def test_images_may_be_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as file:
        file.writestr("a.jpg", jpeg())
    source = build(tmp_path, tmp_path / "images.zip", "a.jpg,A dog\n")
    (example,) = source.examples("train")
    assert example.read_image() == jpeg()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"absent.jpg,A dog", "'absent.jpg' is not in --images"),
        (b"../images/a.jpg,A dog", "is not in --images"),
        (b"a.jpg", "1 columns"),
        (b"a.jpg,A dog, a cat, a bird", "4 columns"),
        (b"a.jpg,A dog,tr/ain", "Received: 'tr/ain'"),
        (b"a.jpg,", "the caption is empty"),
        (b"a.jpg,caf\xe9", "the caption is not UTF-8"),
        (b"\xe9.jpg,A dog", "is not in --images"),
        (b"a.jpg," + b"word " * 500, "500 words"),
        (b"b.jpg,A dog,dev", "already in split train"),
    ],
)
def test_unusable_row_is_skipped_and_listed(tmp_path, images, row, reason):
    source = build(tmp_path, images, b"b.jpg,A cat\n" + row + b"\nmore/c.jpg,A bird\n")
    assert rows(source) == {"train": [("b.jpg", ("A cat",)), ("more/c.jpg", ("A bird",))]}
    (skip,) = source.skipped
    assert skip.source_id == "line 2" and reason in skip.reason


def test_captions_are_numbered_by_the_rows_of_their_photographs(tmp_path, images):
    table = "a.jpg,A cat\nb.jpg,\na.jpg,\nb.jpg,A dog\na.jpg,A bird\nb.jpg,A cow,dev\nb.jpg,A hen\n"
    source = build(tmp_path, images, table)
    numbers = [source.caption_numbers(example) for example in source.examples("train")]
    assert numbers == [[0, 2], [1, 3]]


def test_table_without_usable_row_is_refused(tmp_path, images):
    with pytest.raises(ValueError, match="'x.jpg' is not in --images"):
        build(tmp_path, images, "path,caption\nx.jpg,A dog\n")
    with pytest.raises(ValueError, match="no usable row"):
        build(tmp_path, images, "")


def test_table_may_lie_in_a_directory_if_it_is_the_only_one(tmp_path, images):
    (tmp_path / "tables").mkdir()
    with pytest.raises(FileNotFoundError, match="holds 0"):
        CsvCaptions(images, tmp_path / "tables")
    (tmp_path / "tables" / "one.csv").write_text("a.jpg,A dog\n")
    assert rows(CsvCaptions(images, tmp_path / "tables")) == {"train": [("a.jpg", ("A dog",))]}
