"""Principal components of matrices too large for an exact decomposition."""

import numpy as np
import scipy.linalg

# A whitened direction is divided by no less than this share of the largest standard deviation.
_SMALLEST_DEVIATION = 1e-5

# Below, a Cholesky factor of float32 makes columns less than orthonormal to four digits.
_SMALLEST_FACTOR = 0.05


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
    def fit(cls, make_blocks, dimension, oversampling=None, whiten=False, seed=0):
        """Finds the components in one pass over the rows, by a randomised sketch.

        N rows are added up, each with a random sign, into D + oversampling rows whose products
        have the same expectation (a count sketch); those are decomposed exactly, through the
        eigenvectors of their products. Rows that are no more than that are not added up: the
        result is then exact. All in float32: the largest arrays are the sketch and the
        components, D + oversampling and D by P.

        Args:
            make_blocks: function without arguments that returns an iterable of `GroupedMatrix` of
                P columns, the rows block by block.
            dimension: D; less than the number of rows, and at most P.
            oversampling: rows of the sketch beyond D; None: a tenth of D, at least 200.
            whiten: whether each direction is divided by the standard deviation of the rows along
                it, which takes a second pass.
            seed: of the sketch.

        Returns:
            A `PrincipalComponents`.

        Raises:
            ValueError: when there are too few rows or columns.

        Reference: Clarkson and Woodruff, Low-rank approximation and regression in input sparsity
        time, STOC 2013.
        """
        if oversampling is None:
            oversampling = max(200, dimension // 10)
        sketch, mean, num_rows = _sketched(make_blocks(), dimension + oversampling, seed)
        largest = min(num_rows - 1, len(mean))
        if not 1 <= dimension <= largest:
            raise ValueError(
                f"Expected a dimension from 1 to {largest}, for {num_rows} rows of {len(mean)} "
                f"numbers. Received: dimension={dimension}"
            )
        fitted = cls(mean, _right_vectors(sketch, dimension))
        del sketch
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


def _sketched(blocks, size, seed):
    """Returns the centred sketch float32 `[size or fewer, P]`, the mean, and the number of rows."""
    random = np.random.default_rng(seed)
    sketch, first, sums, num_rows, sign_sums = None, [], 0.0, 0, np.zeros(size)
    for block in blocks:
        sums = sums + block.column_sums()
        if sketch is None and num_rows + block.num_rows <= size:
            first.append(block)
        else:
            if sketch is None:
                sketch = np.zeros([size, block.shape[1]], np.float32)
                for earlier in first:
                    _add_signed(sketch, earlier, sign_sums, random)
                first = []
            _add_signed(sketch, block, sign_sums, random)
        num_rows += block.num_rows
    mean = sums / num_rows
    if sketch is None:
        sketch = np.concatenate([block.dense() for block in first])
        sketch -= mean.astype(np.float32)
    else:
        scipy.linalg.blas.sger(
            -1.0,
            mean.astype(np.float32),
            sign_sums.astype(np.float32),
            a=sketch.T,
            overwrite_a=True,
        )
    return sketch, mean, num_rows


def _add_signed(sketch, block, sign_sums, random):
    """Adds each row of the block, or its negative, to a row of the sketch drawn at random."""
    targets = random.integers(len(sketch), size=block.num_rows)
    signs = random.choice(np.float32([-1.0, 1.0]), block.num_rows)
    np.add.at(sign_sums, targets, signs)
    for k, (rows, values) in enumerate(block.groups):
        columns = slice(k * block.group_size, (k + 1) * block.group_size)
        for target, sign, row in zip(targets[rows], signs[rows], values, strict=True):
            if sign > 0:
                sketch[target, columns] += row
            else:
                sketch[target, columns] -= row


def _right_vectors(matrix, dimension):
    """The first right singular vectors, float32 `[P, dimension]`."""
    products = matrix @ matrix.T
    _, vectors = scipy.linalg.eigh(products, overwrite_a=True, check_finite=False)
    components = matrix.T @ vectors[:, : -dimension - 1 : -1]
    lengths = np.linalg.norm(components, axis=0)
    components /= np.where(lengths > 0, lengths, 1.0)
    # Those of small singular values come out of the products with errors: made orthonormal here.
    try:
        factor = scipy.linalg.cholesky(components.T @ components, check_finite=False)
    except np.linalg.LinAlgError:
        factor = np.zeros([1, 1])
    if factor.diagonal().min() < _SMALLEST_FACTOR:
        # Fewer directions than asked for, it seems: any others complete them.
        return scipy.linalg.qr(components, mode="economic", check_finite=False)[0]
    return scipy.linalg.blas.strsm(1.0, factor, components, side=1, overwrite_b=True)
