import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.data import small_records
from tests.data.small_records import write_records
from vsa_tf.data import schema
from vsa_tf.data.augmentation import Augmentation, mirrored_boxes
from vsa_tf.data.batch_plan import BatchPlan
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.input_pipeline import InputPipeline
from vsa_tf.data.phrase_regions import PhraseRegions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.record_views import PhraseRecords

_SIZE = 16
_WHOLE = np.float32([0, 0, 1, 1])
_CAPTIONS = ["a dog", "a cat", "a dog left of a cat", "a bright cat"] + ["a bird"] * 36


def _rows(num_rows, images=None):
    """A batch of as many rows, each of an image of its own unless they are given."""
    return {
        "images": np.zeros([num_rows, _SIZE, _SIZE, 3], np.uint8),
        "image_id": np.arange(num_rows) if images is None else np.array(images),
        "sentence_id": np.zeros(num_rows, np.int32),
        "region_boxes": np.tile(_WHOLE, [num_rows, 1, 1]),
        "region_mask": np.ones([num_rows, 1], bool),
    }


@functools.cache
def _augmentation(name, has_regions=True, seed=0):
    """The augmentation, and `apply` as a function of a batch that `draw` made."""
    augmentation = Augmentation(name, _CAPTIONS, _SIZE, has_regions, seed)
    return augmentation, tf.function(augmentation.apply, reduce_retracing=True)


def _apply(name, drawn, has_regions=True):
    apply = _augmentation(name, has_regions)[1]
    batch = {key: tf.constant(value) for key, value in drawn.items()}
    return {key: value.numpy() for key, value in apply(batch).items()}


@pytest.mark.parametrize(
    ("caption", "names_side"),
    [
        ("Left of a dog", True),
        ("a dog on the far right.", True),
        ("the right-hand man", True),
        ("the leftmost of two", True),
        ("a left-handed boy", True),
        ("bottom-right corner", True),
        ("the topright corner", True),
        ("der linke Hund steht rechts", True),
        ("ein Mann mit einem Hund zur Linken", True),
        ("a bright red kite held upright", False),
        ("a frightened man", False),
        ("cuff links of a link", False),
    ],
)
def test_captions_that_hold_left_or_right(caption, names_side):
    # "links" is a word of German, too: such a photograph is not mirrored, and nothing is lost.
    expected = names_side or "links" in caption
    assert Augmentation("mirror", [caption], _SIZE).names_side.tolist() == [expected]


def test_boxes_are_mirrored():
    boxes = np.float32([[[0, 0, 1, 1], [0.25, 0, 0.5, 0.25]]])
    expected = np.float32([[[0, 0, 1, 1], [0.25, 0.75, 0.5, 1]]])
    np.testing.assert_array_equal(mirrored_boxes(boxes), expected)
    np.testing.assert_array_equal(mirrored_boxes(expected), boxes)


@pytest.mark.parametrize("name", ["mirror", "randaugment", "autoaugment"])
def test_draws_are_a_function_of_seed_and_step(name):
    def draw(step, seed=0):
        drawn = _augmentation(name, True, seed)[0].draw(_rows(64), step)
        return np.concatenate([drawn[key].reshape(64, -1) for key in shapes], axis=1)

    augmentation = _augmentation(name)[0]
    shapes = augmentation.shapes(64)
    for key, shape in shapes.items():
        assert list(augmentation.draw(_rows(64), 3)[key].shape) == shape
    np.testing.assert_array_equal(draw(3), draw(3))
    assert (draw(3) != draw(4)).any(axis=0).all()
    assert (draw(3) != draw(3, seed=1)).any(axis=0).all()


@pytest.mark.parametrize("name", ["mirror", "randaugment"])
def test_rows_of_an_image_are_alike(name):
    images = [7, 3, 7, 5, 3, 7] * 8
    augmentation = _augmentation(name)[0]
    for step in range(4):
        drawn = augmentation.draw(_rows(len(images), images), step)
        for key in augmentation.shapes(None):
            assert all(
                len(np.unique(drawn[key][np.equal(images, image)], axis=0)) == 1
                for image in set(images)
            )


