import numpy as np
import pytest

from vsa_tf.losses.triplet_costs import triplet_costs


@pytest.mark.parametrize("seed", range(3))
def test_costs_are_sums_of_hinges(seed):
    rng = np.random.default_rng(seed)
    positive, nearest = rng.uniform(size=(4, 3)), rng.uniform(size=(4, 5))
    nearest[0, 2:] = np.inf
    costs = triplet_costs(positive, nearest, 0.2)
    for i in range(4):
        for j in range(3):
            expected = sum(max(0, 0.2 + positive[i, j] - other) for other in nearest[i])
            np.testing.assert_allclose(costs[i, j], expected, rtol=1e-10)
