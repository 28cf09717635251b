import numpy as np
import pytest

from vsa_tf.losses.furthest_neighbor import furthest_neighbor


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_largest_distance_among_neighbours(seed):
    rng = np.random.default_rng(seed)
    distances, neighbors = rng.uniform(size=(6, 6)), rng.uniform(size=(6, 6)) < 0.3
    neighbors[2] = False
    furthest, has_neighbor = furthest_neighbor(distances, neighbors)
    for row in range(6):
        assert has_neighbor[row] == neighbors[row].any()
        assert furthest[row] == max(distances[row][neighbors[row]], default=0.0)
