import pytest
from source_samples import SAMPLES, change_json, copy_sample

from tfrecords_tools.sources.coco import CocoInstances

ANNOTATIONS = SAMPLES / "coco" / "annotations"


def test_boxes_are_normalised_and_each_is_a_chain_of_its_category():
    objects, phrases, problems = CocoInstances(ANNOTATIONS).annotate(9, ())
    # [160, 120, 320, 240] and [0, 240, 640, 240] of 640 x 480.
    assert [(item.chain, item.box) for item in objects] == [
        ("dog#1", (0.25, 0.25, 0.75, 0.75)),
        ("bench#2", (0.5, 0.0, 1.0, 1.0)),
    ]
    assert phrases == () and problems == []


def test_crowds_and_boxes_without_area_are_left_out_and_counted():
    objects, _, problems = CocoInstances(ANNOTATIONS).annotate(25, ())
    assert [item.chain for item in objects] == ["person#3", "person#4"]
    assert problems == [
        (None, "the box of bench#6 has no area inside the image"),
        (None, "boxes of crowds are left out: 1"),
    ]


def test_ids_that_are_no_whole_numbers_are_counted_and_not_cut(tmp_path):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"

    def spoil(content):
        box = content["annotations"][0]
        content["annotations"] += [{**box, "id": 99.5}, {**box, "id": 98, "image_id": 42.5}]
        content["images"].append({**content["images"][0], "id": True})

    change_json(path, spoil)
    instances = CocoInstances(path)
    assert len(instances.annotate(42, ())[0]) == 1
    assert instances.leftovers(()) == ["3 entries whose ids are no whole numbers"]


def test_a_second_box_of_an_id_is_left_out_and_counted(tmp_path):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"

    def repeat(content):
        content["annotations"].append({**content["annotations"][0], "bbox": [0, 0, 5, 5]})

    change_json(path, repeat)
    objects, _, problems = CocoInstances(path).annotate(42, ())
    # The right half.
    assert [item.box for item in objects] == [(0.0, 0.5, 1.0, 1.0)]
    assert problems == [(None, "second boxes of an id are left out: 1")]


def test_a_second_entry_of_an_image_is_left_out_and_counted(tmp_path):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"

    def repeat(content):
        content["images"].append({**content["images"][0], "width": 1280})

    change_json(path, repeat)
    objects, _, problems = CocoInstances(path).annotate(42, ())
    # The right half of 640 pixels, the first entry's width.
    assert [item.box for item in objects] == [(0.0, 0.5, 1.0, 1.0)]
    assert problems == [(None, "second entries of the image are left out: 1")]


def test_an_image_in_two_files_has_the_boxes_of_the_first(tmp_path):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"
    path.with_name("instances_val2017.json").write_bytes(path.read_bytes())
    objects, _, problems = CocoInstances(path.parent).annotate(42, ())
    assert [item.box for item in objects] == [(0.0, 0.5, 1.0, 1.0)]
    assert problems == [
        (None, "second boxes of an id are left out: 1"),
        (None, "second entries of the image are left out: 1"),
    ]


def test_boxes_of_no_image_are_counted(tmp_path):
    assert CocoInstances(ANNOTATIONS).leftovers(()) == []
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"

    def stray(content):
        box = content["annotations"][0]
        content["annotations"] += [
            {**box, "id": 7001 + place, "image_id": number}
            for place, number in enumerate((888, 777, 777))
        ]
        # A second one of an id, too.
        content["annotations"].append(content["annotations"][-1])

    change_json(path, stray)
    assert CocoInstances(path).leftovers(()) == [
        "4 boxes of no image in the instances files (first: of 777)"
    ]


def test_boxes_are_clipped_to_the_photograph(tmp_path):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"
    change_json(path, lambda content: content["annotations"][1].update(bbox=[-64, 360, 128, 999]))
    objects, _, _ = CocoInstances(path).annotate(73, ())
    assert [item.box for item in objects] == [(0.75, 0.0, 1.0, 0.1)]


def test_an_unknown_photograph_is_a_problem():
    assert CocoInstances(ANNOTATIONS).annotate(7, ()) == (
        (),
        (),
        [(None, "no image 7 in the instances files")],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["annotations"][0].pop("bbox"), "no entry 'bbox'"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2, 3]), "the box"),
        (lambda content: content["annotations"][0].update(category_id=99), "no entry 99"),
        (lambda content: content["images"][0].update(width=0), "image 42 of 0 x 480"),
        (lambda content: content.update(images=[3]), "Received"),
    ],
)
def test_another_form_is_one_clear_error(tmp_path, change, message):
    path = copy_sample("coco", tmp_path) / "annotations" / "instances_val2014.json"
    change_json(path, change)
    with pytest.raises(ValueError, match=f"instances_val2014.json.*{message}"):
        CocoInstances(path)


def test_missing_files_say_what_to_get(tmp_path):
    with pytest.raises(FileNotFoundError, match="annotations_trainval2014.zip"):
        CocoInstances(tmp_path)
