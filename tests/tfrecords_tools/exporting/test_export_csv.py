import csv

import numpy as np
from exported_records import export_as, records_of
from mini_flickr8k import files, jpeg, write_directories
from written_records import SETTINGS, write

from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr8k

# Commas, quotes, line ends, other alphabets; two files of one name.
ROWS = (
    ("x/a.jpg", "A dog, wet.", "train"),
    ("x/a.jpg", 'The "dog"\nruns', "train"),
    ("y/a.jpg", "Ein Hund\rläuft", "train"),
    ("y/b.png", "犬", "test_2"),
)


def write_table(tmp_path):
    for seed, path in enumerate(sorted({row[0] for row in ROWS})):
        (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / path).write_bytes(jpeg(seed=seed))
    with open(tmp_path / "table.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(ROWS)
    return CsvCaptions(tmp_path / "images", tmp_path / "table.csv")


def test_captions_splits_pixels_and_features_come_back(tmp_path):
    write(write_table(tmp_path), tmp_path / "first")
    folder = export_as("csv", tmp_path / "first", tmp_path / "csv", "--splits=train,test_2")
    write(CsvCaptions(folder / "images", folder / "captions.csv"), tmp_path / "again")
    first, again = records_of(tmp_path / "first"), records_of(tmp_path / "again")
    assert {split: len(own) for split, own in first.items()} == {"train": 2, "test_2": 1}
    for split, records in first.items():
        for before, after in zip(records, again[split], strict=True):
            assert after.captions == before.captions
            assert after.encoded_image == before.encoded_image
            np.testing.assert_array_equal(after.region_features, before.region_features)
    written = (folder / "images").rglob("*.jpg")
    assert sorted(str(path.relative_to(folder / "images")) for path in written) == [
        "x/a.jpg",
        "y/a.jpg",
        "y/b.jpg",
    ]


def test_paths_of_a_table_without_stored_images_are_those_it_was(tmp_path, capsys):
    import dataclasses

    source = write_table(tmp_path)
    write(source, tmp_path / "records", dataclasses.replace(SETTINGS, store_images=False))
    folder = export_as("csv", tmp_path / "records", tmp_path / "csv", "--splits=train,test_2")
    with open(folder / "captions.csv", encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [("path", "caption", "split"), *ROWS]
    assert "3 images: the records do not hold them" in capsys.readouterr().out


def test_what_a_table_has_no_place_for_is_said(tmp_path, capsys):
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", files()))
    write(source, tmp_path / "records", splits=["train"])
    export_as("csv", tmp_path / "records", tmp_path / "csv")
    printed = capsys.readouterr().out
    # 101 has three boxes, 102 one, 103 none.
    for line in ("4 annotated boxes", "8 phrases", "features of 5 numbers"):
        assert f"not in csv: {line}\n" in printed
