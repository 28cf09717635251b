"""Classes of annotated boxes, and detectors' trainers that read them."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from mini_flickr8k import files, jpeg, write_directories
from official.vision.dataloaders.tf_example_decoder import TfExampleDecoder
from written_records import SETTINGS, contents, csv_source, write

from tfrecords_tools.sources.coco import CocoInstances
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.sources.shape_scene import SHAPES
from tfrecords_tools.sources.shape_scenes import ShapeScenes
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.schema import AnnotatedBox
from vsa_tf.files import read_sealed


def records(data_dir, split="train"):
    paths = DatasetInfo.load(data_dir).shard_paths(split)
    return [data.numpy() for data in tf.data.TFRecordDataset(paths)]


def test_model_garden_reads_boxes_classes_and_photographs(tmp_path):
    source = ShapeScenes(6, 1, 1)
    write(source, tmp_path / "out")
    decoder = TfExampleDecoder()
    for example, data in zip(source.examples("train"), records(tmp_path / "out"), strict=True):
        decoded = decoder.decode(data)
        assert decoded["source_id"].numpy().decode() == example.source_id
        assert decoded["image"].shape == (96, 96, 3) and decoded["height"] == 96
        scene = source.scene("train", int(example.source_id[-6:]))
        # In the order of the boxes, whose chains name shapes by their numbers.
        boxes = [item.box for item in example.objects]
        np.testing.assert_allclose(decoded["groundtruth_boxes"], boxes, rtol=1e-6)
        shapes = {box: shape.shape for box, shape in zip(scene.boxes, scene.shapes, strict=True)}
        expected = [SHAPES.index(shapes[tuple(box)]) + 1 for box in boxes]
        assert decoded["groundtruth_classes"].numpy().tolist() == expected


def test_labels_are_listed_and_the_same_in_every_shard_and_split(tmp_path):
    info = write(ShapeScenes(20, 10, 10), tmp_path / "out").info
    expected = {str(label): name for label, name in enumerate(SHAPES, 1)}
    assert info["object_classes"] == expected
    assert read_sealed(tmp_path / "out" / "dataset_info.json")["object_classes"] == expected


def test_boxes_of_unknown_things_are_things_and_photographs_without_have_no_key(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg(seed=1), "b.jpg": jpeg(seed=2)})
    examples = list(source.examples("train"))
    object.__setattr__(examples[0], "objects", (AnnotatedBox("1", (0.0, 0.0, 0.5, 1.0)),))
    source.examples = lambda split: examples
    info = write(source, tmp_path / "out").info
    assert info["object_classes"] == {"1": "thing"}
    first, second = records(tmp_path / "out")
    values = tf.train.Example.FromString(first).features.feature
    assert list(values["image/object/class/label"].int64_list.value) == [1]
    assert list(values["image/object/class/text"].bytes_list.value) == [b"thing"]
    assert b"object/class" not in second
    decoded = TfExampleDecoder().decode(second)
    assert decoded["groundtruth_boxes"].shape == (0, 4)


def test_records_without_boxes_list_no_classes(tmp_path):
    info = write(csv_source(tmp_path, {"a.jpg": jpeg()}), tmp_path / "out").info
    assert "object_classes" not in info


def test_a_box_of_entities_is_of_the_type_of_its_chains_first_phrase(tmp_path):
    source = Flickr8k(**write_directories(tmp_path, files()))
    classes = {
        (item.chain, item.object_class.name, item.object_class.label)
        for example in source.examples("train")
        for item in example.objects
    }
    assert classes == {("1", "animals", 4), ("2", "people", 1), ("3", "other", 8)}


@pytest.mark.parametrize("first", [1, 0])
def test_categories_of_coco_keep_their_numbers_from_1(tmp_path, first):
    content = {
        "images": [{"id": 1, "width": 10, "height": 10}],
        "categories": [{"id": first, "name": "cat"}, {"id": first + 9, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": category, "iscrowd": 0, "bbox": [0, 0, 5, 5]}
            for n, category in enumerate((first + 9, first))
        ],
    }
    path = tmp_path / "instances_val2017.json"
    path.write_text(json.dumps(content))
    objects, _, _ = CocoInstances(path).annotate(1, ())
    # 0 is a detector's background.
    found = [(item.chain, item.object_class.label, item.object_class.name) for item in objects]
    assert found == [("dog#0", 10, "dog"), ("cat#1", 1, "cat")]


def write_instances(path, categories):
    """Writes an instances file of one image, numbered as the file's name, of one box a category."""
    image_id = int(path.stem[-4:])
    content = {
        "images": [{"id": image_id, "width": 10, "height": 10}],
        "categories": [{"id": label, "name": name} for label, name in categories.items()],
        "annotations": [
            dict(id=label, image_id=image_id, category_id=label, iscrowd=0, bbox=[0, 0, 5, 5])
            for label in categories
        ],
    }
    path.write_text(json.dumps(content))


def test_a_class_has_one_number_in_all_files_of_coco(tmp_path):
    write_instances(tmp_path / "instances_train2014.json", {0: "cat", 1: "dog"})
    write_instances(tmp_path / "instances_val2015.json", {1: "dog"})
    instances = CocoInstances(tmp_path)
    (cat, dog), ((other,), _, _) = instances.annotate(2014, ())[0], instances.annotate(2015, ())
    assert (cat.object_class.label, dog.object_class.label) == (1, 2)
    assert other.object_class == dog.object_class


def test_files_of_coco_that_number_other_classes_alike_are_refused(tmp_path):
    write_instances(tmp_path / "instances_train2014.json", {1: "cat", 2: "dog"})
    write_instances(tmp_path / "instances_val2015.json", {1: "dog"})
    message = "instances_train2014.json, instances_val2015.json. Received: 1 for 'cat', 'dog'"
    with pytest.raises(ValueError, match=message):
        CocoInstances(tmp_path)


@pytest.mark.parametrize(
    ("has_classes", "message"), [(False, "of a version whose boxes had no"), (True, "have changed")]
)
def test_a_damaged_shard_of_before_classes_is_told_so(tmp_path, has_classes, message):
    source = ShapeScenes(2, 1, 1)
    info = write(source, tmp_path / "out").info
    # Its checksum is that of other bytes, as is that of records without the classes.
    info["splits"]["train"]["shards"][0]["sha256"] = "0" * 64
    if not has_classes:
        del info["object_classes"]
    (tmp_path / "out" / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match=f"was damaged, .*{message}.* Empty the directory"):
        write(source, tmp_path / "out")


def test_shards_of_an_interrupted_run_without_classes_are_written_again(tmp_path, monkeypatch):
    source, settings = ShapeScenes(8, 2, 2), dataclasses.replace(SETTINGS, num_shards=2)
    write(source, tmp_path / "whole", settings)
    calls = []

    def replace(source, target, original=os.replace):
        calls.append(target)
        if len(calls) == 4:  # the settings, the first shard, its note, the second shard
            raise OSError(28, "No space left on device", target)
        original(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="No space left"):
            write(source, tmp_path / "out", settings)
    (note,) = (tmp_path / "out").glob(".train-*.json")
    content = read_sealed(note)
    # As of before boxes had classes.
    del content["object_classes"]
    note.write_text(json.dumps(content))
    assert write(source, tmp_path / "out", settings).num_images == 12
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
