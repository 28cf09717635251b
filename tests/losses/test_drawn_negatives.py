import keras
import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.drawn_negatives import drawn_negatives

NEGATIVE = np.array([[False, True, True, True], [True, False, False, True], [False] * 4])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_drawn", [1, 2, 6])
def test_only_negatives_are_drawn_and_none_twice(seed, num_drawn):
    columns, drawn = (np.array(value) for value in drawn_negatives(NEGATIVE, num_drawn, seed))
    assert columns.shape == drawn.shape == (3, num_drawn)
    assert ((columns >= 0) & (columns < 4)).all()
    for row in range(3):
        chosen = columns[row][drawn[row]]
        assert len(set(chosen)) == len(chosen) == min(num_drawn, NEGATIVE[row].sum())
        assert NEGATIVE[row, chosen].all()


def test_all_negatives_are_alike_likely():
    columns, _ = drawn_negatives(np.tile(NEGATIVE[:1], (6000, 1)), 1, seed=0)
    counts = np.bincount(columns[:, 0], minlength=4)
    # 2000 each, with a standard deviation of 37.
    np.testing.assert_allclose(counts, [0, 2000, 2000, 2000], atol=4 * 37)


def test_a_restored_state_draws_the_same():
    generator = keras.random.SeedGenerator(3)
    drawn_negatives(NEGATIVE, 1, generator)
    state = np.array(generator.state.value)
    negative = np.ones((50, 50), bool)
    first, _ = drawn_negatives(negative, 1, generator)
    second, _ = drawn_negatives(negative, 1, generator)
    assert not np.array_equal(first, second)
    generator.state.assign(state)
    np.testing.assert_array_equal(drawn_negatives(negative, 1, generator)[0], first)


def test_the_batch_size_may_be_unknown():
    function = tf.function(
        lambda negative: drawn_negatives(negative, 5, 0),
        input_signature=[tf.TensorSpec([None, None], tf.bool)],
    )
    columns, drawn = function(NEGATIVE)
    assert columns.shape == (3, 5)
    np.testing.assert_array_equal(np.sum(drawn, axis=1), [3, 2, 0])
