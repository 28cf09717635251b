"""Dependency relations from records to batches."""

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf

from tests.data.small_records import change_info, set_dependencies, write_records
from vsa_tf.data import schema
from vsa_tf.data.batch_plan import BatchPlan
from vsa_tf.data.caption_rows import FragmentStore
from vsa_tf.data.input_pipeline import InputPipeline
from vsa_tf.data.parsed_record import CaptionRelations
from vsa_tf.data.record_split import RecordSplit


def _relations(caption):
    """Caption m has m % 4 relations, in the split's order; the numbers are its own."""
    return tuple((f"r{m}", f"w{caption}", f"w{caption + m}") for m in range(caption % 4))


def _edit(image, values):
    set_dependencies(values, [_relations(5 * image + caption) for caption in range(5)])


def test_relations_come_in_the_order_of_captions(tmp_path):
    write_records(tmp_path, num_images=5, edit=_edit)
    records = RecordSplit(tmp_path, "train")
    expected = [_relations(caption) for caption in range(25)]
    assert list(records.dependencies) == expected
    assert records.dependencies[-1:] == expected[-1:] and records.dependencies[3] == expected[3]
    split = records.info.split("train")
    # Of the captions 0 to 24 seven have none, and 0 + 1 + 2 + 3 are the relations of each four.
    assert (split.num_parsed_sentences, split.num_dependencies) == (18, 6 * 6)


def test_relations_take_little_memory():
    relations = CaptionRelations()
    tracemalloc.start()
    for caption in range(2000):
        # Of ten new strings each time, as records are parsed to.
        words = [f"w{(caption + place) % 50}" for place in range(10)]
        relations.extend([tuple(("relation", words[0], word) for word in words)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Of 12 bytes a relation, 8 a caption, and arrays that grow by an eighth.
    assert len(relations) == 2000 and held < 2000 * 200


def test_captions_that_are_not_parsed_have_none(tmp_path):
    write_records(tmp_path, num_images=2)
    records = RecordSplit(tmp_path, "train")
    assert list(records.dependencies) == [()] * 10
    assert records.info.split("train").num_dependencies is None


def _set(key, value):
    def edit(image, values):
        _edit(image, values)
        values[key] = value(values[key])

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_set(schema.DEPENDENCY_CAPTION_INDEX, lambda v: [9, *v[1:]]), "a dependency of caption 9"),
        (_set(schema.DEPENDENCY_CAPTION_INDEX, lambda v: [-1, *v[1:]]), "of caption -1"),
        (_set(schema.DEPENDENCY_HEAD, lambda v: v[1:]), "values of the caption/dependency keys"),
        (_set(schema.DEPENDENCY_RELATION, lambda v: [b"\xff", *v[1:]]), "not UTF-8"),
    ],
)
def test_wrong_relations_name_the_record(tmp_path, edit, reason):
    write_records(tmp_path, num_images=2, num_shards=1, edit=edit)
    with pytest.raises(ValueError, match=f"Received: record 1 of .*{reason}"):
        RecordSplit(tmp_path, "train")


def test_another_number_than_stated_is_refused(tmp_path):
    write_records(tmp_path, num_images=2, edit=_edit)
    split = dict(RecordSplit(tmp_path, "train").info.contents["splits"]["train"])
    change_info(tmp_path, splits={"train": split | {"num_dependencies": 11}})
    # The captions 0 to 9 have 6, 6, and 1 of the last two.
    with pytest.raises(ValueError, match="num_dependencies=11 .* Received: 13"):
        RecordSplit(tmp_path, "train")


@pytest.fixture
def pipeline(tmp_path):
    write_records(tmp_path, edit=_edit)
    records = RecordSplit(tmp_path, "train")
    numbers = [
        [tuple(int(text[1:]) + 1 for text in relation) for relation in relations]
        for relations in records.dependencies
    ]
    return InputPipeline(records, FragmentStore(numbers, max_fragments=9))


def _check_rows(batch):
    assert not {"token_ids"} & batch.keys()
    for row, caption in enumerate(batch["sentence_id"]):
        count = caption % 4
        width = batch["relations"].shape[1] - count
        for name, values in (
            ("relations", [m + 1 for m in range(count)]),
            ("heads", [caption + 1] * count),
            ("dependents", [caption + m + 1 for m in range(count)]),
        ):
            assert batch[name][row].tolist() == values + [0] * width
        assert batch["image_id"][row] == caption // 5


def test_batches_of_training_hold_relations(pipeline):
    lengths = np.maximum(pipeline.token_store.lengths, 1)
    plan = BatchPlan(lengths, pipeline.record_split.image_of_caption, 6, (1, 3), seed=2)
    dataset = pipeline.training_batches(plan, num_steps=plan.steps_per_epoch)
    for name in ("relations", "heads", "dependents"):
        assert dataset.element_spec[name] == tf.TensorSpec([None, None], tf.int32)
    seen = []
    for batch in dataset.as_numpy_iterator():
        _check_rows(batch)
        seen.extend(batch["sentence_id"].tolist())
    assert sorted(seen) == list(range(40))


def test_batches_of_sentences_hold_relations(pipeline):
    batches = list(pipeline.sentence_batches(7).as_numpy_iterator())
    for batch in batches:
        _check_rows(batch)
    assert np.concatenate([batch["sentence_id"] for batch in batches]).tolist() == list(range(40))


def test_a_batch_of_sentences_without_relations_has_a_column(tmp_path):
    write_records(tmp_path, num_images=1, num_shards=1)
    records = RecordSplit(tmp_path, "train")
    pipeline = InputPipeline(records, FragmentStore([()] * 5, max_fragments=9))
    (batch,) = pipeline.sentence_batches(5).as_numpy_iterator()
    assert batch["relations"].tolist() == [[0]] * 5
