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


@pytest.mark.parametrize(
    "curves",
    [{}, {"one": {"1": 5.0}}, {"one": curve(0, 0, 0, 100), "two": {"1": 0.0, "100": 100.0}}],
)
def test_curves_without_a_common_axis_are_refused(curves):
    with pytest.raises(ValueError, match="the same two or more shares"):
        recall_chart(curves)
