import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.data import small_records
from tests.data.small_records import write_records
from vsa_tf.data import schema
from vsa_tf.data.augmentation import Augmentation
from vsa_tf.data.batch_plan import BatchPlan
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.input_pipeline import InputPipeline
from vsa_tf.data.phrase_regions import PhraseRegions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.record_views import PhraseRecords
from vsa_tf.training import compiling

_BATCH_SIZE = 6
_KEYS = {"region_boxes", "region_mask", "token_ids", "image_id", "sentence_id"}


def _pipeline(tmp_path, feature_cache_bytes=2**20, **settings):
    tmp_path.mkdir(exist_ok=True)
    write_records(tmp_path, images_stored=True)
    split = RecordSplit(tmp_path, "train", feature_cache_bytes)
    tokens = TokenStore.from_captions(split.captions, small_records.tokenise, max_words=10)
    # 40 captions: 6 batches of 6, and one of 4.
    plan = BatchPlan(tokens.lengths, split.image_of_caption, _BATCH_SIZE, (3, 5, 7), seed=2)
    return InputPipeline(split, tokens, **settings), plan


def _arrays(dataset):
    return list(dataset.as_numpy_iterator())


def _assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key in batch:
            assert batch[key].dtype == other[key].dtype
            np.testing.assert_array_equal(batch[key], other[key])


@pytest.mark.parametrize("feature_cache_bytes", [0, 2**20])
def test_rows_hold_a_caption_and_the_features_of_its_image(tmp_path, feature_cache_bytes):
    pipeline, plan = _pipeline(tmp_path, feature_cache_bytes)
    seen = []
    for batch in _arrays(pipeline.training_batches(plan, num_steps=7)):
        assert set(batch) == _KEYS | {"region_features"}
        assert batch["region_features"].dtype == np.float16
        for row, image in enumerate(batch["image_id"]):
            caption = batch["token_ids"][row, 0] - 4
            seen.append(caption)
            length = small_records.caption_length(caption)
            words = [4 + caption + word for word in range(length)]
            padding = [0] * (batch["token_ids"].shape[1] - length)
            assert batch["token_ids"][row].tolist() == words + padding
            assert image == caption // 5
            count = small_records.region_count(image)
            assert batch["region_mask"][row].tolist() == [region < count for region in range(3)]
            np.testing.assert_array_equal(
                batch["region_features"][row, :count], small_records.region_features(image)
            )
            np.testing.assert_array_equal(
                batch["region_boxes"][row, :count], small_records.region_boxes(image)
            )
            assert not batch["region_features"][row, count:].any()
            assert not batch["region_boxes"][row, count:].any()
    assert sorted(seen) == list(range(40))


def test_batches_are_those_of_the_numpy_assembler(tmp_path):
    pipeline, plan = _pipeline(tmp_path)
    expected = [pipeline.assembler.assemble_batch(plan, step) for step in range(16)]
    _assert_same(_arrays(pipeline.training_batches(plan, num_steps=16)), expected)


@pytest.mark.parametrize("start_step", [0, 1, 6, 7, 11])
def test_starting_at_a_step_equals_skipping_to_it(tmp_path, start_step):
    pipeline, plan = _pipeline(tmp_path)
    uninterrupted = pipeline.training_batches(plan, num_steps=18).skip(start_step)
    resumed = _pipeline(tmp_path)[0].training_batches(plan, start_step, 18 - start_step)
    _assert_same(_arrays(resumed), _arrays(uninterrupted))


def test_more_parallel_calls_keep_the_order(tmp_path):
    pipeline, plan = _pipeline(tmp_path, num_parallel_calls=1)
    parallel, _ = _pipeline(tmp_path, num_parallel_calls=8, prefetch=8)
    _assert_same(
        _arrays(parallel.training_batches(plan, num_steps=21)),
        _arrays(pipeline.training_batches(plan, num_steps=21)),
    )


def test_training_goes_on_for_ever_unless_told(tmp_path):
    pipeline, plan = _pipeline(tmp_path)
    batches = itertools.islice(pipeline.training_batches(plan, start_step=6), 3)
    assert [len(batch["image_id"]) for batch in batches] == [4, 6, 6]


def test_shapes_are_static_and_few(tmp_path):
    pipeline, plan = _pipeline(tmp_path)
    dataset = pipeline.training_batches(plan, num_steps=70)
    spec = dataset.element_spec
    assert spec["region_features"] == tf.TensorSpec([None, 3, 4], tf.float16)
    assert spec["region_boxes"] == tf.TensorSpec([None, 3, 4], tf.float32)
    assert spec["region_mask"] == tf.TensorSpec([None, 3], tf.bool)
    assert spec["token_ids"] == tf.TensorSpec([None, None], tf.int32)
    assert spec["image_id"] == tf.TensorSpec([None], tf.int32)
    shapes = set()
    for batch in dataset:
        assert all(tensor.shape.is_fully_defined() for tensor in batch.values())
        shapes.add(tuple(batch["token_ids"].shape))
    assert shapes <= {(6, 3), (6, 5), (6, 7), (4, 7)}


