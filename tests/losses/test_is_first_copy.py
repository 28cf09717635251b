import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.is_first_copy import is_first_copy


@pytest.mark.parametrize("seed", range(3))
def test_one_of_every_set_is_marked_the_first(seed):
    ids = np.random.default_rng(seed).integers(0, 4, 9)
    marked = np.flatnonzero(is_first_copy(ids[:, None] == ids))
    np.testing.assert_array_equal(marked, np.sort(np.unique(ids, return_index=True)[1]))


def test_the_batch_size_may_be_unknown():
    function = tf.function(is_first_copy, input_signature=[tf.TensorSpec([None, None], tf.bool)])
    assert np.array(function(np.eye(3, dtype=bool))).all()