def test_an_image_is_mirrored_half_the_time_and_never_beside_left_or_right():
    batch = _rows(400, np.arange(400) // 2)
    batch["sentence_id"][0::4] = 2  # one of the two rows of every other image
    drawn = _augmentation("mirror")[0].draw(batch, 0)["mirrored"].reshape(100, 2, 2)
    assert not drawn[:, 0].any()
    assert 0.3 < drawn[:, 1].mean() < 0.7


@pytest.mark.parametrize("name", ["mirror", "randaugment"])
def test_hosts_draw_what_one_process_draws(name):
    # Both halves have every image; the second has a sentence of every other that holds left.
    whole = _rows(80, np.tile(np.arange(40), 2))
    whole["sentence_id"][40::2] = 2
    whole["region_boxes"][:] = (0, 0, 1, 0.5)
    augmentation = _augmentation(name)[0]
    expected = augmentation.draw(whole, 3)
    halves = [slice(0, 40), slice(40, 80)]
    drawn = [
        augmentation.draw({key: value[rows] for key, value in whole.items()}, 3, whole, rows)
        for rows in halves
    ]
    for key, value in expected.items():
        np.testing.assert_array_equal(np.concatenate([half[key] for half in drawn]), value)
    for half in drawn:
        assert not half["mirrored"][::2].any() and 2 < half["mirrored"][1::2].sum() < 18


def test_boxes_follow_what_they_hold_and_padding_stays():
    batch = _rows(40) | {"region_mask": np.tile([True, True, False], [40, 1])}
    place = np.float32([0.25, 0.125, 0.5, 0.375])
    batch["region_boxes"] = np.tile(np.stack([_WHOLE, place, 0 * place]), [40, 1, 1])
    batch["phrase_boxes"] = np.tile(place, [40, 1])
    batch["images"][:, 4:8, 2:6] = 255
    drawn = _augmentation("mirror")[0].draw(batch, 0)
    assert 5 < drawn["mirrored"].sum() < 35
    result = _apply("mirror", drawn)
    assert result.keys() == batch.keys()
    for image, boxes, phrase_box in zip(
        result["images"], result["region_boxes"], result["phrase_boxes"], strict=True
    ):
        top, left, bottom, right = np.round(boxes[1] * _SIZE).astype(int)
        assert (image[top:bottom, left:right] == 255).all() and image.sum() == 16 * 3 * 255
        np.testing.assert_array_equal(phrase_box, boxes[1])
        np.testing.assert_array_equal(boxes[[0, 2]], [_WHOLE, 0 * _WHOLE])


@pytest.mark.parametrize(
    ("name", "has_regions"), [("randaugment", False), ("randaugment", True), ("autoaugment", True)]
)
def test_what_regions_hold_does_not_move(name, has_regions):
    batch = _rows(200)
    batch["images"][:, :8] = (60, 90, 20)
    batch["images"][:, 8:] = (200, 160, 90)
    drawn = _augmentation(name, has_regions)[0].draw(batch, 0)
    drawn["erased"][:] = 0
    images = _apply(name, drawn, has_regions)["images"]
    # But for two rows at the edge, which are sharpened, each half has one colour.
    upper, lower = images[:, :6], images[:, 10:]
    flat = [(half == half[:, :1, :1]).all(axis=(1, 2, 3)) for half in (upper, lower)]
    assert np.logical_and(*flat).all() == has_regions
    assert (images != batch["images"]).any(axis=(1, 2, 3)).mean() > 0.3


def test_operations_are_those_of_model_garden():
    from official.vision.ops import augment

    batch = _rows(200)
    generator = np.random.default_rng(0)
    batch["images"] = generator.integers(0, 256, batch["images"].shape).astype(np.uint8)
    drawn = _augmentation("randaugment", False)[0].draw(batch, 0)
    drawn["mirrored"][:], drawn["erased"][:] = False, 0
    operations = np.resize(np.arange(14), 200)
    drawn["operations"] = np.stack([operations, 0 * operations], axis=1).astype(np.int32)
    drawn["directions"][:] = np.where(np.arange(200) < 28, 1, -1)[:, None]
    images = _apply("randaugment", drawn, False)["images"]
    expected = {
        "AutoContrast": (),
        "Equalize": (),
        "Rotate": (27.0,),
        "Solarize": (230,),
        "Color": (1.72,),
        "Posterize": (3,),
        "Contrast": (1.72,),
        "Brightness": (1.72,),
        "Sharpness": (1.72,),
        "ShearX": (0.27,),
        "ShearY": (0.27,),
        "TranslateX": (0.405 * _SIZE,),
        "TranslateY": (0.405 * _SIZE,),
    }
    np.testing.assert_array_equal(images[operations == 0], batch["images"][operations == 0])
    for number, (name, amount) in enumerate(expected.items(), 1):
        for row in (number, number + 28):
            arguments = amount
            if name.startswith(("Rotate", "Shear", "Translate")):
                arguments = (amount[0] * drawn["directions"][row, 0], [128] * 3)
            result = augment.NAME_TO_FUNC[name](tf.constant(batch["images"][row]), *arguments)
            np.testing.assert_array_equal(images[row], result, err_msg=name)


def test_policies_are_drawn_as_often_as_the_papers_say():
    def shares(name):
        drawn = _augmentation(name, False)[0].draw(_rows(7000), 0)["operations"]
        return np.bincount(drawn.ravel(), minlength=14) / drawn.size

    np.testing.assert_allclose(shares("randaugment"), 1 / 14, atol=0.01)
    # Of the 50 probabilities of the policies the mean is 0.6; the rest is nothing.
    assert shares("autoaugment")[0] == pytest.approx(1 - 0.6, abs=0.05)


def test_a_quarter_is_erased_in_part():
    batch = _rows(2000)
    drawn = _augmentation("autoaugment")[0].draw(batch, 0)
    top, left, bottom, right = drawn["erased"].T
    area = (bottom - top) * (right - left)
    erased = area > 0
    assert 0.22 < erased.mean() < 0.28
    assert (drawn["erased"] >= 0).all() and (drawn["erased"] <= 1).all()
    assert area[erased].min() >= 0.0199 and area[erased].max() <= 1 / 3
    drawn["operations"][:] = 0
    first = {key: value[:200] for key, value in drawn.items()}
    grey = (_apply("autoaugment", first)["images"] == 128).all(axis=-1)
    assert not grey[~erased[:200]].any()
    # A pixel is erased where its centre is inside.
    np.testing.assert_allclose(grey.mean(axis=(1, 2)), area[:200], atol=2 / _SIZE)


def _noise(image, values):
    generator = np.random.default_rng(image)
    pixels = generator.integers(0, 256, [9, 9, 3]).astype(np.uint8)
    values[schema.IMAGE_ENCODED] = [tf.io.encode_png(pixels).numpy()]


def _training_batches(data_dir, name, start_step, num_steps, **options):
    split = RecordSplit(data_dir, "train")
    tokens = TokenStore.from_captions(split.captions, small_records.tokenise, max_words=10)
    plan = BatchPlan(tokens.lengths, split.image_of_caption, 6, (3, 5, 7), seed=2)
    pipeline = InputPipeline(split, tokens, image_size=_SIZE, **options)
    assert pipeline.has_regions
    augmentation = name and _augmentation(name)[0]
    batches = pipeline.training_batches(plan, start_step, num_steps, augmentation)
    assert "mirrored" not in batches.element_spec
    return list(batches.as_numpy_iterator())


@pytest.mark.parametrize("name", ["mirror", "randaugment"])
def test_batches_from_a_step_are_those_of_an_uninterrupted_run(tmp_path, name):
    write_records(tmp_path, images_stored=True, edit=_noise)
    whole = _training_batches(tmp_path, name, 0, 9, num_parallel_calls=1)
    # Decoded for each batch, and several batches at a time.
    resumed = _training_batches(tmp_path, name, 4, 5, num_parallel_calls=4, image_cache_bytes=0)
    plain = _training_batches(tmp_path, None, 4, 5)
    changed = []
    for batch, other, unchanged in zip(whole[4:], resumed, plain, strict=True):
        assert batch.keys() == other.keys() == unchanged.keys()
        for key in batch:
            assert batch[key].dtype == unchanged[key].dtype
            np.testing.assert_array_equal(batch[key], other[key])
        changed.append((batch["images"] != unchanged["images"]).any())
        for key in ("token_ids", "sentence_id", "region_mask"):
            np.testing.assert_array_equal(batch[key], unchanged[key])
    # By chance no photograph of a small batch may be mirrored.
    assert np.mean(changed) > 0.5


def test_images_of_evaluation_stay(tmp_path):
    write_records(tmp_path, images_stored=True, edit=_noise)
    pipeline = InputPipeline(
        RecordSplit(tmp_path, "train"), TokenStore([[4]] * 40, 1), image_size=9
    )
    augmentation = Augmentation("mirror", [""] * 40, 9)
    plan = BatchPlan([1] * 40, np.arange(40) // 5, 8)
    next(iter(pipeline.training_batches(plan, augmentation=augmentation)))
    images = next(iter(pipeline.image_batches(8)))["images"].numpy()
    np.testing.assert_array_equal(images[3], pipeline.record_split.read_image(3))


def test_phrases_are_mirrored_with_their_regions(tmp_path):
    write_records(tmp_path, images_stored=True)
    records = PhraseRecords(RecordSplit(tmp_path, "train"))
    regions = PhraseRegions(records, num_negatives=2, negative_overlap=1.0, from_pixels=True)
    pipeline = InputPipeline(records, TokenStore([[4]] * 8, 1), None, regions, image_size=_SIZE)
    plan = BatchPlan([1] * 8, records.image_of_caption, 4, seed=1)
    augmentation = Augmentation("mirror", records.captions, _SIZE)
    assert pipeline.has_regions
    mirrored = 0
    for batch in pipeline.training_batches(plan, 0, 4, augmentation).as_numpy_iterator():
        # The phrase's region has its box, which reaches from the left edge to the middle.
        np.testing.assert_array_equal(batch["region_boxes"][:, 0], batch["phrase_boxes"])
        mirrored += int((batch["phrase_boxes"][:, 3] == 1).sum())
        assert set(batch["phrase_boxes"][:, 1]) <= {0, 0.5}
    assert 0 < mirrored < 16


def test_one_region_that_is_the_whole_frame_is_no_region(tmp_path):
    write_records(tmp_path, images_stored=True)
    split = RecordSplit(tmp_path, "train")
    for num_regions, expected in ((1, False), (2, True)):
        pipeline = InputPipeline(split, image_size=_SIZE, num_regions=num_regions)
        assert pipeline.has_regions == expected


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="mirror, randaugment or autoaugment.*'mixup'"):
        Augmentation("mixup", _CAPTIONS, _SIZE)
