import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn.mixture import GaussianMixture

from vsa_tf.sentence_features.hybrid_mixture import HybridMixture


def _points(seed, num_points=300, size=5):
    """Clusters of both kinds."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(3, size)) * 3
    noise = np.where(
        np.arange(size) % 2,
        rng.laplace(size=(num_points, size)),
        rng.normal(size=(num_points, size)),
    )
    return centers[rng.integers(0, 3, num_points)] + noise


def test_the_density_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    priors, points = np.array([0.2, 0.5, 0.3]), rng.normal(size=(7, 4))
    locations, scales = rng.normal(size=(3, 4)), rng.uniform(0.5, 2, (3, 4))
    laplacian = rng.integers(0, 2, (3, 4)).astype(bool)
    mixture = HybridMixture(priors, locations, scales, laplacian)
    joint = np.zeros((7, 3))
    for n, k in itertools.product(range(7), range(3)):
        joint[n, k] = priors[k]
        for d in range(4):
            kind = scipy.stats.laplace if laplacian[k, d] else scipy.stats.norm
            joint[n, k] *= kind.pdf(points[n, d], locations[k, d], scales[k, d])
    np.testing.assert_allclose(mixture.log_densities(points), np.log(joint.sum(axis=1)))
    np.testing.assert_allclose(
        mixture.responsibilities(points), joint / joint.sum(axis=1, keepdims=True)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("directions", [False, True])
@pytest.mark.parametrize("smallest_scale", [0.01, 0.5])
def test_em_never_lowers_the_likelihood(seed, directions, smallest_scale):
    weights = np.random.default_rng(seed).integers(1, 9, 300)
    mixture = HybridMixture.fit(
        _points(seed),
        weights,
        6,
        smallest_scale=smallest_scale,
        tolerance=-1,
        max_iterations=40,
        seed=seed,
        directions=directions,
    )
    assert len(mixture.log_likelihoods) == 40
    assert np.diff(mixture.log_likelihoods).min() > -1e-9
    assert mixture.log_likelihoods[-1] > mixture.log_likelihoods[0]


def test_the_last_likelihood_is_that_of_the_mixture_when_em_has_settled():
    points = _points(0)
    mixture = HybridMixture.fit(points, num_components=3, tolerance=1e-10, max_iterations=500)
    assert len(mixture.log_likelihoods) < 500
    np.testing.assert_allclose(mixture.log_densities(points).mean(), mixture.log_likelihoods[-1])


def test_gaussian_in_every_dimension_is_the_diagonal_mixture_of_scikit_learn():
    points = _points(1)
    ours = HybridMixture.fit(
        points, num_components=3, laplacian=False, tolerance=1e-12, max_iterations=2000
    )
    theirs = GaussianMixture(
        3,
        covariance_type="diag",
        tol=1e-12,
        max_iter=2000,
        reg_covar=0.0,
        weights_init=ours.priors,
        means_init=ours.locations,
        precisions_init=ours.scales**-2.0,
    ).fit(points)
    assert not ours.laplacian.any()
    np.testing.assert_allclose(ours.log_densities(points), theirs.score_samples(points), rtol=1e-5)
    np.testing.assert_allclose(ours.locations, theirs.means_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.scales**2, theirs.covariances_, rtol=1e-4)
    np.testing.assert_allclose(ours.priors, theirs.weights_, rtol=1e-4)
    np.testing.assert_allclose(
        ours.responsibilities(points), theirs.predict_proba(points), atol=1e-4
    )


def test_one_component_is_the_maximum_likelihood_estimate_of_each_dimension():
    rng = np.random.default_rng(3)
    points = np.stack([rng.normal(2, 3, 2000), rng.laplace(-1, 2, 2000)], axis=1)
    mixture = HybridMixture.fit(points, num_components=1)
    np.testing.assert_array_equal(mixture.laplacian, [[False, True]])
    np.testing.assert_allclose(mixture.locations[0, 0], points[:, 0].mean())
    np.testing.assert_allclose(mixture.scales[0, 0], points[:, 0].std())
    # With an even number of points every number between the two middle ones is a median.
    below, above = np.sort(points[:, 1])[999:1001]
    assert below <= mixture.locations[0, 1] <= above
    np.testing.assert_allclose(
        mixture.scales[0, 1], np.abs(points[:, 1] - np.median(points[:, 1])).mean()
    )


def test_the_kind_of_a_dimension_is_the_likelier_one():
    points = _points(2)
    for kind in (False, True):
        fixed = HybridMixture.fit(points, num_components=1, laplacian=kind)
        free = HybridMixture.fit(points, num_components=1)
        assert free.log_densities(points).mean() >= fixed.log_densities(points).mean()


def test_weights_count_points():
    points = _points(4, 40)
    counts = np.random.default_rng(4).integers(1, 5, 40)
    # One component, so that the seeds do not matter.
    weighted = HybridMixture.fit(points, counts, 1)
    repeated = HybridMixture.fit(np.repeat(points, counts, axis=0), None, 1)
    np.testing.assert_allclose(weighted.locations, repeated.locations)
    np.testing.assert_allclose(weighted.scales, repeated.scales)
    np.testing.assert_allclose(weighted.log_likelihoods[-1], repeated.log_likelihoods[-1])


def test_points_of_weight_zero_change_nothing():
    points = _points(5, 50)
    weights = np.ones(50)
    weights[:10] = 0
    with_them = HybridMixture.fit(points, weights, 1)
    without = HybridMixture.fit(points[10:], None, 1)
    np.testing.assert_allclose(with_them.locations, without.locations)
    np.testing.assert_allclose(with_them.scales, without.scales)


def test_no_scale_falls_below_its_bound():
    # Two points far from all others and equal: a component of theirs has no extent.
    points = np.concatenate([_points(6, 50), np.full((2, 5), 100.0)])
    mixture = HybridMixture.fit(points, num_components=4, smallest_scale=0.2)
    assert (mixture.scales >= 0.2 * points.std(axis=0) * (1 - 1e-12)).all()
    # The bound is reached, in all dimensions of that component.
    np.testing.assert_allclose(mixture.scales.min(axis=0), 0.2 * points.std(axis=0))


def test_equal_points_have_a_mixture():
    mixture = HybridMixture.fit(np.ones((5, 2)), num_components=2)
    assert np.isfinite(mixture.log_densities(np.ones((1, 2)))).all()


def test_the_same_seed_gives_the_same_mixture():
    first, second = (HybridMixture.fit(_points(7), num_components=5, seed=3) for _ in range(2))
    for name in ("priors", "locations", "scales", "laplacian", "log_likelihoods"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_not_finite_are_refused(bad):
    points = _points(0)
    points[17, 2] = bad
    with pytest.raises(ValueError, match="finite points.*row 17"):
        HybridMixture.fit(points, num_components=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_components": 301}, "num_components=301"),
        ({"num_components": 0}, "num_components=0"),
        ({"weights": np.ones(3)}, r"shape \(3,\)"),
        ({"weights": np.full(300, -1.0)}, "the least -1.0"),
        ({"weights": np.zeros(300)}, "not all 0"),
        ({"smallest_scale": 0.0}, "smallest_scale=0.0"),
        ({"max_iterations": 0}, "max_iterations=0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        HybridMixture.fit(_points(0), **{"num_components": 2, **settings})


def test_parameters_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"priors \(2,\).*locations \(3, 4\)"):
        HybridMixture(np.ones(2), np.ones((3, 4)), np.ones((3, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="scales above 0"):
        HybridMixture(np.ones(1), np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1)))
