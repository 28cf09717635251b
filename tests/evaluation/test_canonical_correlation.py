import numpy as np
import pytest
from sklearn.cross_decomposition import CCA

from vsa_tf.evaluation import canonical_correlation
from vsa_tf.evaluation.canonical_correlation import CanonicalCorrelation, PairCovariance
from vsa_tf.files import write_arrays


def _pairs(num_pairs=500, sizes=(5, 7), seed=0, shared=3):
    """Views of a few shared numbers, mixed, with noise."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(num_pairs, shared))
    return [
        np.concatenate([common, np.zeros((num_pairs, size - shared))], axis=1)
        @ rng.normal(size=(size, size))
        + rng.normal(size=(num_pairs, size))
        + 2
        for size in sizes
    ]


def test_correlations_of_known_populations():
    # x = z + noise and y = z + noise of variances 1 and 3: corr = 1 / sqrt((1 + 1)(1 + 3)) = .3536;
    # the other two dimensions are independent of each other.
    rng = np.random.default_rng(0)
    z = rng.normal(size=200000)
    x = np.stack([z + rng.normal(size=z.size), rng.normal(size=z.size)], axis=1)
    y = np.stack([rng.normal(size=z.size), z + np.sqrt(3) * rng.normal(size=z.size)], axis=1)
    model = CanonicalCorrelation.fit(x, y, regularization=0.0)
    # The standard error of a correlation is about 1 / sqrt(200000) = .0022.
    np.testing.assert_allclose(model.correlations, [np.sqrt(1 / 8), 0.0], atol=0.01)


def test_one_dimension_is_the_correlation_of_pearson():
    x, y = _pairs(sizes=(1, 1), shared=1)
    model = CanonicalCorrelation.fit(x, y, regularization=0.0)
    np.testing.assert_allclose(model.correlations, abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]))


@pytest.mark.parametrize("sizes", [(5, 7), (7, 5), (4, 4)])
def test_correlations_and_directions_are_those_of_scikit_learn(sizes):
    x, y = _pairs(sizes=sizes)
    ours = CanonicalCorrelation.fit(x, y, regularization=0.0, dimensions=3)
    theirs = CCA(3, scale=False, max_iter=10000, tol=1e-12).fit(x, y)
    their_x, their_y = theirs.transform(x, y)
    our_x = (x - ours.mean_x) @ ours.weights_x
    our_y = (y - ours.mean_y) @ ours.weights_y
    for k in range(3):
        correlation = np.corrcoef(their_x[:, k], their_y[:, k])[0, 1]
        np.testing.assert_allclose(ours.correlations[k], correlation, rtol=1e-4)
        np.testing.assert_allclose(abs(np.corrcoef(our_x[:, k], their_x[:, k])[0, 1]), 1, rtol=1e-4)
        np.testing.assert_allclose(abs(np.corrcoef(our_y[:, k], their_y[:, k])[0, 1]), 1, rtol=1e-4)


@pytest.mark.parametrize("sizes", [(5, 7), (7, 5)])
@pytest.mark.parametrize("regularization", [0.0, 0.5, (0.1, 2.0)])
def test_directions_solve_the_problem_of_the_two_views(sizes, regularization):
    x, y = _pairs(sizes=sizes)
    model = CanonicalCorrelation.fit(x, y, regularization)
    shares = np.broadcast_to(regularization, 2)
    diagonal = []
    for side, share in zip((x, y), shares, strict=True):
        block = np.cov(side.T, bias=True)
        diagonal.append(block + share * np.trace(block) / len(block) * np.eye(len(block)))
    xy = (x - x.mean(axis=0)).T @ (y - y.mean(axis=0)) / len(x)
    # S w = (1 + rho) S_D w with w = [w_x; w_y].
    np.testing.assert_allclose(
        xy @ model.weights_y, diagonal[0] @ model.weights_x * model.correlations, atol=1e-8
    )
    np.testing.assert_allclose(
        xy.T @ model.weights_x, diagonal[1] @ model.weights_y * model.correlations, atol=1e-8
    )
    for weights, block in zip((model.weights_x, model.weights_y), diagonal, strict=True):
        np.testing.assert_allclose(weights.T @ block @ weights, np.eye(5), atol=1e-6)
    assert (np.diff(model.correlations) <= 0).all()


def test_similarities_are_cosines_of_scaled_projections():
    x, y = _pairs()
    model = CanonicalCorrelation.fit(x, y, 0.1, 4)
    left = (x - x.mean(axis=0)) @ model.weights_x * (1 + model.correlations) ** 4
    right = (y - y.mean(axis=0)) @ model.weights_y * (1 + model.correlations) ** 4
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    np.testing.assert_allclose(model.project_x(x), left, atol=1e-6)
    np.testing.assert_allclose(model.project_y(y), right, atol=1e-6)
    np.testing.assert_allclose(model.similarity(x, y), left @ right.T, atol=1e-5)
    assert model.project_x(x).dtype == np.float32


def test_pairs_are_found_again():
    x, y = _pairs(200, (20, 30), shared=15)
    scores = CanonicalCorrelation.fit(x, y, 1e-3).similarity(x, y)
    assert (scores.argmax(axis=1) == np.arange(200)).mean() > 0.9


def test_the_unit_of_a_feature_does_not_matter():
    x, y = _pairs()
    here = CanonicalCorrelation.fit(x, y, 0.3)
    there = CanonicalCorrelation.fit(x * 1000, y / 7, 0.3)
    np.testing.assert_allclose(here.similarity(x, y), there.similarity(x * 1000, y / 7), atol=1e-5)


def test_fewer_dimensions_are_the_first_of_more():
    x, y = _pairs()
    few, many = (CanonicalCorrelation.fit(x, y, 0.1, dimensions) for dimensions in (2, 5))
    for model in (few, many.truncated(2)):
        assert model.project_x(x).shape == (500, 2)
        np.testing.assert_allclose(model.correlations, many.correlations[:2])
        np.testing.assert_allclose(model.similarity(x, y), few.similarity(x, y), atol=1e-5)


def test_the_mean_projects_to_zero():
    x, y = _pairs()
    model = CanonicalCorrelation.fit(x, y, 0.1)
    assert not model.project_x(model.mean_x[None]).any()


def test_views_without_correlation_have_finite_projections():
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    model = CanonicalCorrelation.fit(x, y, 0.0)
    np.testing.assert_allclose(model.correlations, 0, atol=1e-7)
    assert np.isfinite(model.similarity(x, y)).all()


def test_a_file_restores_the_model_to_the_last_bit(tmp_path):
    x, y = _pairs()
    model = CanonicalCorrelation.fit(x, y, 0.1, 4, power=2.0)
    model.save(tmp_path / "model.npz")
    restored = CanonicalCorrelation.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(restored.project_x(x), model.project_x(x))
    np.testing.assert_array_equal(restored.project_y(y), model.project_y(y))
    assert restored.power == 2.0
    write_arrays(tmp_path / "other.npz", "fruit", {})
    with pytest.raises(ValueError, match="to hold a canonical_correlation. Received: a fruit"):
        CanonicalCorrelation.load(tmp_path / "other.npz")


def test_a_singular_covariance_asks_for_regularisation():
    x, y = _pairs()
    doubled = np.concatenate([x, np.zeros((500, 1))], axis=1)
    for left, right, name in ((doubled, y, "x"), (y, doubled, "y")):
        with pytest.raises(ValueError, match=f"covariance of {name}.*larger regularization"):
            CanonicalCorrelation.fit(left, right, regularization=0.0)
        assert np.isfinite(CanonicalCorrelation.fit(left, right, 0.1).similarity(left, right)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 6}, "from 1 to 5.*dimensions=6"),
        ({"dimensions": 0}, "dimensions=0"),
        ({"regularization": -1.0}, "0 or more. Received: -1.0"),
        ({"regularization": (0.1, np.nan)}, "nan for y"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CanonicalCorrelation.fit(*_pairs(), **settings)


def test_features_of_another_width_are_refused():
    x, y = _pairs()
    with pytest.raises(ValueError, match=r"features \[N, 5\].*\(500, 7\)"):
        CanonicalCorrelation.fit(x, y).project_x(y)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("rows", [7, 1000])
def test_blocks_give_the_covariance_of_all_pairs(monkeypatch, dtype, rows):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(3, 2, (100, size)).astype(dtype) for size in (4, 6))
    monkeypatch.setattr(canonical_correlation, "_COVARIANCE_ROWS", rows)
    covariance = PairCovariance.of(x, y)
    expected = np.cov(np.concatenate([x, y], axis=1).astype(np.float64).T, bias=True)
    np.testing.assert_allclose(covariance.xx, expected[:4, :4])
    np.testing.assert_allclose(covariance.xy, expected[:4, 4:])
    np.testing.assert_allclose(covariance.yy, expected[4:, 4:])
    np.testing.assert_allclose(covariance.mean_x, x.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(covariance.mean_y, y.astype(np.float64).mean(axis=0))


def test_features_far_from_zero_lose_no_digits():
    x = np.random.default_rng(0).normal(size=(100, 2))
    near, far = PairCovariance.of(x, x), PairCovariance.of(x + 1e7, x)
    np.testing.assert_allclose(far.xx, near.xx, rtol=1e-7)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), r"x of shape \(3, 2\), y of shape \(4, 2\)"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "at least two"),
        (np.zeros(3), np.zeros((3, 2)), r"x of shape \(3,\)"),
        (np.zeros((3, 0)), np.zeros((3, 2)), r"x of shape \(3, 0\)"),
        (np.array([[1.0], [np.nan]]), np.zeros((2, 2)), "row 1 of x"),
        (np.zeros((2, 2)), np.array([[np.inf], [1.0]]), "row 0 of y"),
    ],
)
def test_bad_pairs_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        PairCovariance.of(x, y)
