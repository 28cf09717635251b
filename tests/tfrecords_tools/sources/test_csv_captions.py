import json
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
    with pytest.raises(ValueError, match="'C.JPG' is not in --images .it has 'more/c.jpg'.*"):
        build(tmp_path, images, "path,caption\nC.JPG,A dog\n")
    with pytest.raises(ValueError, match="no usable row"):
        build(tmp_path, images, "")


def test_table_may_lie_in_a_directory_if_it_is_the_only_one(tmp_path, images):
    (tmp_path / "tables").mkdir()
    with pytest.raises(FileNotFoundError, match="holds 0"):
        CsvCaptions(images, tmp_path / "tables")
    (tmp_path / "tables" / "one.csv").write_text("a.jpg,A dog\n")
    assert rows(CsvCaptions(images, tmp_path / "tables")) == {"train": [("a.jpg", ("A dog",))]}


def many(tmp_path, count):
    """Writes photographs `0.jpg` on; returns their folder."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(b"")
    return folder


def table(count, end=""):
    return "".join(
        f"{number}.jpg,A dog runs{end}\n{number}.jpg,A cat{end}\n" for number in range(count)
    )


class TestSplits:
    def test_without_any_some_photographs_are_held_out(self, tmp_path):
        source = build(tmp_path, many(tmp_path, 20), table(20))
        assert source.splits() == ("train", "dev", "test")
        counts = {split: len(list(source.examples(split))) for split in source.splits()}
        assert counts == {"train": 16, "dev": 2, "test": 2}
        # Whole photographs.
        assert all(len(own.captions) == 2 for split in counts for own in source.examples(split))
        (note,) = [note for note in source.split_notes if "held out" in note]
        assert "2 are held out for dev and 2 for test, 16 are train (--holdout=0.1,0.1)" in note
        # Records of other shares are other records.
        assert source.checksums()["holdout"] == "0.1,0.1"

    def test_the_shares_can_be_chosen(self, tmp_path):
        images = many(tmp_path, 20)
        (tmp_path / "a.csv").write_text(table(20))
        source = CsvCaptions(images, tmp_path / "a.csv", holdout=(0.25, 0))
        assert {split: len(list(source.examples(split))) for split in source.splits()} == {
            "train": 15,
            "dev": 5,
        }
        source = CsvCaptions(images, tmp_path / "a.csv", holdout=(0, 0))
        assert source.splits() == ("train",) and "holdout" not in source.checksums()

    def test_rows_without_one_are_train_where_others_have_one(self, tmp_path):
        source = build(tmp_path, many(tmp_path, 20), table(19) + "19.jpg,A dog,val\n")
        assert {split: len(list(source.examples(split))) for split in source.splits()} == {
            "train": 19,
            "dev": 1,
        }

    def test_a_hold_out_that_is_asked_for_is_of_those_without_one(self, tmp_path):
        images = many(tmp_path, 20)
        (tmp_path / "a.csv").write_text(table(10, ",test") + table(20)[len(table(10)) :])
        source = CsvCaptions(images, tmp_path / "a.csv", holdout=(0.2, 0))
        assert {split: len(list(source.examples(split))) for split in source.splits()} == {
            "train": 8,
            "dev": 2,
            "test": 10,
        }
        (tmp_path / "a.csv").write_text(table(20, ",train"))
        with pytest.raises(ValueError, match="every photograph has a split. Received: 0.2,0"):
            CsvCaptions(images, tmp_path / "a.csv", holdout=(0.2, 0))

    @pytest.mark.parametrize("name", ["val", "validation", "VAL", "Dev"])
    def test_val_and_validation_are_dev(self, tmp_path, images, name):
        source = build(tmp_path, images, f"a.jpg,A dog,Train\nb.jpg,A cat,{name}\n")
        assert source.splits() == ("train", "dev")

    def test_the_end_of_a_caption_is_no_split(self, tmp_path, images):
        for header in ("", "path,caption,split\n"):
            source = build(tmp_path, images, f"{header}a.jpg,A dog, smiling\nb.jpg,A cat,train\n")
            assert rows(source) == {"train": [("b.jpg", ("A cat",))]}
            (skip,) = source.skipped
            assert "'smiling' (a caption with commas needs quotes)" in skip.reason

    def test_a_column_may_name_any_split_of_several_photographs(self, tmp_path, images):
        text = "path,caption,split\na.jpg,A dog,odd\nb.jpg,A cat,odd\nmore/c.jpg,A cow,test_2\n"
        assert build(tmp_path, images, text).splits() == ("odd", "test_2")

    def test_names_of_files_tell_the_splits_of_tables_that_do_not(self, tmp_path, images):
        folder = tmp_path / "tables"
        folder.mkdir()
        (folder / "captions_train.csv").write_text("a.jpg,A dog\n")
        (folder / "captions_val.jsonl").write_text('{"path": "b.jpg", "caption": "A cat"}\n')
        assert rows(CsvCaptions(images, folder)) == {
            "train": [("a.jpg", ("A dog",))],
            "dev": [("b.jpg", ("A cat",))],
        }
        (folder / "captions_val.jsonl").unlink()
        (folder / "test.csv").write_text("b.jpg,A cat\n")
        assert CsvCaptions(images, [folder / "test.csv"]).splits() == ("test",)

    def test_a_table_of_train_alone_is_divided(self, tmp_path):
        images = many(tmp_path, 20)
        (tmp_path / "train.csv").write_text(table(20))
        assert CsvCaptions(images, tmp_path / "train.csv").splits() == ("train", "dev", "test")


class TestPaths:
    def test_absolute_ones_in_the_images_are_read(self, tmp_path, images):
        source = build(tmp_path, images, f"{images}/more/c.jpg,A cat\n{tmp_path}/a.jpg,A dog\n")
        assert rows(source) == {"train": [("more/c.jpg", ("A cat",))]}
        assert f"'{tmp_path}/a.jpg' is not in --images" in source.skipped[0].reason

    def test_those_beside_the_table_are_meant_before_others(self, tmp_path):
        for split in ("train", "test"):
            folder = tmp_path / "images" / split
            folder.mkdir(parents=True)
            (folder / "0001.png").write_bytes(split.encode())
            (folder / "metadata.jsonl").write_text(
                json.dumps({"file_name": "0001.png", "text": f"A {split}"})
            )
        source = CsvCaptions(tmp_path / "images", tmp_path / "images")
        assert rows(source) == {
            "train": [("train/0001.png", ("A train",))],
            "test": [("test/0001.png", ("A test",))],
        }
        (tmp_path / "images" / "0001.png").write_bytes(b"")
        with pytest.raises(ValueError, match="may be '0001.png' or 'test/0001.png'"):
            CsvCaptions(tmp_path / "images", tmp_path / "images")


class TestNotes:
    def notes(self, source, *words):
        notes = *source.notes, *source.split_notes
        return [note for note in notes if all(word in note for word in words)]

    def test_two_files_that_disagree_are_one_line(self, tmp_path, images):
        first, second = tmp_path / "first.csv", tmp_path / "second.csv"
        first.write_text("a.jpg,A dog,train\nb.jpg,A cat,train\n")
        second.write_text("a.jpg,A wet dog,test\nb.jpg,A cat sits,test\nb.jpg,A cat lies\n")
        source = CsvCaptions(images, [first, second])
        assert rows(source)["train"] == [("a.jpg", ("A dog",)), ("b.jpg", ("A cat", "A cat lies"))]
        (note,) = self.notes(source, "by another file")
        assert "2, first a.jpg, train in first.csv and test in second.csv" in note
        assert [skip.source_id for skip in source.skipped] == [
            f"second.csv line {number}" for number in (1, 2)
        ]

    def test_a_photograph_in_two_splits_is_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "a.jpg,A dog,train\na.jpg,A wet dog,dev\n")
        assert self.notes(source, "in two splits: 1, first a.jpg, train", "and dev")

    def test_captions_of_one_word_are_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "a.jpg,dog\nb.jpg,cat\nb.jpg,A cat\n")
        assert self.notes(source, "captions of one word: 2 of 3, first line 1: 'dog'")

    def test_captions_that_are_probably_missing_are_skipped_in_one_line(self, tmp_path, images):
        lines = ["NaN", "null", "None", "A cat sits on null and None"]
        source = build(tmp_path, images, "".join(f"a.jpg,{line}\n" for line in lines))
        assert rows(source) == {"train": [("a.jpg", (lines[-1],))]}
        assert self.notes(
            source, "rows left out: 3, first line 1: 'a.jpg': the caption is probably missing"
        )
        assert [skip.source_id for skip in source.skipped] == ["line 1", "line 2", "line 3"]

    def test_few_photographs_are_one_line(self, tmp_path):
        source = build(tmp_path, many(tmp_path, 20), table(20))
        assert self.notes(source, "photographs to train on are few: 16")

    def test_no_photograph_for_dev_is_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "a.jpg,A dog,train\n")
        assert self.notes(source, "no photograph is in dev")
        assert not self.notes(build(tmp_path, images, "a.jpg,A dog,test\n"), "dev")

    def test_lines_that_cannot_be_read_are_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "a.jpg,A dog, a cat, a cow\nb.jpg\nb.jpg,A cat\n")
        assert self.notes(source, "rows left out: 2, first line 1: Expected path,caption")

    def test_names_in_other_letters_are_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "A.JPG,A dog\nB.JPG,A cat\nx.jpg,A cow\nb.jpg,A hen\n")
        first = "first line 1: 'A.JPG' is not in --images (it has 'a.jpg')"
        assert self.notes(source, f"rows left out: 2, {first}")
        assert self.notes(source, "rows left out: 1, first line 3: 'x.jpg' is not in --images")

    def test_photographs_without_captions_are_one_line(self, tmp_path, images):
        source = build(tmp_path, images, "b.jpg,A dog\n")
        assert self.notes(source, "photographs of --images without captions: 2, first a.jpg")

    def test_what_is_in_order_has_no_line(self, tmp_path):
        text = table(100, ",train") + "100.jpg,A cat,dev\n"
        source = build(tmp_path, many(tmp_path, 101), text)
        assert [*source.notes, *source.split_notes] == []
