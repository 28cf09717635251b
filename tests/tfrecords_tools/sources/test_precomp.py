import pickle

import numpy as np
import pytest
from source_samples import SAMPLES, copy_sample, read_all, skips

from tfrecords_tools.sources.precomp import Precomp


def test_both_layouts_are_told_apart_within_one_set():
    source = Precomp(SAMPLES / "precomp")
    assert source.feature_size == 4
    assert source.layout == {"train": "captions", "dev": "images"}
    examples = read_all(source)
    assert list(examples["train"]) == ["train-000000", "train-000001"]
    second = examples["train"]["train-000001"]
    assert second.captions == tuple(f"second picture number {k} ." for k in range(5))
    assert second.read_image is None
    np.testing.assert_array_equal(second.read_features().features, [[5, 6, 7, 8]])
    np.testing.assert_array_equal(
        examples["dev"]["dev-000000"].read_features().features, [[9, 10, 11, 12]]
    )


@pytest.mark.parametrize("name", ["val", "validation"])
def test_other_names_of_dev_are_read_and_two_are_refused(tmp_path, name):
    folder = copy_sample("precomp", tmp_path)
    for end in ("ims.npy", "caps.txt"):
        (folder / f"dev_{end}").rename(folder / f"{name}_{end}")
    source = Precomp(folder)
    assert source.splits() == ("train", "dev") and source.layout["dev"] == "images"
    (example,) = read_all(source)["dev"].values()
    assert example.source_id == "dev-000000" and example.read_features().features[0, 0] == 9
    (folder / "dev_caps.txt").write_text("")
    with pytest.raises(ValueError, match=f"dev_ims.npy and {name}_ims.npy"):
        Precomp(folder)


def test_the_frame_of_regions_is_their_mean():
    (example,) = Precomp(SAMPLES / "precomp_regions").examples("test")
    # (1 + 3 + 5) / 3 and (2 + 6 + 4) / 3.
    np.testing.assert_array_equal(
        example.read_features().features, [[3, 4], [1, 2], [3, 6], [5, 4]]
    )


def test_an_example_sent_to_another_process_is_a_path_not_an_array():
    example = read_all(Precomp(SAMPLES / "precomp"))["dev"]["dev-000000"]
    data = pickle.dumps(example)
    assert np.float32([9, 10, 11, 12]).tobytes() not in data
    np.testing.assert_array_equal(
        pickle.loads(data).read_features().features, example.read_features().features
    )


@pytest.mark.parametrize("num_captions", [2, 9, 11, 49])
def test_counts_that_fit_no_layout_are_refused(tmp_path, num_captions):
    folder = copy_sample("precomp", tmp_path)
    (folder / "train_caps.txt").write_text("a dog\n" * num_captions)
    with pytest.raises(ValueError, match=f"10 rows and {num_captions} lines.*fit neither"):
        Precomp(folder)


def test_a_row_a_caption_without_repeated_rows_is_refused(tmp_path):
    folder = copy_sample("precomp", tmp_path)
    np.save(folder / "train_ims.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    with pytest.raises(ValueError, match="rows 0 to 4, which differ"):
        Precomp(folder)


def test_an_empty_line_is_a_caption_that_was_lost(tmp_path):
    folder = copy_sample("precomp", tmp_path)
    path = folder / "train_caps.txt"
    path.write_text(path.read_text().replace("first picture number 1 .", ""))
    source = Precomp(folder)
    assert len(read_all(source)["train"]["train-000000"].captions) == 4
    assert skips(source) == [("train", "train-000000#1", "the caption is empty")]


def test_sizes_that_differ_between_splits_are_refused(tmp_path):
    folder = copy_sample("precomp", tmp_path)
    np.save(folder / "dev_ims.npy", np.ones((1, 3), np.float32))
    with pytest.raises(ValueError, match="one size in all splits.*'train': 4, 'dev': 3"):
        Precomp(folder)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((10, 4), np.int64), "int64"),
        (np.ones(10, np.float32), r"float32 \[10\]"),
        (np.array([{}] * 10), "Received: an array of Python objects. Save it again"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, array, message):
    folder = copy_sample("precomp", tmp_path)
    np.save(folder / "train_ims.npy", array)
    with pytest.raises(ValueError, match=f"train_ims.npy.*{message}"):
        Precomp(folder)


def test_a_truncated_array_is_refused(tmp_path):
    path = copy_sample("precomp", tmp_path) / "train_ims.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="array in .*train_ims.npy.*cannot be read.*again"):
        Precomp(path.parent)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="f30k_precomp"):
        Precomp(tmp_path)
    folder = copy_sample("precomp", tmp_path)
    (folder / "dev_caps.txt").unlink()
    with pytest.raises(FileNotFoundError, match="dev_caps.txt beside the features"):
        Precomp(folder)
    with pytest.raises(FileNotFoundError, match="unpack them"):
        Precomp(folder / "train_ims.npy")
