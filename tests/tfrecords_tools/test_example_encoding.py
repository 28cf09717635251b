import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tfrecords_tools.example_encoding import ExampleError, encode_example
from tfrecords_tools.sources.source import SourceExample
from vsa_tf.data import schema
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase

EXAMPLE = SourceExample(
    source_id="7",
    filename="ü.jpg",
    captions=("A dog runs", "Hund – läuft"),
    read_image=bytes,
    objects=(AnnotatedBox("1", (0.0, 0.25, 0.5, 1.0)), AnnotatedBox("2", (0.5, 0.0, 1.0, 1.0))),
    phrases=(AnnotatedPhrase(0, 0, 2, "1", "animals"),),
)
IMAGE = (b"jpeg", "JPEG", 30, 40)
BOXES = np.array([[0, 0, 1, 1], [0.25, 0.5, 0.75, 1]], np.float32)
SCORES = np.array([1, 0.5], np.float32)
FEATURES = np.array([[1, -2, 0.5], [3, 4, 65504]], np.float32)


def encode(features=FEATURES, boxes=BOXES, store_image=True, chain_features=None, **changes):
    example = dataclasses.replace(EXAMPLE, **changes)
    return encode_example(
        example, IMAGE, boxes, SCORES, features, chain_features, store_image=store_image
    )


def test_record_holds_every_key_of_the_schema():
    features = tf.train.Example.FromString(encode()).features.feature
    texts = {
        key: [v.decode() for v in features[key].bytes_list.value]
        for key in (
            schema.IMAGE_SOURCE_ID,
            schema.IMAGE_FILENAME,
            schema.CAPTION_RAW,
            schema.OBJECT_CHAIN,
            schema.PHRASE_CHAIN,
            schema.PHRASE_TYPE,
            schema.IMAGE_FORMAT,
            schema.IMAGE_ENCODED,
        )
    }
    assert list(texts.values()) == [
        ["7"],
        ["ü.jpg"],
        ["A dog runs", "Hund – läuft"],
        ["1", "2"],
        ["1"],
        ["animals"],
        ["JPEG"],
        ["jpeg"],
    ]
    numbers = [
        list(features[key].int64_list.value)
        for key in (
            schema.IMAGE_HEIGHT,
            schema.IMAGE_WIDTH,
            schema.PHRASE_CAPTION_INDEX,
            schema.PHRASE_FIRST_WORD,
            schema.PHRASE_NUM_WORDS,
        )
    ]
    assert numbers == [[30], [40], [0], [0], [2]]
    regions = [list(features[key].float_list.value) for key in schema.REGION_BOX]
    assert regions == [[0, 0.25], [0, 0.5], [1, 0.75], [1, 1]]
    objects = [list(features[key].float_list.value) for key in schema.OBJECT_BOX]
    assert objects == [[0, 0.5], [0.25, 0], [0.5, 1], [1, 1]]
    assert list(features[schema.REGION_SCORE].float_list.value) == [1, 0.5]
    data = features[schema.REGION_FEATURE].bytes_list.value[0]
    np.testing.assert_array_equal(np.frombuffer(data, "<f2").reshape(2, 3), FEATURES)
    assert features[schema.IMAGE_FEATURE].bytes_list.value[0] == data[:6]


def test_keys_are_in_sorted_order_so_that_bytes_are_defined():
    data = encode()
    places = [
        data.index(key.encode())
        for key in sorted(
            [*schema.REGION_BOX, *schema.OBJECT_BOX, schema.CAPTION_RAW, schema.IMAGE_SOURCE_ID]
        )
    ]
    assert places == sorted(places)
    assert data == encode()


def test_features_and_image_are_optional():
    data = encode(features=None, store_image=False)
    features = tf.train.Example.FromString(data).features.feature
    for key in (
        schema.REGION_FEATURE,
        schema.IMAGE_FEATURE,
        schema.IMAGE_ENCODED,
        schema.IMAGE_FORMAT,
    ):
        assert key not in features


def test_chains_have_one_feature_each_however_many_boxes_they_have():
    boxes = (AnnotatedBox("2", (0.0, 0.0, 0.5, 0.5)), *EXAMPLE.objects)
    data = encode(chain_features=FEATURES, objects=boxes)  # chains 2, 1
    (stored,) = (
        tf.train.Example.FromString(data)
        .features.feature[schema.OBJECT_CHAIN_FEATURE]
        .bytes_list.value
    )
    np.testing.assert_array_equal(np.frombuffer(stored, "<f2").reshape(2, 3), FEATURES)
    assert schema.OBJECT_CHAIN_FEATURE.encode() not in encode()


def test_photograph_without_boxes_has_no_chain_feature():
    data = encode(chain_features=FEATURES[:0], objects=(), phrases=())
    values = tf.train.Example.FromString(data).features.feature
    assert list(values[schema.OBJECT_CHAIN_FEATURE].bytes_list.value) == [b""]


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": changed(FEATURES, (1, 2), np.nan)}, "feature of region 1 holds NaN"),
        ({"features": changed(FEATURES, (0, 0), -np.inf)}, "feature of region 0 holds NaN or inf"),
        ({"features": changed(FEATURES, (0, 0), 70000)}, "70000 does not fit into float16"),
        ({"features": FEATURES[:1]}, r"Expected region features \[2, D\]"),
        ({"chain_features": FEATURES[:1]}, r"Expected chain features \[2, D\]"),
        ({"chain_features": changed(FEATURES, (0, 1), np.inf)}, "feature of chain 0 holds NaN or"),
        ({"boxes": changed(BOXES, (1, 0), np.nan)}, "region box are not finite"),
        ({"boxes": changed(BOXES, (1, 3), 1.5)}, "region box is outside"),
        ({"boxes": changed(BOXES, (1, 3), 0.5)}, "has no area"),
        ({"objects": (AnnotatedBox("1", (0.1, 0.1, 0.1, 0.5)),)}, "object box .* no area"),
        ({"objects": (AnnotatedBox("1", (-0.1, 0.1, 0.1, 0.5)),)}, "object box is outside"),
        ({"captions": (), "phrases": ()}, "no usable caption"),
        ({"captions": ("A dog runs", " \n")}, "caption 1 is empty"),
        ({"captions": ("A dog runs", "caf\udce9")}, "not UTF-8"),
        ({"phrases": (AnnotatedPhrase(2, 0, 1, "1", "x"),)}, "a phrase of caption 2 of 2"),
        ({"phrases": (AnnotatedPhrase(0, 2, 2, "1", "x"),)}, "words 2 to 4 in a caption of 3"),
        ({"phrases": (AnnotatedPhrase(0, 1, 0, "1", "x"),)}, "words 1 to 1"),
    ],
)
def test_what_would_mislead_a_model_is_refused(changes, reason):
    with pytest.raises(ExampleError, match=reason):
        encode(**changes)
