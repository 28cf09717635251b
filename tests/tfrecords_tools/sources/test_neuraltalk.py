import json
import pathlib
import pickle

import numpy as np
import pytest
from scipy.io import savemat
from source_samples import SAMPLES, change_json, copy_sample, read_all, skips

from tfrecords_tools.sources.neuraltalk import Neuraltalk

REAL = pathlib.Path(__file__).parents[4] / "shared" / "data" / "neuraltalk_example"


def test_the_column_of_imgid_goes_with_the_captions():
    source = Neuraltalk(SAMPLES / "neuraltalk")
    assert source.feature_size == 3
    examples = read_all(source)
    assert {split: list(own) for split, own in examples.items()} == {
        "train": ["1001", "1002"],
        "dev": ["1003"],
        "test": ["1004"],
    }
    kite = examples["dev"]["1003"]
    assert kite.captions == ("A girl holds a kite .", "A child flies a kite .")
    assert kite.read_image is None
    # Column i of the sample is i, i + 1/4, i + 1/2.
    np.testing.assert_array_equal(kite.read_features().features, [[2, 2.25, 2.5]])


def test_an_example_takes_its_own_column_to_another_process(tmp_path):
    folder = copy_sample("neuraltalk", tmp_path)
    savemat(folder / "vgg_feats.mat", {"feats": np.ones((4096, 4))})
    example = read_all(Neuraltalk(folder))["test"]["1004"]
    data = pickle.dumps(example)
    assert 4096 * 4 < len(data) < 2 * 4096 * 4
    features = pickle.loads(data).read_features().features
    assert features.shape == (1, 4096) and features.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 3), r"\[4, 3\], transposed\?"),
        ((5, 3), r"\[5, 3\]. Give the features of this dataset.json"),
        ((3, 5), r"\[3, 5\]. Give the features of this dataset.json"),
    ],
)
def test_columns_that_are_not_one_an_image_are_refused(tmp_path, shape, message):
    folder = copy_sample("neuraltalk", tmp_path)
    savemat(folder / "vgg_feats.mat", {"feats": np.ones(shape)})
    with pytest.raises(ValueError, match=rf"feats \[D, 4\].*dataset.json, 0 to 3.*{message}"):
        Neuraltalk(folder)


def test_photographs_that_are_left_out_have_their_columns(tmp_path):
    folder = copy_sample("neuraltalk", tmp_path)
    change_json(
        folder / "dataset.json",
        lambda content: content["images"][3].update(filename="1003.jpg", sentences=[]),
    )
    source = Neuraltalk(folder)
    assert skips(source) == [("test", "1003", "a second photograph of this name or imgid 3")]
    assert read_all(source)["dev"]["1003"].read_features().features[0, 0] == 2


def test_numbers_below_zero_are_refused(tmp_path):
    folder = copy_sample("neuraltalk", tmp_path)

    def count_from_minus_one(content):
        for item in content["images"]:
            item["imgid"] -= 1
            for sentence in item["sentences"]:
                sentence["imgid"] -= 1

    change_json(folder / "dataset.json", count_from_minus_one)
    savemat(folder / "vgg_feats.mat", {"feats": np.ones((5, 3))})
    with pytest.raises(ValueError, match="imgid from 0 in dataset.json. Received: -1"):
        Neuraltalk(folder)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # The header of MATLAB's save('-v7.3'): 116 characters, offset, version 2, byte order.
        (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\x89HDF" * 200,
            "v7.3.*save\\('-v7'\\)",
        ),
        (b"\x89HDF\r\n\x1a\n".ljust(800, b"\0"), "HDF5, as v7.3 is.*save\\('-v7'\\)"),
        (b"", "cannot be read"),
        (b"<html>not here</html>" * 50, "cannot be read"),
    ],
)
def test_other_files_are_one_clear_error(tmp_path, data, message):
    folder = copy_sample("neuraltalk", tmp_path)
    (folder / "vgg_feats.mat").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        Neuraltalk(folder)


def test_a_damaged_file_is_one_clear_error(tmp_path):
    path = copy_sample("neuraltalk", tmp_path) / "vgg_feats.mat"
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ValueError, match="feats"):
        Neuraltalk(path.parent)


@pytest.mark.parametrize("content", [{"other": np.ones((3, 4))}, {"feats": np.ones((3, 4), int)}])
def test_files_without_features_are_one_clear_error(tmp_path, content):
    folder = copy_sample("neuraltalk", tmp_path)
    savemat(folder / "vgg_feats.mat", content)
    with pytest.raises(ValueError, match="feats: "):
        Neuraltalk(folder)


def test_missing_files_say_what_to_get(tmp_path):
    folder = copy_sample("neuraltalk", tmp_path)
    (folder / "dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match="coco.zip"):
        Neuraltalk(folder)


def test_photographs_that_neuraltalk_captioned_are_a_test_split(tmp_path):
    folder = copy_sample("neuraltalk", tmp_path)
    (folder / "dataset.json").unlink()
    (folder / "tasks.txt").write_text("b.jpg\na.png\n")
    results = [
        {"img_path": name, "candidate": {"text": f"a picture of {name[0]}", "logprob": -1.0}}
        for name in ("a.png", "b.jpg")
    ]
    (folder / "result_struct.json").write_text(json.dumps({"imgblobs": results}))
    savemat(folder / "vgg_feats.mat", {"feats": np.array([[0.0, 1.0]] * 3)})
    examples = read_all(Neuraltalk(folder))["test"]
    # Columns are in the order of tasks.txt.
    assert [
        (key, own.captions, own.read_features().features[0, 0]) for key, own in examples.items()
    ] == [("b", ("a picture of b",), 0.0), ("a", ("a picture of a",), 1.0)]
    results[0]["candidate"]["text"] = 17
    (folder / "result_struct.json").write_text(json.dumps({"imgblobs": results}))
    assert ("test", "a#1", "the caption is no text: 17") in skips(Neuraltalk(folder))
    (folder / "tasks.txt").write_text("b.jpg\nc.png\n")
    with pytest.raises(ValueError, match="no caption of c.png"):
        Neuraltalk(folder)


@pytest.mark.skipif(not REAL.is_dir(), reason="neuraltalk's example is not here (../shared)")
def test_real_example_features_are_what_is_known_of_them():
    examples = list(Neuraltalk(REAL).examples("test"))
    features = np.concatenate([example.read_features().features for example in examples])
    assert features.shape == (16, 4096) and features.min() == 0
    # Known of the file: share of zeros, mean, norms and arg-maxima of the first columns.
    assert np.mean(features == 0) == pytest.approx(0.70556640625)
    assert features.mean() == pytest.approx(0.51052547, rel=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(features[:3], axis=1), [75.778, 84.56101, 87.673325], rtol=1e-5
    )
    assert features.argmax(axis=1)[:4].tolist() == [1772, 6, 3554, 1724]
    assert examples[3].captions == ("a cat is laying on a bed with a white blanket",)
