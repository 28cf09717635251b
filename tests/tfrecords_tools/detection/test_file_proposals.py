import json

import numpy as np
import pytest

from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.sources.source_example import AnnotatedBox, SourceExample

IMAGE = np.zeros((20, 30, 3), np.uint8)


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
