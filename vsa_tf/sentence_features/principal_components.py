"""Principal components, exact where that is cheap, else by power iterations."""

import numpy as np
import scipy.linalg

# Rows or columns up to which the components are exact: a decomposition of seconds.
_EXACT_SIZE = 3000

# Power iterations end when one adds no more than this share of what is kept. Those after it would
# add no more than twice as much on the slowest spectra, of noise.
_SMALLEST_GAIN = 0.002

# A whitened direction is divided by no less than this share of the largest standard deviation.
_SMALLEST_DEVIATION = 1e-5


class PrincipalComponents:
    """Projection on directions of large variance.

    Args:
        mean: float32 `[P]`.
        components: float32 `[P, D]`, one column a direction, in descending order of variance:
            orthonormal, or, whitened, each divided by its standard deviation.

    Attributes: the arguments.
    """

    def __init__(self, mean, components):
        self.mean = np.asarray(mean, np.float32)
        self.components = np.asarray(components, np.float32)
        self._projected_mean = self.mean @ self.components

    @classmethod
    def fit(cls, make_blocks, dimension, whiten=False, exact_size=_EXACT_SIZE, seed=0):
        """Finds the components of N rows of P columns, in several passes over them.

        Where N or P is at most `exact_size` they are exact: eigenvectors of the covariance, or of
        the products of the rows. Else a random subspace of a few more than D directions is
        multiplied by the covariance until the variance along it hardly grows: what is kept is then
        at least 99.5 % of what exact components keep. The largest arrays are two of the subspace,
        P by 1.1 D, in float32.

        Args:
            make_blocks: function without arguments that returns an iterable of `GroupedMatrix` of
                P columns, the rows block by block.
            dimension: D; less than the number of rows, and at most P.
            whiten: whether each direction is divided by the standard deviation of the rows along
                it, which takes a pass more.
            exact_size: see above.
            seed: of the random subspace.

        Returns:
            A `PrincipalComponents`.

        Raises:
            ValueError: when there are too few rows or columns.

        Reference: Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review
        2011, algorithm 4.4 (randomised subspace iteration).
        """
        num_rows, sums = 0, 0.0
        for block in make_blocks():
            num_rows += block.num_rows
            sums = sums + block.column_sums()
        mean = sums / num_rows
        largest = min(num_rows - 1, len(mean))
        if not 1 <= dimension <= largest:
            raise ValueError(
                f"Expected a dimension from 1 to {largest}, for {num_rows} rows of {len(mean)} "
                f"numbers. Received: dimension={dimension}"
            )
        if len(mean) <= min(exact_size, num_rows):
            components = _of_covariance(make_blocks(), mean, dimension)
        elif num_rows <= exact_size:
            rows = np.concatenate([block.dense() for block in make_blocks()])
            rows -= mean.astype(np.float32)
            components = _right_vectors(rows, dimension)
        else:
            size = min(dimension + max(dimension // 10, 50), largest)
            components = _by_power_iterations(make_blocks, mean, dimension, size, seed)
        fitted = cls(mean, components)
        if whiten:
            variances = np.zeros(dimension)
            for block in make_blocks():
                variances += np.square(fitted.transform(block)).sum(axis=0, dtype=np.float64)
            deviations = np.sqrt(variances / num_rows)
            deviations = np.maximum(deviations, _SMALLEST_DEVIATION * deviations.max())
            fitted = cls(mean, fitted.components / deviations.astype(np.float32))
        return fitted

    @property
    def dimension(self):
        return self.components.shape[1]

    def transform(self, block):
        """Returns float32 `[n, D]` of a `GroupedMatrix` `[n, P]`."""
        return block.product(self.components) - self._projected_mean


def _of_covariance(blocks, mean, dimension):
    """Eigenvectors of the covariance, float32 `[P, dimension]`."""
    products = np.zeros((len(mean), len(mean)))
    for block in blocks:
        rows = block.dense() - mean
        products += rows.T @ rows
    return _largest_eigenvectors(products, dimension).astype(np.float32)


def _by_power_iterations(make_blocks, mean, dimension, size, seed):
    """Directions that keep nearly all variance that `dimension` can, float32 `[P, dimension]`."""
    mean = mean.astype(np.float32)
    products = np.random.default_rng(seed).standard_normal((len(mean), size), np.float32)
    kept, gain = 0.0, np.inf
    while gain > _SMALLEST_GAIN * kept:
        basis = _orthonormal(products)
        products = np.zeros_like(basis)
        for block in make_blocks():
            block.add_transposed_product(block.product(basis) - mean @ basis, products)
        earlier = kept
        kept = float(np.einsum("ij,ij->", basis, products, dtype=np.float64))
        gain = kept - earlier
    return basis @ _largest_eigenvectors(basis.T @ products, dimension)


def _right_vectors(matrix, dimension):
    """The first right singular vectors, float32 `[P, dimension]`."""
    # Those of small singular values come out of the products with errors: made orthonormal then.
    return _orthonormal(matrix.T @ _largest_eigenvectors(matrix @ matrix.T, dimension))


def _orthonormal(columns):
    """An orthonormal basis, in the order of the columns; any directions complete it."""
    return scipy.linalg.qr(columns, mode="economic", overwrite_a=True, check_finite=False)[0]


def _largest_eigenvectors(matrix, count):
    """Those of the `count` largest eigenvalues, `[P, count]`, the largest first."""
    _, vectors = scipy.linalg.eigh(matrix, overwrite_a=True, check_finite=False, driver="evd")
    return vectors[:, : -count - 1 : -1]
