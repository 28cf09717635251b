import numpy as np
import pytest

from vsa_tf.sentence_features.grouped_matrix import GroupedMatrix


@pytest.fixture
def matrix():
    return GroupedMatrix(
        4,
        [
            (np.array([0, 3]), np.float32([[1, 2], [3, 4]])),
            (np.array([], int), np.zeros((0, 2), np.float32)),
            (np.array([1, 3]), np.float32([[5, 6], [7, 8]])),
        ],
    )


_DENSE = np.float32([[1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 5, 6], [0] * 6, [3, 4, 0, 0, 7, 8]])


def test_groups_stand_side_by_side(matrix):
    assert matrix.shape == (4, 6)
    np.testing.assert_array_equal(matrix.dense(), _DENSE)


def test_products_are_those_of_the_dense_matrix(matrix):
    right = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    np.testing.assert_allclose(matrix.product(right), _DENSE @ right, rtol=1e-5)


def test_rows_are_scaled(matrix):
    factors = np.array([2.0, 3.0, 4.0, 0.5])
    np.testing.assert_array_equal(matrix.scaled_rows(factors).dense(), _DENSE * factors[:, None])


def test_columns_are_summed_and_empty_rows_found(matrix):
    np.testing.assert_array_equal(matrix.column_sums(), _DENSE.sum(axis=0))
    np.testing.assert_array_equal(matrix.empty_rows(), [False, False, True, False])
