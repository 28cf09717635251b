import numpy as np
import pytest

from vsa_tf.losses.negative_mask import negative_mask


def test_pairs_of_one_image_are_never_negatives():
    mask = np.array(negative_mask(np.array([7, 3, 7])))
    assert mask.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_different_images_leave_only_the_diagonal_out():
    assert (np.array(negative_mask(np.arange(4))) == ~np.eye(4, dtype=bool)).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_mask_is_symmetric_and_follows_the_image(seed):
    image_id = np.random.default_rng(seed).integers(0, 4, 9)
    mask = np.array(negative_mask(image_id))
    for k in range(9):
        for l in range(9):
            assert mask[k, l] == mask[l, k] == (image_id[k] != image_id[l])
