import pytest
from source_samples import SAMPLES, copy_sample, read_all, skips

from tfrecords_tools.sources.iapr_tc12 import IaprTc12

FOLDER = SAMPLES / "iapr_tc12"


def test_sentences_between_semicolons_are_the_captions():
    source = IaprTc12(FOLDER, FOLDER)
    examples = read_all(source)
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["00/25", "01/1000"],
        "test": ["00/116"],
    }
    assert examples["train"]["00/25"].captions == (
        "a yellow building with white columns in the background",
        "two palm trees in front of the house",
        "cars are parking in front of the house",
    )
    assert examples["test"]["00/116"].filename == "116.jpg"
    assert skips(source) == []


def test_text_is_read_as_iso_8859_1():
    data = (FOLDER / "annotations_complete_eng" / "01" / "1000.eng").read_bytes()
    assert b"caf\xe9" in data
    cafe = read_all(IaprTc12(FOLDER, FOLDER))["train"]["01/1000"]
    assert cafe.captions[0] == "a waiter in a café at night"


def test_a_file_turned_into_utf_8_is_read_as_such(tmp_path):
    path = copy_sample("iapr_tc12", tmp_path) / "annotations_complete_eng" / "01" / "1000.eng"
    path.write_text(path.read_text("latin-1"), "utf-8")
    source = IaprTc12(tmp_path / "iapr_tc12", tmp_path / "iapr_tc12")
    assert read_all(source)["train"]["01/1000"].captions[0] == "a waiter in a café at night"


def test_complete_annotations_are_preferred_to_others(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    poorer = folder / "annotations" / "00" / "116.eng"
    poorer.parent.mkdir(parents=True)
    poorer.write_text("<DESCRIPTION>poor</DESCRIPTION>")
    example = read_all(IaprTc12(folder, folder))["test"]["00/116"]
    assert example.captions == ("a man and a woman in a pool",)


def test_bad_entries_are_skipped_and_listed(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    (folder / "iaprtc12_train_list.txt").write_text("images/00/25.jpg\n01/1000\n02/7\nnonsense\n")
    text = folder / "annotations_complete_eng" / "01" / "1000.eng"
    text.write_bytes(b"<DOC><TITLE>none</TITLE></DOC>")
    source = IaprTc12(folder, folder)
    assert list(read_all(source)["train"]) == ["00/25"]
    assert skips(source) == [
        ("train", "nonsense", "not FOLDER/NUMBER in iaprtc12_train_list.txt"),
        ("train", "01/1000", "a photograph without captions"),
        ("train", "02/7", "the photograph is not in --images"),
    ]


def test_photograph_in_two_splits_is_refused(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    (folder / "iaprtc12_test_list.txt").write_text("00/25\n")
    with pytest.raises(ValueError, match="00/25 in the lists of train and test"):
        IaprTc12(folder, folder)


def test_a_list_of_validation_is_dev(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    (folder / "iaprtc12_train_list.txt").write_text("00/25\n")
    (folder / "iaprtc12_validation_list.txt").write_text("01/1000\n")
    assert list(read_all(IaprTc12(folder, folder))["dev"]) == ["01/1000"]
    (folder / "iaprtc12_val_list.txt").write_text("01/1000\n")
    with pytest.raises(ValueError, match="one list of the split dev"):
        IaprTc12(folder, folder)


def test_missing_files_say_what_to_get(tmp_path):
    folder = copy_sample("iapr_tc12", tmp_path)
    with pytest.raises(ValueError, match="images/FOLDER/NUMBER.jpg"):
        IaprTc12(folder / "annotations_complete_eng", folder)
    for name in ("iaprtc12_train_list.txt", "iaprtc12_test_list.txt"):
        (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match="iaprtc12.20091111.tar.bz2"):
        IaprTc12(folder, folder)
    with pytest.raises(FileNotFoundError, match="iaprtc12.tgz"):
        IaprTc12(folder, folder / "images")
