import json
import pathlib

import numpy as np
import pytest

from tfrecords_tools.detection.file_proposals import BoxOrder, FileProposals, check_box_layout
from tfrecords_tools.sources.caption_source import file_names
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.source import SourceExample
from vsa_tf.data.schema import AnnotatedBox

CASES = pathlib.Path(__file__).parents[4] / "shared" / "cases" / "proposals_same_names"
IMAGE = np.zeros((20, 30, 3), np.uint8)
SWAP = [1, 0, 3, 2]


def example(name="a.jpg", **fields):
    return SourceExample(name, name, ("A dog .",), lambda: b"", **fields)


@pytest.fixture
def detector_of(tmp_path):
    def make(content):
        path = tmp_path / "p.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return FileProposals(str(path))

    return make


def test_proposals_follow_the_image_name(detector_of):
    detector = detector_of({"b.jpg": {"boxes": [[0, 0, 1, 0.5], [0, 0, 0.5, 0.5]]}})
    ((boxes, scores),) = detector.detect([IMAGE], [example("b.jpg")])
    np.testing.assert_array_equal(boxes, [[0, 0, 1, 0.5], [0, 0, 0.5, 0.5]])
    assert scores[0] > scores[1]
    with pytest.raises(ValueError, match="no proposals for a.jpg"):
        detector.detect([IMAGE], [example("a.jpg")])


def test_all_images_without_proposals_are_counted(detector_of):
    examples = [example(f"{number}.jpg") for number in range(6)]
    detector = detector_of({"2.jpg": {"boxes": [[0, 0, 1, 0.5]]}})
    assert detector.missing(examples) == examples[:2] + examples[3:]
    with pytest.raises(ValueError, match="no proposals for 0.jpg, 1.jpg, 3.jpg and 2 more"):
        detector.check(examples)
    detector.check(examples[2:3])


def test_scores_are_those_of_the_file(detector_of):
    detector = detector_of({"a.jpg": {"boxes": [[0, 0, 1, 1]], "scores": [0.25]}})
    assert detector.detect([IMAGE], [example()])[0][1].tolist() == [0.25]


def test_an_image_may_have_no_proposal(detector_of):
    ((boxes, scores),) = detector_of({"a.jpg": {"boxes": []}}).detect([IMAGE], [example()])
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def photographs(*paths):
    """Examples of these paths, which those that share a name are known by."""
    names = file_names(paths)
    return [SourceExample(p, names[p], ("A dog .",), lambda: b"", path=p) for p in paths]


def entries(*names):
    """An entry a name, each of one box that is like no other."""
    return {name: {"boxes": [[0, 0, 1, 0.1 * n]]} for n, name in enumerate(names, 1)}


@pytest.mark.parametrize(
    "names",
    [
        ["a/1.jpg", "b/1.jpg", "b/2.jpg"],
        ["./a/1.jpg", "/photos/b/1.jpg", "2.jpg"],
        ["photos/a/1.jpg", "photos/b/1.jpg", "photos/b/2.jpg"],
        ["a\\1.jpg", "b/1.jpg", "2.jpg", "1.jpg"],
    ],
)
def test_photographs_of_one_name_have_the_proposals_of_their_paths(detector_of, names):
    examples = photographs("a/1.jpg", "b/1.jpg", "b/2.jpg")
    found = detector_of(entries(*names)).detect([IMAGE] * 3, examples)
    assert [boxes[0, 3] for boxes, _ in found] == pytest.approx([0.1, 0.2, 0.3])


def test_a_name_that_two_photographs_have_is_refused_with_both_paths(detector_of):
    detector = detector_of(entries("1.jpg", "2.jpg"))
    examples = photographs("a/1.jpg", "b/1.jpg", "b/2.jpg")
    with pytest.raises(ValueError, match="'1.jpg', which may be 'a/1.jpg' or 'b/1.jpg'"):
        detector.check(examples)
    # The same where only one of them is asked for, as by --splits.
    with pytest.raises(ValueError, match="no proposals for a/1.jpg, and its 1.jpg may be another"):
        detector.check(examples[:1])
    assert detector.missing(examples[2:]) == []