def test_the_batch_size_is_in_the_specification_when_it_divides(tmp_path):
    pipeline, _ = _pipeline(tmp_path)
    plan = BatchPlan(
        pipeline.token_store.lengths, pipeline.record_split.image_of_caption, 8, (7,), seed=0
    )
    spec = pipeline.training_batches(plan).element_spec
    assert spec["region_features"].shape == [8, 3, 4]
    assert spec["token_ids"].shape == [8, 7]


@pytest.mark.parametrize("image_cache_bytes", [0, 2**20])
def test_images_are_decoded_and_resized(tmp_path, image_cache_bytes):
    pipeline, plan = _pipeline(tmp_path, image_size=5, image_cache_bytes=image_cache_bytes)
    assert pipeline.images.decodes == (image_cache_bytes == 0)
    dataset = pipeline.training_batches(plan, num_steps=7)
    assert dataset.element_spec["images"] == tf.TensorSpec([None, 5, 5, 3], tf.uint8)
    for batch in dataset:
        assert set(batch) == _KEYS | {"images"}
        for row, image in enumerate(batch["image_id"].numpy()):
            # Image i is of one grey level, 10 * i, which resizing keeps.
            np.testing.assert_array_equal(batch["images"][row], np.full([5, 5, 3], 10 * image))


class _Crop:
    """A crop of 2 x 2 pixels of the image's grey level, on top of it where its region begins."""

    size = 2

    def __init__(self):
        self.num_images = 0

    def __call__(self, images, boxes):
        self.num_images += len(images)
        grey = images.mean(axis=(1, 2, 3))[:, None] + boxes[..., 1]
        return np.tile(grey[..., None, None, None], (1, 1, 2, 2, 3))


def test_regions_are_cut_out_once_if_there_is_room(tmp_path):
    # 8 images of 3 regions of 2 x 2 x 3 numbers of 4 bytes are a quarter of this.
    enough = 4 * 8 * 3 * 2 * 2 * 3 * 4
    pipeline, plan = _pipeline(tmp_path, image_size=5, image_cache_bytes=enough)
    crop = _Crop()
    dataset = pipeline.training_batches(plan, num_steps=14, crop=crop)
    assert dataset.element_spec["images"] == tf.TensorSpec([None, 3, 2, 2, 3], tf.float32)
    for batch in _arrays(dataset):
        grey = 10 * batch["image_id"][:, None] + batch["region_boxes"][..., 1]
        expected = np.broadcast_to(grey[..., None, None, None], batch["images"].shape)
        np.testing.assert_allclose(batch["images"], expected, rtol=1e-6)
    assert crop.num_images == 8
    assert pipeline.image_batches(3).element_spec["images"].shape[1:] == [5, 5, 3]
    pipeline, plan = _pipeline(tmp_path / "less", image_size=5, image_cache_bytes=enough - 4)
    spec = pipeline.training_batches(plan, crop=crop).element_spec
    assert spec["images"] == tf.TensorSpec([None, 5, 5, 3], tf.uint8)
    assert crop.num_images == 8


def test_regions_that_differ_from_step_to_step_are_not_cut_out_once(tmp_path):
    pipeline, plan = _pipeline(tmp_path, image_size=5)
    records = PhraseRecords(pipeline.record_split)
    tokens = TokenStore([[4]] * 8, max_words=1)
    regions = PhraseRegions(records, num_negatives=4, negative_overlap=1.0, from_pixels=True)
    phrases = InputPipeline(records, tokens, phrase_regions=regions, image_size=5)
    phrase_plan = BatchPlan(tokens.lengths, records.image_of_caption, 4, seed=1)
    mirror, crop = Augmentation("mirror", pipeline.record_split.captions, 5), _Crop()
    for pairs, of_pairs, drawn in ((pipeline, plan, mirror), (phrases, phrase_plan, None)):
        expected, received = (
            _arrays(pairs.training_batches(of_pairs, 0, 4, drawn, each)) for each in (None, crop)
        )
        _assert_same(received, expected)
    assert crop.num_images == 0


