import numpy as np
import pytest
from feature_files import BOXES, SIZE, encoded, features_of, row, write_arrays_of

from tfrecords_tools.sources.region_features import BoxLayout, parse_row, read_arrays, read_regions


def read_row(tmp_path, line, size=None, feature_size=4):
    path = tmp_path / "rows.tsv"
    path.write_text("other\n" + line)
    return read_regions(("table", str(path), 6, len(line), None), feature_size, size)


def test_regions_follow_their_mean_with_normalised_boxes(tmp_path):
    features, boxes, size = read_row(tmp_path, row(1))
    expected = features_of(1)
    assert size == (320, 480)
    np.testing.assert_array_equal(features[1:], expected)
    np.testing.assert_allclose(features[0], expected.sum(axis=0) / 3, rtol=1e-6)
    assert boxes[:3].tolist() == [[0, 0, 1, 1], [0, 0, 1, 0.5], [0.25, 0.125, 0.75, 0.375]]
    # 160.25 / 320; 120.5 / 480; what exceeds the frame by rounding ends with it.
    np.testing.assert_allclose(boxes[3], [0.50078125, 0.25104167, 1, 479.6 / 480], rtol=1e-6)


def test_rows_of_lxmert_have_the_height_first_and_ten_columns():
    columns = ["COCO_val2014_000000000042", "320", "480", "b2JqZWN0cw==", "", "", "", "3"]
    line = "\t".join([*columns, encoded(BOXES), encoded(features_of(1))]) + "\n"
    parsed = parse_row(line.encode())
    assert (parsed.name, parsed.size) == ("COCO_val2014_000000000042", (320, 480))
    assert parsed.num_numbers == 12 and len(parsed.boxes) == 3


@pytest.mark.parametrize("count", [1, 2, 3, 35, 36])
def test_numbers_are_counted_without_decoding_them(count):
    boxes = [[0, 0, 9, 9]] * count
    for size in (1, 3, 5):
        parsed = parse_row(row(1, boxes, features_of(1, count, size)).encode())
        assert parsed.num_numbers == count * size


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (row(1, count=4), "3 boxes where num_boxes is 4"),
        (row(1, boxes=[], features=np.zeros((0, 4))), "0 boxes where num_boxes is 0"),
        ("1\t2\t3\n", "3 columns where there are image_id, image_w"),
        (row(1, width="wide"), "an id, height, width and count of"),
        (row(1).replace("\t320\t", "\t\t"), "an id, height, width and count of"),
        (row(1).replace(encoded(BOXES), "!"), "boxes that are no base64 of float32"),
        (row(1).replace(encoded(BOXES), "AAA="), "boxes that are no base64 of float32"),
    ],
)
def test_rows_that_do_not_fit_together_say_why(line, reason):
    with pytest.raises(ValueError, match=reason):
        parse_row(line.encode())


@pytest.mark.parametrize(
    ("line", "size", "reason"),
    [
        (row(1), (480, 320), "features of an image of 480 x 320 pixels, .* has 320 x 480"),
        (row(1, features=features_of(1, 3, 5)), None, "features of 5 numbers where others have 4"),
        (row(1, boxes=[[0, 0, 500, 9]], features=features_of(1, 1)), None, "is outside the image"),
        (row(1, boxes=[[9, 9, 9, 19]], features=features_of(1, 1)), None, "has no area in the"),
        (row(1, boxes=[[9, 9, float("nan"), 19]], features=features_of(1, 1)), None, "is outside"),
        (row(1, width=0, height=0), None, "is outside the image of 0 x 0"),
    ],
)
def test_regions_that_cannot_be_used_say_why(tmp_path, line, size, reason):
    with pytest.raises(ValueError, match=reason):
        read_row(tmp_path, line, size)


def test_a_photograph_may_be_stored_smaller(tmp_path):
    assert read_row(tmp_path, row(1), (161, 240)).size == (320, 480)


def test_arrays_go_by_several_names_and_axes(tmp_path):
    expected = features_of(2)
    np.savez_compressed(
        tmp_path / "a.npz", features=expected.T, boxes=np.float64(BOXES), img_h=320, img_w=480
    )
    features, boxes, size = read_arrays([str(tmp_path / "a.npz")])
    assert size == (320, 480) and boxes.shape == (3, 4)
    np.testing.assert_array_equal(features, expected)


def test_regions_behind_the_count_are_padding(tmp_path):
    boxes = [*BOXES, [0, 0, 0, 0]]
    np.savez(tmp_path / "a.npz", x=features_of(2, 4), bbox=boxes, num_bbox=np.array([3]), **SIZE)
    features, boxes, _ = read_arrays([str(tmp_path / "a.npz")])
    assert len(features) == len(boxes) == 3


def test_two_files_of_a_photograph_need_its_size(tmp_path):
    np.save(tmp_path / "boxes.npy", np.float32(BOXES))
    np.savez(tmp_path / "features.npz", feat=features_of(2))
    reader = ("arrays", str(tmp_path / "features.npz"), str(tmp_path / "boxes.npy"))
    with pytest.raises(ValueError, match="unknown size: give --images"):
        read_regions(reader, 4)
    regions = read_regions(reader, 4, (320, 480))
    assert regions.size == (320, 480) and regions.boxes.shape == (4, 4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": features_of(1, 2)}, "features of 2 regions, and 3 boxes"),
        ({"boxes": [[1, 2, 3]] * 3}, r"Expected x or feat or features \[R, D\].*bbox \[3, 3\]"),
        ({"features": np.zeros((3, 4), int)}, "features of int64"),
        ({"features": np.array([None] * 3)}, "Expected a file of arrays in .*a.npz"),
        ({"features": np.zeros((3, 2, 4), np.float32)}, r"x \[3, 2, 4\]"),
    ],
)
def test_arrays_that_do_not_fit_together_say_why(tmp_path, changes, reason):
    write_arrays_of(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=reason):
        read_arrays([str(tmp_path / "a.npz")])


def layout_of(*rows, size=(320, 480)):
    layout = BoxLayout("these files")
    for boxes in rows:
        try:
            layout.add(np.float32(boxes), size)
        except ValueError:
            pass
    layout.check()


def test_most_boxes_tell_the_order_of_all():
    swapped = np.float32(BOXES)[:, [1, 0, 3, 2]]
    corners = [[100, 50, 60, 200], [300, 200, 150, 100]]
    with pytest.raises(ValueError, match="boxes that look like ymin, xmin, ymax, xmax: the box"):
        layout_of(swapped, swapped, BOXES)
    with pytest.raises(ValueError, match="boxes that look like x, y, width, height: the box"):
        layout_of(corners, corners)
    with pytest.raises(ValueError, match="in these files. Received: boxes: the box"):
        layout_of([[0, 0, 900, 900]])
    layout_of(swapped, BOXES)  # no more than half


def test_boxes_that_never_reach_far_are_of_another_scale():
    normalised = np.float32([[0.0, 0.0, 0.9, 1.0]])
    with pytest.raises(ValueError, match="look normalised, or in pixels of smaller images"):
        layout_of(*[normalised] * 10)
    layout_of(*[normalised] * 9)
    layout_of(*[normalised] * 10, BOXES)