def test_an_entry_for_two_photographs_is_refused_whatever_they_are_called(detector_of):
    # Data sets that say no path.
    twins = [
        SourceExample(name, "1.jpg", ("A dog .",), lambda: b"") for name in ("first", "second")
    ]
    with pytest.raises(ValueError, match="'first' or 'second'"):
        detector_of(entries("1.jpg")).missing(twins)


def test_two_entries_for_one_photograph_are_refused(detector_of):
    with pytest.raises(ValueError, match="'x/1.jpg' or 'y/1.jpg'"):
        detector_of(entries("x/1.jpg", "y/1.jpg")).missing(photographs("1.jpg"))
    with pytest.raises(ValueError, match="'a/1.jpg' and './a/1.jpg'"):
        detector_of(entries("a/1.jpg", "./a/1.jpg"))
    with pytest.raises(ValueError, match="'1.jpg' stands in it twice"):
        detector_of('{"1.jpg": {"boxes": []}, "1.jpg": {"boxes": []}}')


def test_a_path_is_not_that_of_another_folder(detector_of):
    assert detector_of(entries("x/1.jpg")).missing(photographs("a/1.jpg"))


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here (../shared)")
def test_the_known_cases_have_their_own_boxes_or_are_refused():
    examples = list(CsvCaptions(CASES / "images", CASES / "captions.csv").examples("train"))
    found = FileProposals(CASES / "proposals_paths.json").detect([IMAGE] * 2, examples)
    assert [boxes.tolist() for boxes, _ in found] == [[[0, 0, 0.5, 0.5]], [[0.5, 0.5, 1, 1]]]
    with pytest.raises(ValueError, match="a/1.jpg.*b/1.jpg"):
        FileProposals(CASES / "proposals_names.json").check(examples)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_file_that_holds_no_proposals_is_refused(detector_of, content):
    with pytest.raises(ValueError, match="p.json"):
        detector_of(content)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ([[0, 0, 1, 1]], "list"),
        ({}, "no list 'boxes'"),
        ({"boxes": 3}, "no list 'boxes'"),
        ({"boxes": [[0, 0, 1]]}, r"the box \[0, 0, 1\]"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, 1]]}, r"the box \[0, 0, 1\]"),
        ({"boxes": [0, 0, 1, 1]}, "the box 0"),
        ({"boxes": [[0, 0, 1, 1]], "scores": [1, 2]}, "2 scores of 1 boxes"),
        ({"boxes": [[0, 0, 1, 1]], "scores": ["good"]}, r"the scores \['good'\]"),
        ({"boxes": [[0, 0, 1, None]]}, "NaN"),
        ({"boxes": [[0, 0, 1, "x"]]}, r"the box \[0, 0, 1, 'x'\]"),
        ({"boxes": [["0", "0", "1", "1"]]}, r"the box \['0', '0', '1', '1'\]"),
        ({"boxes": [[False, False, True, True]]}, r"the box \[False"),
        ({"boxes": [[0, 0, 1, 1]], "scores": [True]}, r"the scores \[True\]"),
    ],
)
def test_an_entry_of_another_form_is_named(detector_of, entry, reason):
    with pytest.raises(ValueError, match=f"a.jpg.*p.json.*Received: .*{reason}"):
        detector_of({"a.jpg": entry})


def test_pixels_are_refused_as_the_file_is_read(detector_of):
    with pytest.raises(ValueError, match="p.json. Received: .*look like .*pixels"):
        detector_of({"a.jpg": {"boxes": [[0, 0, 100, 50]]}})


def test_swapped_coordinates_are_refused_by_what_is_annotated(detector_of):
    # Every photograph has a wide box at the bottom, somewhere.
    names = [f"{index}.jpg" for index in range(20)]
    wide = [(0.7, 0.01 * index, 1.0, 0.01 * index + 0.6) for index in range(20)]
    examples = [example(name, objects=(AnnotatedBox("1", box),)) for name, box in zip(names, wide)]
    images = [IMAGE] * 20
    right = {name: {"boxes": [box]} for name, box in zip(names, wide)}
    assert len(detector_of(right).detect(images, examples)) == 20
    swapped = {
        name: {"boxes": [(xmin, ymin, xmax, ymax)]}
        for name, (ymin, xmin, ymax, xmax) in zip(names, wide)
    }
    with pytest.raises(ValueError, match="look like xmin, ymin, xmax, ymax.* by 1.00"):
        detector_of(swapped).detect(images, examples)
    # Without annotations nothing tells.
    detector_of(swapped).detect(images, [example(name) for name in names])


