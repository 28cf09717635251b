import numpy as np

from vsa_tf.losses.pair_masks import PairMasks

POSITIVE = np.array([[True, True, False], [True, True, False]])


def test_without_copies_the_masks_stay():
    masks = PairMasks(POSITIVE, ~POSITIVE, ~POSITIVE).of_distinct_items()
    for mask, expected in zip(masks[:3], (POSITIVE, ~POSITIVE, ~POSITIVE)):
        np.testing.assert_array_equal(mask, expected)


def test_a_copy_is_no_positive_and_no_negative_of_others():
    masks = PairMasks(
        POSITIVE, ~POSITIVE, ~POSITIVE, np.array([True, False]), np.array([True, True, False])
    ).of_distinct_items()
    # Image 1 is a copy of 0, text 2 of another: neither stands on the other's side of a triplet.
    np.testing.assert_array_equal(masks.positive, [[True, True, False], [False] * 3])
    np.testing.assert_array_equal(masks.negative_texts, np.zeros((2, 3), bool))
    np.testing.assert_array_equal(
        masks.negative_images, [[False, False, True], [False, False, False]]
    )
    assert masks.first_image is masks.first_text is None
