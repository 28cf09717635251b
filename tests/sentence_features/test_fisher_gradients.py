import numpy as np
import pytest

from vsa_tf.sentence_features.fisher_gradients import SMALLEST_SHARE, fisher_gradients
from vsa_tf.sentence_features.hybrid_mixture import HybridMixture

_STEP = 1e-6


def _mixture(seed, num_components=3, size=4):
    rng = np.random.default_rng(seed)
    return HybridMixture(
        rng.dirichlet(np.ones(num_components)),
        rng.normal(size=(num_components, size)),
        rng.uniform(0.5, 2, (num_components, size)),
        rng.integers(0, 2, (num_components, size)).astype(bool),
    )


def _dense(mixture, points):
    num_components, size = mixture.locations.shape
    gradients = np.zeros((len(points), num_components, 2, size))
    for k, (rows, values) in enumerate(fisher_gradients(mixture, points)):
        assert values.dtype == np.float32
        gradients[rows, k] = values.reshape(len(rows), 2, size)
    return gradients


def _information(mixture):
    """Diagonal Fisher information `[K, 2, D]`, as the docstring states it."""
    gaussian = ~mixture.laplacian
    base = mixture.priors[:, None] / mixture.scales**2
    return np.stack([base, np.where(gaussian, 2 * base, base)], axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_finite_differences_of_the_log_likelihood(seed):
    mixture = _mixture(seed)
    points = np.random.default_rng(seed + 10).normal(size=(5, 4))
    gradients = _dense(mixture, points) * np.sqrt(_information(mixture))
    for part, name in enumerate(("locations", "scales")):
        parameters = getattr(mixture, name)
        for k, d in np.ndindex(*parameters.shape):
            start, sides = parameters[k, d], []
            for step in (_STEP, -_STEP):
                parameters[k, d] = start + step
                sides.append(mixture.log_densities(points))
            parameters[k, d] = start
            difference = (sides[0] - sides[1]) / (2 * _STEP)
            np.testing.assert_allclose(gradients[:, k, part, d], difference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("laplacian", [False, True])
def test_the_information_is_the_variance_of_the_gradient(laplacian):
    # Of one component shares are 1, and the stated information is exact: normalised gradients of
    # points drawn from the component have the mean 0 and the variance 1.
    rng = np.random.default_rng(0)
    mixture = HybridMixture([1.0], [[3.0]], [[0.7]], [[laplacian]])
    draw = rng.laplace if laplacian else rng.normal
    gradients = _dense(mixture, draw(3.0, 0.7, (200000, 1)))[:, 0, :, 0]
    # The standard error of a mean is 1 / sqrt(200000) = .0022; of the variance, about 6 times that.
    np.testing.assert_allclose(gradients.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(gradients.var(axis=0), 1, atol=0.05)


def test_the_gradient_of_the_points_a_component_was_fitted_to_vanishes():
    # A maximum of the likelihood: the mean gradient is zero, the median's up to one point.
    points = np.random.default_rng(1).normal(size=(301, 3))
    mixture = HybridMixture.fit(points, num_components=1)
    np.testing.assert_allclose(_dense(mixture, points).mean(axis=0), 0, atol=1 / 301 + 1e-6)


def test_points_far_from_a_component_are_left_out_of_it():
    mixture = HybridMixture([0.5, 0.5], [[0.0], [100.0]], [[1.0], [1.0]], [[False], [False]])
    groups = fisher_gradients(mixture, np.array([[0.0], [99.0], [50.0]]))
    # Point 2 stands in the middle, with a share of one half in each.
    assert [rows.tolist() for rows, _ in groups] == [[0, 2], [1, 2]]


def test_what_is_left_out_is_small():
    points = np.random.default_rng(2).normal(size=(500, 4)) * 3
    mixture = _mixture(2)
    shares = mixture.responsibilities(points)
    for k, (rows, _) in enumerate(fisher_gradients(mixture, points)):
        np.testing.assert_array_equal(rows, np.flatnonzero(shares[:, k] >= SMALLEST_SHARE))
    assert shares.min() < SMALLEST_SHARE
