import numpy as np
import pytest

from vsa_tf.losses.hinge_costs import hinge_costs
from vsa_tf.losses.negative_mask import negative_mask


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
def test_costs_are_the_terms_of_the_equation(seed, margin):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(6, 6))
    image_id = rng.integers(0, 4, 6)
    sentence_costs, image_costs = hinge_costs(scores, negative_mask(image_id), margin)
    for k in range(6):
        for l in range(6):
            sentence_cost = image_cost = 0.0
            if image_id[k] != image_id[l]:
                sentence_cost = max(0, scores[k, l] - scores[k, k] + margin)
                image_cost = max(0, scores[l, k] - scores[k, k] + margin)
            np.testing.assert_allclose(sentence_costs[k, l], sentence_cost)
            np.testing.assert_allclose(image_costs[k, l], image_cost)


def test_hand_made_costs():
    # Image 0 prefers sentence 1 by .5, image 1 leaves 1 of the margin; sentence 0 leaves 0 of it.
    scores = np.float32([[1.0, 1.5], [0.0, 1.0]])
    sentence_costs, image_costs = hinge_costs(scores, negative_mask(np.array([0, 1])), 1.0)
    np.testing.assert_array_equal(sentence_costs, [[0, 1.5], [0, 0]])
    np.testing.assert_array_equal(image_costs, [[0, 0], [1.5, 0]])
