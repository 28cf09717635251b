import re
import sys

import pytest
from mini_flickr8k import files, write_zips
from source_samples import SAMPLES

from tfrecords_tools.sources.registry import DATASETS, FEATURE_DATASETS, check_source, make_source
from tfrecords_tools.sources.tfds_features import load_tfds


def test_missing_argument_says_what_to_get():
    with pytest.raises(ValueError, match="--captions.*Flickr8k_text.zip"):
        make_source("flickr8k", images="somewhere")


def test_argument_that_is_not_used_is_refused():
    with pytest.raises(ValueError, match="no --entities for --dataset=csv"):
        make_source("csv", images="a", captions="b", entities="c")


def test_data_set_of_tensorflow_datasets_has_a_directory_alone():
    with pytest.raises(ValueError, match="no --captions for --dataset=tfds:coco_captions"):
        check_source("tfds:coco_captions", images="a", captions="b")
    check_source("tfds:coco_captions", images="a", captions=None)
    check_source("tfds:coco_captions")


def test_without_tensorflow_datasets_the_error_says_what_to_install(monkeypatch):
    # Not in test_tfds_features.py, which is skipped where it is not installed.
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r'needs tensorflow-datasets.* "vsa_tf\[tfds\]"'):
        load_tfds()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=re.escape(", ".join(DATASETS))):
        make_source("imagenet")
    with pytest.raises(ValueError, match="Received: 'tfds:'"):
        make_source("tfds:")


def sample_arguments(paths, table):
    """Returns what each data set is made from."""
    folders = {
        name: str(SAMPLES / name)
        for name in (
            "flickr30k",
            "coco",
            "karpathy_json",
            "iapr_tc12",
            "pascal1k",
            "neuraltalk",
            "precomp",
        )
    }
    photos = {"images": folders["coco"], "entities": f"{folders['coco']}/annotations"}
    return {
        "flickr8k": paths,
        "flickr30k": {
            "images": f"{folders['flickr30k']}/flickr30k-images",
            "captions": f"{folders['flickr30k']}/texts",
            "entities": f"{folders['flickr30k']}/entities",
        },
        "coco": {**photos, "captions": f"{folders['coco']}/annotations"},
        "karpathy_json": {
            **photos,
            "captions": f"{folders['karpathy_json']}/dataset_coco.json",
            "restval_in_train": True,
        },
        "iapr_tc12": {"images": folders["iapr_tc12"], "captions": folders["iapr_tc12"]},
        "pascal1k": {
            "images": f"{folders['pascal1k']}/dataset",
            "captions": f"{folders['pascal1k']}/sentence",
        },
        "neuraltalk": {"captions": folders["neuraltalk"]},
        "precomp": {"captions": folders["precomp"]},
        "csv": {"images": paths["images"], "captions": table},
        "regions": {
            "images": str(SAMPLES / "regions" / "images"),
            "captions": str(SAMPLES / "regions" / "regions.csv"),
        },
        "tf_records:PATTERN": {"dataset": f"tf_records:{SAMPLES / 'tf_records'}"},
        "shape_scenes": {"num_examples": (2, 1, 0), "seed": 3},
    }


def test_every_data_set_is_made_under_its_name(tmp_path):
    table = tmp_path / "captions.csv"
    table.write_text("Flicker8k_Dataset/101_a.jpg,A dog\n")
    arguments = sample_arguments(write_zips(tmp_path, files()), str(table))
    # Those of tensorflow-datasets are in test_tfds_builder.py.
    assert sorted([*arguments, "tfds:NAME[/CONFIG][:VERSION]"]) == sorted(DATASETS)
    for name, own in arguments.items():
        source = make_source(**{"dataset": name} | own)
        assert source.name == name.partition(":")[0]
        # Two images of train, by the samples' lists; the table has one, Flickr8K three, Pascal1K
        # eight.
        expected = {"csv": 1, "flickr8k": 3, "pascal1k": 8}.get(name, 2)
        assert len(list(source.examples("train"))) == expected, name
        assert (source.feature_size is not None) == (name in FEATURE_DATASETS)


def test_generated_data_are_made_as_large_as_asked():
    scenes = make_source("shape_scenes", num_examples=(2, 1, 0), seed=3)
    assert [len(list(scenes.examples(split))) for split in scenes.splits()] == [2, 1, 0]
