import logging

import numpy as np
import pytest
from small_tfds import coco_like_features, tfds

from tfrecords_tools.sources.tfds_features import TfdsFeatures, load_tfds


def find(**features):
    return TfdsFeatures.find(tfds.features.FeaturesDict(features))


def image():
    return tfds.features.Image()


def boxes(**more):
    return tfds.features.Sequence({"bbox": tfds.features.BBoxFeature(), **more})


def test_features_of_coco_captions_are_told_by_their_names():
    found = TfdsFeatures.find(tfds.features.FeaturesDict(coco_like_features()))
    assert (found.image, found.captions, found.text) == ("image", "captions", "text")
    assert (found.source_id, found.filename) == ("image/id", "image/filename")
    assert found.boxes.name == "objects"
    assert found.boxes.parts == {"bbox", "label", "id", "is_crowd"}
    assert found.annotations() == {
        "captions": {"text"},
        "image/id": True,
        "image/filename": True,
        "objects": {"bbox", "label", "id", "is_crowd"},
    }


@pytest.mark.parametrize(
    ("captions", "text"),
    [
        (lambda: tfds.features.Text(), None),
        (lambda: tfds.features.Sequence(tfds.features.Text()), None),
        (lambda: tfds.features.Sequence({"words": np.str_, "id": np.int64}), "words"),
        (lambda: tfds.features.Sequence({"raw": np.str_, "language": np.str_}), "raw"),
    ],
)
def test_captions_may_be_one_text_or_several_or_part_of_a_sequence(captions, text):
    found = find(image=image(), captions=captions())
    assert (found.captions, found.text) == ("captions", text)


def test_first_name_that_is_text_is_the_captions():
    found = find(
        image=image(),
        description=np.str_,
        sentence=np.str_,
        caption=tfds.features.Sequence(np.int64),
    )
    assert found.captions == "sentence"


def test_of_several_images_the_one_called_image_is_the_photograph():
    masked = {"image": image(), "mask": image(), "caption": np.str_}
    assert find(**masked).image == "image"
    assert find(photo=image(), caption=np.str_).image == "photo"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            lambda: {"caption": np.str_, "label": np.int64},
            "Expected one image, .* Received: caption: (Text|Tensor|Scalar), label",
        ),
        (lambda: {"a": image(), "b": image(), "caption": np.str_}, "a: Image, b: Image"),
        (lambda: {"image": image(), "title": np.str_}, "text called captions, .* title"),
        (
            lambda: {
                "image": image(),
                "captions": tfds.features.Sequence({"x": np.str_, "y": np.str_}),
            },
            "text called captions, .*{x: .*, y: ",
        ),
        (
            lambda: {"image": image(), "caption": np.str_, "cars": boxes(), "dogs": boxes()},
            "boxes in one sequence, or in one called objects",
        ),
        (
            lambda: {
                "image": image(),
                "caption": np.str_,
                "cars": tfds.features.Sequence(
                    {"a": tfds.features.BBoxFeature(), "b": tfds.features.BBoxFeature()}
                ),
            },
            "one box in cars, or one called bbox. Received: a, b",
        ),
    ],
)
def test_unclear_features_are_listed(features, message):
    with pytest.raises(ValueError, match=message):
        find(**features())


def test_boxes_need_neither_classes_nor_numbers():
    found = find(image=image(), caption=np.str_, things=boxes())
    objects, problems = found.boxes.annotate({"bbox": np.float32([[0, 0, 0.5, 1], [0, 0, 1, 2]])})
    assert [(item.chain, item.box) for item in objects] == [
        ("object#0", (0.0, 0.0, 0.5, 1.0)),
        ("object#1", (0.0, 0.0, 1.0, 1.0)),
    ]
    assert problems == []


def test_a_box_without_a_class_is_left_out_and_listed():
    labels = tfds.features.ClassLabel(names=["cat", "dog"])
    parts = {"bbox": tfds.features.BBoxFeature(), "label": labels}
    found = find(image=image(), caption=np.str_, objects=tfds.features.Sequence(parts))
    rows = {"bbox": np.float32([[0, 0, 1, 1]] * 2), "label": np.int64([-1, 1])}
    objects, problems = found.boxes.annotate(rows)
    assert [(item.chain, item.object_class.label) for item in objects] == [("dog#1", 2)]
    assert problems == ["the box of object#0 has no class"]


def test_boxes_in_pixels_are_not_taken_for_shares():
    pixels = tfds.features.BBoxFeature(bbox_format="XYXY")
    found = find(image=image(), caption=np.str_, objects=tfds.features.Sequence({"bbox": pixels}))
    assert found.boxes is None


def test_warnings_of_its_own_names_are_not_shown(caplog):
    load_tfds()
    logger = logging.getLogger("absl")
    logger.warning("`FeatureConnector.dtype` is deprecated. Please change your code.")
    logger.warning("Something else.")
    assert [record.getMessage() for record in caplog.records] == ["Something else."]
