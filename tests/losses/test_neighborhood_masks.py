import numpy as np
import pytest

from vsa_tf.losses.image_sentence_masks import image_sentence_masks
from vsa_tf.losses.neighborhood_masks import neighborhood_masks


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_share_a_match_and_outsiders_are_refused_by_one(seed):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (7, 5))  # positive, negative, neither
    neighbors, outsiders = neighborhood_masks(kind == 0, kind == 1)
    for i in range(7):
        for j in range(7):
            shared = any(kind[i, k] == kind[j, k] == 0 for k in range(5))
            refused = any(kind[i, k] == 0 and kind[j, k] == 1 for k in range(5))
            assert neighbors[i, j] == (shared and i != j)
            assert outsiders[i, j] == (refused and not shared)


def test_of_sentences_the_neighbours_are_those_of_the_same_image():
    image_id = np.array([4, 5, 4, 6, 4])
    masks = image_sentence_masks(image_id).of_distinct_items()
    neighbors, outsiders = neighborhood_masks(
        np.transpose(masks.positive), np.transpose(masks.negative_texts)
    )
    same = image_id[:, None] == image_id
    np.testing.assert_array_equal(neighbors, same & ~np.eye(5, dtype=bool))
    np.testing.assert_array_equal(outsiders, ~same)


def test_of_images_no_two_are_neighbours():
    masks = image_sentence_masks(np.array([4, 5, 4])).of_distinct_items()
    neighbors, _ = neighborhood_masks(masks.positive, masks.negative_images)
    assert not np.array(neighbors).any()
