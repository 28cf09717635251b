import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.layers.grouped_product import grouped_product


def _random(num_rows, num_groups, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(num_rows, 3)),
        rng.integers(0, num_groups, num_rows),
        rng.normal(size=(num_groups, 3, 2)),
    )


def _brute_force(rows, groups, matrices):
    return np.array([row @ matrices[group] for row, group in zip(rows, groups)])


class TestGroupedProduct(VsaTfTestCase):
    # One row; fewer rows than groups; less, just and more than one block of 32; many blocks.
    @pytest.mark.parametrize("num_rows", [1, 3, 31, 32, 33, 300])
    @pytest.mark.parametrize("num_groups", [1, 4])
    def test_every_row_meets_the_matrix_of_its_group(self, num_rows, num_groups):
        values = _random(num_rows, num_groups)
        np.testing.assert_allclose(grouped_product(*values), _brute_force(*values), rtol=1e-9)

    @pytest.mark.parametrize("sizes", [(0, 64, 0), (33, 33, 33), (1, 1, 97), (32, 0, 1)])
    def test_groups_may_be_empty_full_or_one_row_over(self, sizes):
        rows, _, matrices = _random(sum(sizes), 3)
        groups = np.random.default_rng(1).permutation(np.repeat(np.arange(3), sizes))
        np.testing.assert_allclose(
            grouped_product(rows, groups, matrices), _brute_force(rows, groups, matrices), rtol=1e-9
        )

    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_graphs_give_the_same(self, jit_compile):
        rows, groups, matrices = _random(70, 5)
        function = tf.function(
            grouped_product,
            jit_compile=jit_compile,
            input_signature=[
                tf.TensorSpec([None, 3], tf.float64),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([5, 3, 2], tf.float64),
            ],
        )
        np.testing.assert_allclose(
            function(rows, groups, matrices), _brute_force(rows, groups, matrices), rtol=1e-9
        )

    def test_gradients(self):
        rows, groups, matrices = _random(40, 3)
        rows, matrices = (keras.Variable(value, dtype="float64") for value in (rows, matrices))
        self.check_gradients(
            lambda: grouped_product(rows.value, groups, 1.0 * matrices.value), [rows, matrices]
        )
