import pytest
from mini_flickr8k import files, write_zips

from tfrecords_tools.sources.registry import DATASETS, make_source


def test_missing_argument_says_what_to_get():
    with pytest.raises(ValueError, match="--captions.*Flickr8k_text.zip"):
        make_source("flickr8k", images="somewhere")


def test_argument_that_is_not_used_is_refused():
    with pytest.raises(ValueError, match="no --entities for --dataset=csv"):
        make_source("csv", images="a", captions="b", entities="c")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=", ".join(DATASETS)):
        make_source("imagenet")


def test_every_data_set_can_be_made(tmp_path):
    paths = write_zips(tmp_path, files())
    assert make_source("flickr8k", **paths).splits() == ("train", "dev")
    scenes = make_source("shape_scenes", num_examples=(2, 1, 0), seed=3)
    assert len(list(scenes.examples("train"))) == 2
    (tmp_path / "captions.csv").write_text("Flicker8k_Dataset/101_a.jpg,A dog\n")
    assert make_source(
        "csv", images=paths["images"], captions=str(tmp_path / "captions.csv")
    ).splits() == ("train",)
