"""Phrase localization by hand-made boxes and the specification's annotation."""

import numpy as np
import pytest

from vsa_tf.metrics.phrase_localization import phrase_localization, points_at, union_box

# docs/equations.md 6.5, image 1000092795, chain 1: two boxes, as ymin, xmin, ymax, xmax.
CHAIN = [[125, 159, 335, 219], [110, 197, 373, 261]]
FAR = [0, 0, 5, 5]


def test_union_box_equals_the_specification_fixture():
    assert union_box(CHAIN).tolist() == [110, 159, 373, 261]


def test_a_proposal_with_half_the_union_is_correct():
    truth = [[0, 0, 9, 9]]
    half, less = [0, 0, 9, 4], [0, 0, 8, 4]
    assert phrase_localization([([half], truth, "people")])["R@1"] == 100.0
    assert phrase_localization([([less], truth, "people")])["R@1"] == 0.0


def test_ground_truth_is_the_union_and_not_one_of_the_boxes():
    # The first box alone covers 211 x 61 of the union's 264 x 103 pixels, less than half.
    assert phrase_localization([([CHAIN[0]], CHAIN, "people")])["R@1"] == 0.0
    assert phrase_localization([([union_box(CHAIN)], CHAIN, "people")])["R@1"] == 100.0


def test_recall_upper_bound_and_chance_by_position():
    box = [10, 10, 30, 30]
    phrases = [
        ([box] + [FAR] * 11, [box], "people"),  # position 1
        ([FAR] * 4 + [box] + [FAR] * 7, [box], "people"),  # position 5
        ([FAR] * 9 + [box] + [FAR] * 2, [box], "scene"),  # position 10
        ([FAR] * 11 + [box], [box], "scene"),  # position 12
        ([FAR] * 3, [box], "scene"),  # never
        ([FAR], np.zeros((0, 4)), "other"),  # no box: dropped
    ]
    result = phrase_localization(phrases)
    by_type = result.pop("by_type")
    # Chance: four phrases with 1 right of 12, one with none: 4 / 12 / 5.
    assert result == {
        "R@1": pytest.approx(20),
        "R@5": pytest.approx(40),
        "R@10": pytest.approx(60),
        "pointing": pytest.approx(20),
        "upper_bound": pytest.approx(80),
        "chance": pytest.approx(100 * 4 / 12 / 5),
        "num_phrases": 5,
        "num_dropped": 1,
    }
    assert list(by_type) == ["people", "scene"]
    assert by_type["people"]["R@1"] == pytest.approx(50)
    assert by_type["scene"]["R@10"] == pytest.approx(100 / 3)
    assert by_type["scene"]["num_phrases"] == 3


def test_a_phrase_of_several_types_counts_in_each_and_once_in_all():
    box = [10, 10, 30, 30]
    result = phrase_localization(
        [
            ([box], [box], "people/clothing"),
            ([FAR], [box], "people"),
            ([FAR], [box], "clothing"),
            ([box], [box], "other/other"),
        ]
    )
    assert result["num_phrases"] == 4 and result["R@1"] == pytest.approx(50)
    counts = {name: row["num_phrases"] for name, row in result["by_type"].items()}
    assert counts == {"clothing": 2, "other": 1, "people": 2}
    assert [row["R@1"] for row in result["by_type"].values()] == pytest.approx([50, 100, 50])


@pytest.mark.parametrize(
    ("box", "points"),
    [
        ([40, 40, 61, 61], True),  # a small one in the middle
        ([-60, -60, 180, 180], True),  # much too large, around (60, 60)
        ([0, 40, 40, 60], False),  # around (20, 50): above
        ([40, 0, 60, 40], False),  # around (50, 20): left of it
        ([40, 80, 60, 160], False),  # around (50, 120): right of it
        ([20, 40, 40, 60], True),  # around (30, 50): on the border
        ([20, 40, 39.8, 60], False),
    ],
)
def test_the_first_box_points_where_its_centre_is(box, points):
    truth = [[30, 30, 50, 70], [50, 30, 70, 70]]  # 30 to 70 both ways, in two halves
    found = phrase_localization([([box, [30, 30, 70, 70]], truth, "a")], inclusive_pixels=False)
    assert found["pointing"] == 100.0 * points
    assert found["by_type"]["a"]["pointing"] == 100.0 * points


def test_pointing_counts_the_first_box_alone_and_pixels_as_the_overlap_does():
    truth = [[10, 10, 19, 19]]  # pixels: from 10 to 20
    inside, outside = [12, 12, 14, 14], [30, 30, 40, 40]
    phrases = [([inside, outside], truth, "a"), ([outside, inside], truth, "b"), ([], truth, "b")]
    result = phrase_localization(phrases)
    assert result["R@10"] == 0 and result["pointing"] == pytest.approx(100 / 3)
    assert [result["by_type"][kind]["pointing"] for kind in "ab"] == [100, 0]
    # The pixels 18 to 21 have their middle at 20, the end of pixel 19.
    assert points_at([[18, 18, 21, 21], [18, 18, 22, 21]], truth[0], True).tolist() == [True, False]
    assert not points_at([[18, 18, 21, 21]], truth[0]).any()


def test_phrase_without_proposals_is_a_miss():
    result = phrase_localization([([], [[0, 0, 9, 9]], "people")])
    names = ("R@10", "pointing", "upper_bound", "chance")
    assert [result[name] for name in names] == [0.0] * 4


def test_no_phrase_at_all_has_no_percentages():
    result = phrase_localization([([FAR], [], "people")])
    assert (
        result["R@1"] is None
        and result["pointing"] is None
        and result["num_phrases"] == 0
        and result["num_dropped"] == 1
    )
    assert result["by_type"] == {}


def test_normalised_boxes_are_not_inclusive():
    # .2 x .2 within .3 x .2: 2 / 3; inclusive by one would be near 1 for boxes far apart as well.
    truth = [[0.1, 0.1, 0.4, 0.3]]
    phrases = [([[0.1, 0.1, 0.3, 0.3]], truth, "shape"), ([[0.6, 0.6, 0.9, 0.8]], truth, "shape")]
    assert phrase_localization(phrases, inclusive_pixels=False)["R@1"] == pytest.approx(50)


@pytest.mark.parametrize("box", [[0, 9, 9, 0], [0, 0, np.nan, 9], [0, 0, 9]])
def test_wrong_boxes_are_errors(box):
    with pytest.raises(ValueError, match="Expected .* Received: ranked"):
        phrase_localization([([box], [[0, 0, 9, 9]], "people")])
