import numpy as np
import pytest

from vsa_tf.losses.image_sentence_masks import image_sentence_masks


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_matches_or_not_by_its_image(seed):
    image_id = np.random.default_rng(seed).integers(0, 4, 9)
    masks = image_sentence_masks(image_id)
    for i in range(9):
        for j in range(9):
            assert masks.positive[i, j] == (image_id[i] == image_id[j])
            assert masks.negative_texts[i, j] == (image_id[i] != image_id[j])
            assert masks.negative_images[i, j] == (image_id[i] != image_id[j])


def test_copies_count_once():
    # Image 5 stands in three rows, with sentences 50, 51, and 50 again.
    masks = image_sentence_masks(np.array([5, 6, 5, 5]), np.array([50, 60, 51, 50]))
    np.testing.assert_array_equal(masks.first_image, [True, True, False, False])
    np.testing.assert_array_equal(masks.first_text, [True, True, True, False])
    distinct = masks.of_distinct_items()
    np.testing.assert_array_equal(
        distinct.positive,
        [[True, False, True, False], [False, True, False, False], [False] * 4, [False] * 4],
    )
    # Of image 6 three sentences are negatives, but one is a copy; of its sentence only one image.
    np.testing.assert_array_equal(distinct.negative_texts[1], [True, False, True, False])
    np.testing.assert_array_equal(distinct.negative_images[:, 1], [True, False, False, False])
