"""Matrices in which most rows have numbers in few groups of columns only."""

import numpy as np


class GroupedMatrix:
    """A float32 matrix `[N, K * G]`: in each of K groups of G columns, the rows that are not zero.

    A sentence's words lie near few of the centres of a mixture, and its Fisher vector is zero in
    the columns of all others. Sums and products cost what is there.

    Args:
        num_rows: N.
        groups: list of K pairs `(rows, values)`: int `[n_k]`, ascending, and float32 `[n_k, G]`.

    Attributes: the arguments, and `shape`, `(N, K * G)`.
    """

    def __init__(self, num_rows, groups):
        self.num_rows = num_rows
        self.groups = groups
        self.group_size = groups[0][1].shape[1]
        self.shape = (num_rows, len(groups) * self.group_size)

    def dense(self):
        """Returns the matrix, float32 `[N, K * G]`."""
        matrix = np.zeros(self.shape, np.float32)
        for columns, rows, values in self._parts():
            matrix[rows, columns] = values
        return matrix

    def scaled_rows(self, factors):
        """Returns the `GroupedMatrix` whose row i is `factors[i]` times this one's."""
        factors = np.asarray(factors, np.float32)
        return GroupedMatrix(
            self.num_rows, [(rows, values * factors[rows, None]) for rows, values in self.groups]
        )

    def empty_rows(self):
        """Returns bool `[N]`: True where a row is in no group."""
        empty = np.ones(self.num_rows, bool)
        for rows, _ in self.groups:
            empty[rows] = False
        return empty

    def column_sums(self):
        """Returns float64 `[K * G]`."""
        return np.concatenate([values.sum(axis=0, dtype=np.float64) for _, values in self.groups])

    def product(self, right):
        """Returns `A @ right`, float32 `[N, C]`, of float32 `[K * G, C]`."""
        result = np.zeros([self.num_rows, right.shape[1]], np.float32)
        for columns, rows, values in self._parts():
            result[rows] += values @ right[columns]
        return result

    def _parts(self):
        for k, (rows, values) in enumerate(self.groups):
            yield slice(k * self.group_size, (k + 1) * self.group_size), rows, values
