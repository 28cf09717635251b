import types

from tfrecords_tools.exporting.left_out import left_out

SPLITS = {
    name: types.SimpleNamespace(num_images=number, num_phrases=10 * number)
    for name, number in {"train": 3, "dev": 1}.items()
}


def records(**changes):
    entries = {
        "images_stored": True,
        "num_regions": 4,
        "region_feature_size": 8,
        "object_features": True,
    }
    return types.SimpleNamespace(**(entries | changes), split=SPLITS.__getitem__)


def test_what_records_hold_is_named_with_its_counts():
    assert left_out(records(), ["train"], annotated_boxes=7, dependency_relations=0) == [
        "regions, at most 4 an image",
        "features of 8 numbers",
        "features of annotated boxes",
        "7 annotated boxes",
        "30 phrases",
    ]


def test_what_a_format_carries_is_not_named():
    lines = left_out(
        records(object_features=False),
        ["train", "dev"],
        images_carried=False,
        features_carried=True,
    )
    assert lines == ["4 images", "40 phrases"]


def test_nothing_is_left_out_of_records_that_hold_no_more():
    SPLITS["test"] = types.SimpleNamespace(num_images=2, num_phrases=0)
    info = records(num_regions=1, region_feature_size=0, object_features=False)
    assert left_out(info, ["test"], annotated_boxes=0) == []
