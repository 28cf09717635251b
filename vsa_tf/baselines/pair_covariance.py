"""Means and covariances of pairs of features, accumulated by blocks in float64."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

_ROWS = 2048


class PairCovariance(NamedTuple):
    """What canonical correlation analysis needs to know of N pairs, whatever N is.

    Attributes:
        mean_x: float64 `[P]`.
        mean_y: float64 `[Q]`.
        xx: float64 `[P, P]`, `(1 / N) sum (x - mean_x) (x - mean_x)^T`.
        xy: float64 `[P, Q]`.
        yy: float64 `[Q, Q]`.
    """

    mean_x: np.ndarray
    mean_y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @classmethod
    def of(cls, x, y):
        """Measures the covariance.

        Args:
            x: float `[N, P]`; feature of one side of each pair.
            y: float `[N, Q]`; of the other. Of both, float16, float32 and memory-mapped arrays
                are converted by block.

        Returns:
            A `PairCovariance`; `N` is at least 2.

        Raises:
            ValueError: if shapes do not fit or a feature is NaN or infinite.
        """
        x, y = np.asanyarray(x), np.asanyarray(y)
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < 2 or not (x.size and y.size):
            raise ValueError(
                "Expected features [N, P] and [N, Q] of at least two pairs. Received: x of shape "
                f"{x.shape}, y of shape {y.shape}"
            )
        means = [_mean(side, name) for side, name in ((x, "x"), (y, "y"))]
        xx, yy = (np.zeros([side.shape[1]] * 2, order="F") for side in (x, y))
        xy = np.zeros([x.shape[1], y.shape[1]])
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            block_x, block_y = (
                np.asarray(side[rows], np.float64) - mean
                for side, mean in zip((x, y), means, strict=True)
            )
            _add_product(xx, block_x)
            _add_product(yy, block_y)
            xy += block_x.T @ block_y
        for triangle in (xx, yy):
            triangle += np.tril(triangle, -1).T
            triangle /= len(x)
        xy /= len(x)
        return cls(*means, xx, xy, yy)


def _mean(features, name):
    total = np.zeros(features.shape[1])
    for start in range(0, len(features), _ROWS):
        block = np.asarray(features[start : start + _ROWS], np.float64)
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise ValueError(
                "Expected finite features. Received: NaN or infinity in row "
                f"{start + int(np.argmin(finite))} of {name}"
            )
        total += block.sum(axis=0)
    return total / len(features)


def _add_product(total, block):
    """Adds `block^T block` to the lower triangle of `total`, in place: half of the work."""
    result = blas.dsyrk(1.0, block.T, beta=1.0, c=total, lower=True, overwrite_c=True)
    if result is not total and not np.shares_memory(result, total):
        total[...] = result
