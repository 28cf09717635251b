import collections
import dataclasses
import json
import math
import pickle

import pytest
from written_records import contents, write

from tfrecords_tools.sources.shape_scenes import ShapeScenes
from tfrecords_tools.sources.source import GeneratedExamples, Source, read_caption, whole_number
from tfrecords_tools.write_settings import WriteSettings

SETTINGS = WriteSettings(num_shards=2)


def write_pixels(source, output_dir, **options):
    return write(source, output_dir, SETTINGS, make_models=None, **options)


class Listed(Source):
    """Passes on another source, which hands out its examples one by one, in order."""

    name = "listed"

    def __init__(self, source):
        self._source = source

    def splits(self):
        return self._source.splits()

    def checksums(self):
        return self._source.checksums()

    def examples(self, split):
        for example in self._source.examples(split):
            yield dataclasses.replace(example, captions=(*example.captions, "One more ."))


class Counting(ShapeScenes):
    """Counts how often each example is made."""

    counts = collections.Counter()

    def example(self, split, index):
        self.counts[split, index] += 1
        return super().example(split, index)


@pytest.mark.parametrize("value", [math.nan, 17, 1.5, True, False, ["a", "dog"], {"en": "a dog"}])
def test_a_caption_that_is_no_text_is_told(value):
    text, reason = read_caption(value)
    assert text is None and reason == f"the caption is no text: {json.dumps(value)}"


@pytest.mark.parametrize(
    "value", [1.5, math.nan, math.inf, True, None, "x", "1.5", "\u0661", [1], {}, 2**63, 10**400]
)
def test_what_is_no_whole_number_is_not_cut_to_one(value):
    assert whole_number(value) is None


def test_slices_are_runs_of_the_split():
    source = ShapeScenes(num_train=10)
    examples = GeneratedExamples(source, "train", range(10))
    assert [len(examples), len(examples[4:7]), len(examples[4:7][1:])] == [10, 3, 2]
    names = [example.source_id for example in source.examples("train")]
    assert [example.source_id for example in examples] == names
    assert [example.source_id for example in examples[4:7][1:]] == names[5:7]


def test_a_million_examples_travel_as_their_bounds():
    examples = GeneratedExamples(ShapeScenes(num_train=1_000_000), "train", range(1_000_000))
    data = pickle.dumps(examples)
    assert len(data) < 1000
    assert pickle.loads(data)[999_999].source_id == "train-999999"


def test_each_example_is_made_once_and_where_it_is_written(tmp_path):
    Counting.counts.clear()
    write_pixels(Counting(3, 2, 0), tmp_path / "here")
    assert set(Counting.counts.values()) == {1} and len(Counting.counts) == 5
    Counting.counts.clear()
    write_pixels(Counting(3, 2, 0), tmp_path / "there", num_workers=1)
    assert not Counting.counts
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_the_examples_of_a_source_round_a_generated_one_are_its_own(tmp_path):
    result = write_pixels(Listed(ShapeScenes(3, 0, 0)), tmp_path)
    assert result.info["splits"]["train"]["num_sentences"] == 3 * 6