def annotated_images(count, seed=0):
    """Yields wide annotated boxes, and proposals: each of them moved a little, and noise."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        start = random.uniform(0, 0.5, (3, 2))
        annotated = np.concatenate([start, start + [0.2, 0.45]], axis=1)
        start = random.uniform(0, 0.5, (20, 2))
        noise = np.concatenate([start, start + random.uniform(0.1, 0.5, (20, 2))], axis=1)
        close = annotated + random.uniform(-0.03, 0.03, (3, 4))
        yield np.concatenate([close, noise]), annotated


def order_of(pairs):
    order = BoxOrder()
    for boxes, annotated in pairs:
        order.add(boxes, annotated)
    return order


def test_overlap_is_that_of_the_best_box_with_each_annotated_one():
    # Halves of the first annotated box overlap it by 0.5, and the second by nothing; swapped, the
    # upper half becomes the left one and the second annotated box is found.
    annotated = np.array([[0, 0, 0.5, 1], [0, 0, 1, 0.25]])
    order = order_of([(np.array([[0, 0, 0.25, 1]]), annotated)])
    # 0.25 / 0.5 and 0.0625 / (0.25 + 0.25 - 0.0625); 0.125 / 0.625 and 1.
    np.testing.assert_allclose(order.given, [(0.5 + 1 / 7) / 2])
    np.testing.assert_allclose(order.swapped, [(0.2 + 1) / 2])


def test_swapped_boxes_are_told_from_those_in_order():
    assert not order_of(annotated_images(20)).looks_swapped()
    assert order_of(
        (boxes[:, SWAP], annotated) for boxes, annotated in annotated_images(20)
    ).looks_swapped()


def test_few_images_prove_nothing():
    pairs = [(boxes[:, SWAP], annotated) for boxes, annotated in annotated_images(15)]
    assert not order_of(pairs).looks_swapped()
    assert order_of([*pairs, *pairs]).looks_swapped()


def test_boxes_that_are_as_good_either_way_are_in_order():
    for seed in range(20):
        # Nothing but noise, which overlaps annotated boxes by chance.
        noise = [(boxes[3:], annotated) for boxes, annotated in annotated_images(100, seed)]
        assert not order_of(noise).looks_swapped()
    squares = [
        (np.array([[0.2, 0.2, 0.6, 0.6]]), annotated) for _, annotated in annotated_images(100)
    ]
    assert not order_of(squares).looks_swapped()


def test_images_without_boxes_or_annotations_are_left_out():
    order = order_of([(np.zeros((0, 4)), np.ones((1, 4))), (np.ones((1, 4)), np.zeros((0, 4)))])
    assert order.given == order.swapped == []


def boxes_by_image(count=12, seed=0):
    """Boxes of `count` images, all over the frame."""
    random = np.random.default_rng(seed)
    found = {}
    for image in range(count):
        start = random.uniform(0, 0.6, (30, 2))
        ends = start + random.uniform(0.1, 0.4, (30, 2))
        found[f"{image}.jpg"] = np.concatenate([start, ends], axis=1)
    return found


def changed(change, **options):
    return {name: change(own.copy()) for name, own in boxes_by_image(**options).items()}


def corner_and_size(own):
    own[:, 2:] -= own[:, :2]
    return own


@pytest.mark.parametrize("seed", range(5))
def test_normalised_boxes_pass(seed):
    check_box_layout(boxes_by_image(seed=seed), "p.json")
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
    found = boxes_by_image()
    found["7.jpg"][3] = box
    with pytest.raises(ValueError, match=r"\[.*\] for 7.jpg"):
        check_box_layout(found, "p.json")
