"""Normalised canonical correlation analysis (CCA), a baseline of image-sentence retrieval."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg import blas

from vsa_tf.file_reading import told_as
from vsa_tf.files import read_arrays, write_arrays

_PROJECTED_ROWS = 4096
_KIND = "canonical_correlation"
_COVARIANCE_ROWS = 2048


class CanonicalCorrelation:
    """Linear projections of both sides of a pair into a space where pairs correlate.

    The directions `w` of x solve the generalised eigenproblem

        C_xy (C_yy + r_y I)^-1 C_yx w = rho^2 (C_xx + r_x I) w

    with `w^T (C_xx + r_x I) w = 1`; those of y are `(C_yy + r_y I)^-1 C_yx w / rho`, and `rho` the
    canonical correlations. Of the two views' covariance matrix against its own diagonal blocks,
    which is how Gong et al. put the problem, `[w_x; w_y]` is an eigenvector of the eigenvalue
    `1 + rho`. A projection is scaled by `(1 + rho)^power` and compared by its cosine: "normalised"
    CCA.

    Args:
        mean_x: float `[P]`.
        mean_y: float `[Q]`.
        weights_x: float `[P, K]`, the directions in descending order of their correlation.
        weights_y: float `[Q, K]`.
        correlations: float64 `[K]`, in 0..1.
        power: the exponent of the scaling.

    Attributes: the arguments.

    Reference: Gong, Ke, Isard, Lazebnik, A multi-view embedding space for modeling Internet
    images, tags, and their semantics, IJCV 2014, sections 3.2 and 3.3.
    """

    def __init__(self, mean_x, mean_y, weights_x, weights_y, correlations, power=4.0):
        shapes = [np.shape(each) for each in (mean_x, mean_y, weights_x, weights_y, correlations)]
        p, q, k = map(np.size, (mean_x, mean_y, correlations))
        if shapes != [(p,), (q,), (p, k), (q, k), (k,)]:
            raise ValueError(
                "Expected mean_x [P], mean_y [Q], weights_x [P, K], weights_y [Q, K] and "
                f"correlations [K]. Received: shapes {shapes}"
            )
        self.mean_x, self.mean_y = mean_x, mean_y
        self.weights_x, self.weights_y = weights_x, weights_y
        self.correlations = correlations
        self.power = float(power)

    @classmethod
    def fit(cls, x, y, regularization=1e-2, dimensions=None, power=4.0):
        """Fits the projections to pairs.

        Args:
            x: float `[N, P]`, one row a pair: an image with five sentences is there five times.
            y: float `[N, Q]`.
            regularization: r, as a share of the mean variance of a feature, so that it does not
                depend on the features' unit; one number for both sides, or `(of x, of y)`.
            dimensions: K, at most min(P, Q); None: all.
            power: exponent of the eigenvalues by which projections are scaled; 0 leaves them.

        Returns:
            A `CanonicalCorrelation`.

        Raises:
            ValueError: if shapes do not fit, a feature is NaN or infinite, a setting is out of
                range, or a covariance is singular for want of regularisation.

        Memory: `(P + Q)^2` float64 numbers and about as much again while solving.
        """
        return cls.from_covariance(PairCovariance.of(x, y), regularization, dimensions, power)

    @classmethod
    def from_covariance(cls, covariance, regularization=1e-2, dimensions=None, power=4.0):
        """Fits as `fit` does to a `PairCovariance`: for several settings on the same pairs."""
        size_x, size_y = covariance.xy.shape
        largest = min(size_x, size_y)
        dimensions = largest if dimensions is None else dimensions
        if not 1 <= dimensions <= largest:
            raise ValueError(
                f"Expected dimensions from 1 to {largest}, the smaller of the features' widths. "
                f"Received: dimensions={dimensions}"
            )
        regularization = np.broadcast_to(regularization, 2)
        regular_x = _regularized(covariance.xx, regularization[0], "x")
        regular_y = _regularized(covariance.yy, regularization[1], "y")
        factor_x, factor_y = _cholesky(regular_x, "x"), _cholesky(regular_y, "y")
        # The eigenproblem is solved on the smaller side.
        if size_x <= size_y:
            weights_x, weights_y, correlations = _solved(
                regular_x, factor_y, covariance.xy, dimensions
            )
        else:
            weights_y, weights_x, correlations = _solved(
                regular_y, factor_x, covariance.xy.T, dimensions
            )
        return cls(covariance.mean_x, covariance.mean_y, weights_x, weights_y, correlations, power)

    def project_x(self, x):
        """Projects one side.

        Args:
            x: float `[N, P]`.

        Returns:
            float32 `[N, K]`, rows of length 1 (or 0 for the mean): the dot products with rows of
            `project_y` are the cosines that retrieval ranks by.

        Raises:
            ValueError: if the width is another.
        """
        return self._projected(x, self.mean_x, self.weights_x)

    def project_y(self, y):
        """Projects the other side: as `project_x`, from float `[N, Q]`."""
        return self._projected(y, self.mean_y, self.weights_y)

    def similarity(self, x, y):
        """Returns the cosines, float32 `[N, M]`, of float `[N, P]` and float `[M, Q]`."""
        return self.project_x(x) @ self.project_y(y).T

    def truncated(self, dimensions):
        """Returns the `CanonicalCorrelation` of the first `dimensions` of K directions."""
        return CanonicalCorrelation(
            self.mean_x,
            self.mean_y,
            self.weights_x[:, :dimensions],
            self.weights_y[:, :dimensions],
            self.correlations[:dimensions],
            self.power,
        )

    def save(self, path):
        """Writes one file, which `load` restores to the last bit."""
        write_arrays(
            path,
            _KIND,
            {
                "mean_x": self.mean_x,
                "mean_y": self.mean_y,
                "weights_x": self.weights_x,
                "weights_y": self.weights_y,
                "correlations": self.correlations,
                "power": np.float64(self.power),
            },
        )

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: there is none.
            ValueError: when it is another file.
        """
        arrays = read_arrays(path, _KIND)
        with told_as(f"{path} is no {_KIND} that can be read"):
            if any(array.dtype.kind != "f" for array in arrays.values()):
                raise ValueError("it holds arrays of other things than numbers")
            return cls(**arrays)

    def _projected(self, features, mean, weights):
        features = np.asanyarray(features)
        if features.ndim != 2 or features.shape[1] != len(mean):
            raise ValueError(
                f"Expected features [N, {len(mean)}]. Received: shape {features.shape}"
            )
        weights = weights * (1.0 + self.correlations) ** self.power
        projections = np.empty([len(features), weights.shape[1]], np.float32)
        for start in range(0, len(features), _PROJECTED_ROWS):
            rows = slice(start, start + _PROJECTED_ROWS)
            block = (np.asarray(features[rows], np.float64) - mean) @ weights
            lengths = np.linalg.norm(block, axis=1, keepdims=True)
            projections[rows] = block / np.where(lengths > 0, lengths, 1.0)
        return projections