def test_decoding_once_gives_the_pixels_of_decoding_each_time(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [8, 16, 11, 3], np.uint8)

    def edit(image, values):
        values[schema.IMAGE_ENCODED] = [tf.io.encode_jpeg(pixels[image]).numpy()]

    write_records(tmp_path, images_stored=True, edit=edit)
    split = RecordSplit(tmp_path, "train")
    cached, streamed = (
        _arrays(InputPipeline(split, image_size=6, image_cache_bytes=size).image_batches(3))
        for size in (2**20, 0)
    )
    _assert_same(cached, streamed)


def test_no_batch_holds_strings(tmp_path):
    for settings in ({}, {"image_size": 5}, {"image_size": 5, "image_cache_bytes": 0}):
        pipeline, plan = _pipeline(tmp_path, **settings)
        for dataset in (
            pipeline.training_batches(plan),
            pipeline.image_batches(3),
            pipeline.sentence_batches(3),
        ):
            dtypes = {spec.dtype for spec in dataset.element_spec.values()}
            assert tf.string not in dtypes


def test_image_batches_cover_the_split_in_order(tmp_path):
    pipeline, _ = _pipeline(tmp_path)
    dataset = pipeline.image_batches(3)
    assert len(dataset) == 3
    batches = _arrays(dataset)
    assert [batch["image_id"].tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    features = np.concatenate([batch["region_features"] for batch in batches])
    np.testing.assert_array_equal(features[7, :2], small_records.region_features(7))
    assert "token_ids" not in batches[0]


def test_image_batches_may_be_of_a_few_images(tmp_path):
    pipeline, _ = _pipeline(tmp_path)
    batches = _arrays(pipeline.image_batches(2, np.array([7, 0, 3])))
    assert [batch["image_id"].tolist() for batch in batches] == [[7, 0], [3]]
    np.testing.assert_array_equal(
        batches[0]["region_features"][0, :2], small_records.region_features(7)
    )


@pytest.mark.parametrize("widths", [None, (4, 10)])
def test_sentence_batches_cover_the_split_in_order(tmp_path, widths):
    pipeline, _ = _pipeline(tmp_path)
    batches = _arrays(pipeline.sentence_batches(16, widths))
    assert [len(batch["token_ids"]) for batch in batches] == [16, 16, 8]
    first_words = np.concatenate([batch["token_ids"][:, 0] for batch in batches])
    assert first_words.tolist() == list(range(4, 44))
    images = np.concatenate([batch["image_id"] for batch in batches])
    assert images.tolist() == [caption // 5 for caption in range(40)]
    if widths:
        assert {batch["token_ids"].shape[1] for batch in batches} == {10}


def test_sentence_batches_may_be_of_a_few_sentences(tmp_path):
    pipeline, _ = _pipeline(tmp_path)
    batches = _arrays(pipeline.sentence_batches(2, captions=np.array([7, 30, 3])))
    assert [batch["sentence_id"].tolist() for batch in batches] == [[7, 30], [3]]
    assert [batch["token_ids"][:, 0].tolist() for batch in batches] == [[11, 34], [7]]


@pytest.mark.parametrize("settings", [{}, {"image_size": 5}])
def test_batches_of_images_hold_their_first_regions_alone(tmp_path, settings):
    every, plan = _pipeline(tmp_path, **settings)
    first, _ = _pipeline(tmp_path, num_regions=2, **settings)
    assert first.image_batches(3).element_spec["region_boxes"].shape == [None, 2, 4]
    expected = [
        {key: value[:, :2] if key.startswith("region_") else value for key, value in batch.items()}
        for batch in _arrays(every.image_batches(3)) + _arrays(every.training_batches(plan, 0, 9))
    ]
    batches = _arrays(first.image_batches(3)) + _arrays(first.training_batches(plan, 0, 9))
    _assert_same(batches, expected)


def test_an_image_that_does_not_decode_is_named(tmp_path):
    def edit(image, values):
        if image == 6:
            values[schema.IMAGE_ENCODED] = [b"no image"]

    write_records(tmp_path, images_stored=True, edit=edit)
    pipeline = InputPipeline(RecordSplit(tmp_path, "train"), image_size=5)
    with pytest.raises(ValueError, match="'image6.png' in record 3 of .*train-00001"):
        pipeline.image_batches(2)


def test_tokens_and_plan_must_be_of_the_split(tmp_path):
    pipeline, plan = _pipeline(tmp_path)
    with pytest.raises(ValueError, match="token store of 1"):
        InputPipeline(pipeline.record_split, TokenStore([[4]], max_words=2))
    with pytest.raises(ValueError, match="token store of None"):
        InputPipeline(pipeline.record_split).training_batches(plan)
    with pytest.raises(ValueError, match="token store of 40"):
        pipeline.training_batches(BatchPlan([1], [0], 1))


def test_too_small_widths_are_refused(tmp_path):
    pipeline, _ = _pipeline(tmp_path)
    with pytest.raises(ValueError, match=r"widths=\(3, 5\)"):
        pipeline.sentence_batches(4, (3, 5))


def test_sentence_features_are_those_of_the_row_s_caption(tmp_path):
    write_records(tmp_path)
    split = RecordSplit(tmp_path, "train")
    tokens = TokenStore.from_captions(split.captions, small_records.tokenise, max_words=10)
    features = np.arange(40, dtype=np.float16)[:, None] * [1, 2, 4]
    pipeline = InputPipeline(split, tokens, sentence_features=features.astype(np.float16))
    plan = BatchPlan(tokens.lengths, split.image_of_caption, 8, seed=1)
    training = pipeline.training_batches(plan, num_steps=5)
    assert training.element_spec["sentence_features"] == tf.TensorSpec([8, 3], tf.float16)
    for batch in _arrays(training) + _arrays(pipeline.sentence_batches(8)):
        np.testing.assert_array_equal(batch["sentence_features"][:, 2], 4 * batch["sentence_id"])
        np.testing.assert_array_equal(batch["token_ids"][:, 0], 4 + batch["sentence_id"])


def test_training_batches_of_phrases_have_their_regions_and_evaluation_has_all(tmp_path):
    write_records(tmp_path)
    records = PhraseRecords(RecordSplit(tmp_path, "train"))
    tokens = TokenStore([[4]] * 8, max_words=1)
    regions = PhraseRegions(records, num_negatives=4, negative_overlap=1.0)
    pipeline = InputPipeline(records, tokens, phrase_regions=regions)
    plan = BatchPlan(tokens.lengths, records.image_of_caption, 4, seed=1)
    training = pipeline.training_batches(plan, num_steps=4)
    # The phrase's region, and of four others the three that an image has.
    assert training.element_spec["region_features"] == tf.TensorSpec([4, 4, 4], tf.float16)
    for batch in _arrays(training):
        assert batch["region_boxes"].shape == (4, 4, 4) and batch["phrase_boxes"].shape == (4, 4)
        # One phrase of one chain an image.
        np.testing.assert_array_equal(batch["phrase_id"], batch["image_id"])
        others = batch["region_features"][:, 1:, 0][batch["region_mask"][:, 1:]]
        owners = np.repeat(batch["image_id"], batch["region_mask"][:, 1:].sum(axis=1))
        np.testing.assert_array_equal(others.astype(int), owners)
    assert next(iter(pipeline.image_batches(4)))["region_features"].shape == (4, 3, 4)


def test_hosts_read_what_one_process_reads(tmp_path, monkeypatch):
    write_records(tmp_path, images_stored=True)
    records = PhraseRecords(RecordSplit(tmp_path, "train"))
    tokens = TokenStore([[4]] * 8, max_words=1)
    regions = PhraseRegions(records, num_negatives=1, negative_overlap=1.0, from_pixels=True)
    pipeline = InputPipeline(records, tokens, None, regions, image_size=8)
    augmentation = Augmentation("mirror", records.captions, 8)
    # A batch of 6, and one of 2 that every host reads whole.
    plan = BatchPlan(tokens.lengths, records.image_of_caption, 6, seed=1)

    def batches(plan):
        return _arrays(pipeline.training_batches(plan, 0, 8, augmentation))

    hosts = []
    for host in (0, 1):
        monkeypatch.setattr(compiling, "this_host", lambda host=host: (host, 2, 1))
        hosts.append(batches(compiling.HostPlan(plan)))
    together = [
        {key: np.concatenate([batch[key], other[key]]) for key in batch}
        if len(batch["image_id"]) == 3
        else batch
        for batch, other in zip(*hosts, strict=True)
    ]
    _assert_same(together, batches(plan))
    _assert_same(*(host[1::2] for host in hosts))


def test_phrases_among_the_first_regions_have_the_same_training_batches(tmp_path):
    write_records(tmp_path)
    records = PhraseRecords(RecordSplit(tmp_path, "train"))
    tokens = TokenStore([[4]] * 8, max_words=1)
    regions = PhraseRegions(records, num_negatives=4, negative_overlap=1.0, num_regions=2)
    plan = BatchPlan(tokens.lengths, records.image_of_caption, 4, seed=1)
    every, first = (
        InputPipeline(records, tokens, phrase_regions=regions, num_regions=num_regions)
        for num_regions in (0, 2)
    )
    _assert_same(
        _arrays(first.training_batches(plan, num_steps=4)),
        _arrays(every.training_batches(plan, num_steps=4)),
    )
    assert first.image_batches(4).element_spec["region_features"].shape == [4, 2, 4]
