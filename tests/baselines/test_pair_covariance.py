import numpy as np
import pytest

from vsa_tf.baselines import pair_covariance
from vsa_tf.baselines.pair_covariance import PairCovariance


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("rows", [7, 1000])
def test_blocks_give_the_covariance_of_all_pairs(monkeypatch, dtype, rows):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(3, 2, (100, size)).astype(dtype) for size in (4, 6))
    monkeypatch.setattr(pair_covariance, "_ROWS", rows)
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
