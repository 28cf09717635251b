import numpy as np
import pytest

from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS
from vsa_tf.visualization.recall_chart import recall_chart

SHARES = ("0.1", "1", "10", "100")


def curve(*recalls):
    return dict(zip(SHARES, recalls, strict=True))


def heights_of(picture, color):
    """Returns the mean height of a line in each column that it crosses, from the left."""
    near = np.abs(np.asarray(picture, int) - color).sum(axis=2) < 60
    # The legend lies below the axis.
    near[400:] = False
    columns = np.flatnonzero(near.any(axis=0))
    rows = np.arange(len(near))[:, None]
    return (near * rows).sum(axis=0)[columns] / near.sum(axis=0)[columns], columns


def test_line_is_straight_where_recall_grows_with_the_logarithm():
    picture = recall_chart({"image_to_sentence": curve(0.0, 100 / 3, 200 / 3, 100.0)})
    heights, columns = heights_of(picture, SNIPPET_COLORS[0])
    slope, start = np.polyfit(columns, heights, 1)
    assert slope < 0
    assert np.abs(heights - (slope * columns + start)).max() < 1.5
    # From the left end of the axis to its right end.
    assert columns[0] < 65 and columns[-1] > 695


def test_higher_recall_is_higher_in_the_picture():
    curves = {"better": curve(20.0, 50.0, 80.0, 100.0), "worse": curve(0.0, 10.0, 40.0, 100.0)}
    picture = recall_chart(curves)
    better, _ = heights_of(picture, SNIPPET_COLORS[0])
    worse, _ = heights_of(picture, SNIPPET_COLORS[1])
    middle = len(better) // 2
    assert better[middle] < worse[len(worse) // 2] - 50


def test_curves_may_be_over_numbers_with_a_few_of_them_written_and_chance_in_grey():
    curves = {"by chance": {1: 0.0, 3: 5.0, 9: 10.0}, "model": {1: 50.0, 3: 70.0, 9: 100.0}}
    picture = recall_chart(curves, "R@K against K", ticks=[1, 3], by_chance="by chance")
    # The first colour is that of the first curve that is not by chance.
    model, _ = heights_of(picture, SNIPPET_COLORS[0])
    chance, _ = heights_of(picture, (140, 140, 140))
    assert model.max() < 210 and 330 < np.median(chance)
    # A grid line at 3, the middle of the logarithmic axis, and none between it and the right end.
    drawn = (np.asarray(picture)[30:380] < 252).any(axis=2).mean(axis=0)
    assert drawn[375:386].max() > 0.9
    assert drawn[390:695].max() < 0.3


def test_a_long_legend_takes_more_lines():
    curves = {
        f"a model of a rather long name, {number}": curve(0, 1, 2, 100) for number in range(12)
    }
    few = recall_chart(dict(list(curves.items())[:2]))
    assert recall_chart(curves).height > few.height + 60


@pytest.mark.parametrize(
    "curves",
    [{}, {"one": {"1": 5.0}}, {"one": curve(0, 0, 0, 100), "two": {"1": 0.0, "100": 100.0}}],
)
def test_curves_without_a_common_axis_are_refused(curves):
    with pytest.raises(ValueError, match="the same two or more shares"):
        recall_chart(curves)
