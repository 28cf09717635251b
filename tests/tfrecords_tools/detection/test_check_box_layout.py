import numpy as np
import pytest

from tfrecords_tools.detection.check_box_layout import check_box_layout


def boxes(count=12, seed=0):
    """Boxes of `count` images, all over the frame."""
    random = np.random.default_rng(seed)
    found = {}
    for image in range(count):
        start = random.uniform(0, 0.6, (30, 2))
        ends = start + random.uniform(0.1, 0.4, (30, 2))
        found[f"{image}.jpg"] = np.concatenate([start, ends], axis=1)
    return found


def changed(change, **options):
    return {name: change(own.copy()) for name, own in boxes(**options).items()}


def corner_and_size(own):
    own[:, 2:] -= own[:, :2]
    return own


@pytest.mark.parametrize("seed", range(5))
def test_normalised_boxes_pass(seed):
    check_box_layout(boxes(seed=seed), "p.json")
    # As detectors clip nothing, and images may be without any.
    check_box_layout(changed(lambda own: own * 1.01 - 0.005, seed=seed), "p.json")
    check_box_layout({"a.jpg": np.zeros((0, 4))}, "p.json")


def test_small_boxes_in_a_corner_of_few_images_pass():
    check_box_layout(changed(lambda own: own / 20, count=9), "p.json")


def test_boxes_whose_sums_happen_to_be_small_pass():
    # All in the upper left quarter: a corner and a size would be no less possible.
    check_box_layout(changed(lambda own: own / 2), "p.json")


@pytest.mark.parametrize(
    ("change", "looks_like"),
    [
        (lambda own: own * [375, 500, 375, 500], "look like pixels"),
        (lambda own: own * [500, 375, 500, 375], "look like pixels"),
        # Per cent, or images of 96 x 64 pixels.
        (lambda own: own * 100, "look like per cent .*by 100; or like pixels.*height and width"),
        (lambda own: own * [64, 96, 64, 96], "look like per cent .*; or like pixels"),
        (lambda own: own * 1000, "look like pixels"),
        (corner_and_size, "a corner and a size"),
        (lambda own: own / 224, "divided by the size of the image twice"),
    ],
)
def test_another_scale_or_layout_is_named(change, looks_like):
    with pytest.raises(ValueError, match=f"ymin, xmin.*p.json.*{looks_like}"):
        check_box_layout(changed(change), "p.json")


@pytest.mark.parametrize(
    "box", [[0, 0, 1.5, 1], [-0.5, 0, 1, 1], [0.5, 0.5, 0.2, 0.9], [0, 0, 1, 0]]
)
def test_one_wrong_box_among_right_ones_is_named_with_its_image(box):
    found = boxes()
    found["7.jpg"][3] = box
    with pytest.raises(ValueError, match=r"\[.*\] for 7.jpg"):
        check_box_layout(found, "p.json")