def _regularized(covariance, regularization, name):
    if not regularization >= 0:
        raise ValueError(
            f"Expected regularization of 0 or more. Received: {regularization} for {name}"
        )
    regular = covariance.copy()
    regular.flat[:: len(regular) + 1] += regularization * np.trace(covariance) / len(covariance)
    return regular


def _cholesky(covariance, name):
    try:
        return scipy.linalg.cholesky(covariance, lower=True)
    except np.linalg.LinAlgError:
        raise ValueError(
            f"Expected a covariance of {name} that can be inverted: set a larger regularization. "
            "Received: a singular one"
        ) from None


def _solved(regular_x, factor_y, xy, dimensions):
    """Directions of x and y, float64 `[P, K]` and `[Q, K]`, and their correlations, descending."""
    size = len(regular_x)
    whitened = scipy.linalg.solve_triangular(factor_y, xy.T, lower=True)
    squares, weights_x = scipy.linalg.eigh(
        whitened.T @ whitened, regular_x, subset_by_index=[size - dimensions, size - 1]
    )
    correlations = np.sqrt(np.clip(squares[::-1], 0.0, 1.0))
    weights_x = _signed(weights_x[:, ::-1])
    # Directions without correlation: any would do, and none is as good.
    inverses = np.divide(
        1.0, correlations, out=np.zeros_like(correlations), where=correlations > 1e-7
    )
    weights_y = scipy.linalg.solve_triangular(
        factor_y, whitened @ weights_x * inverses, lower=True, trans="T"
    )
    return weights_x, weights_y, correlations


def _signed(weights):
    """The same directions, each with its largest entry positive: no sign is left to chance."""
    largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=0)[None], 0)
    return weights * np.where(largest < 0, -1.0, 1.0)


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
        for start in range(0, len(x), _COVARIANCE_ROWS):
            rows = slice(start, start + _COVARIANCE_ROWS)
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
    for start in range(0, len(features), _COVARIANCE_ROWS):
        block = np.asarray(features[start : start + _COVARIANCE_ROWS], np.float64)
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
