import numpy as np

from vsa_tf.boxes import box_overlap
from vsa_tf.losses.box_overlaps import box_overlaps


def test_hand_made_overlaps():
    boxes = np.float32([[0, 0, 0.5, 0.5], [0, 0, 1, 1], [0.5, 0.5, 1, 1], [0.3, 0.3, 0.3, 0.3]])
    # Quarters of the frame; the second quarter only touches the first; the last has no area.
    expected = [[1, 0.25, 0, 0], [0.25, 1, 0.25, 0], [0, 0.25, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(box_overlaps(boxes, boxes), expected)


def test_overlaps_are_those_of_the_metric():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(size=(2, 7, 2, 2)), axis=2).reshape(2, 7, 4)
    overlaps = np.array(box_overlaps(*corners))
    for column, other in enumerate(corners[1]):
        np.testing.assert_allclose(overlaps[:, column], box_overlap(corners[0], other), rtol=1e-10)
