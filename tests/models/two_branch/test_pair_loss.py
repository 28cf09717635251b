import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.two_branch.pair_loss import drawn_negatives, logistic_pair_loss

NEGATIVE = np.array([[False, True, True, True], [True, False, False, True], [False] * 4])


def _masks(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=(5, 3)) < 0.6, rng.uniform(size=(5, 2)) < 0.6


def _logits(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=2, size=(5, 3)), rng.normal(scale=2, size=(5, 2))


class TestLogisticPairLoss(VsaTfTestCase):
    @pytest.mark.parametrize("seed", range(4))
    def test_as_many_positives_as_negatives_count(self, seed):
        (positive_logits, negative_logits), (positive, negative) = _logits(seed), _masks(seed)
        costs = []
        for row in range(5):
            pairs = zip(positive_logits[row][positive[row]], negative_logits[row][negative[row]])
            # zip ends with the shorter of the two.
            for matching, wrong in pairs:
                costs += [np.log(1 + np.exp(-matching)), np.log(1 + np.exp(wrong))]
        loss = logistic_pair_loss(positive_logits, positive, negative_logits, negative)
        np.testing.assert_allclose(loss, np.mean(costs), rtol=1e-8)
        summed = logistic_pair_loss(positive_logits, positive, negative_logits, negative, "sum")
        np.testing.assert_allclose(summed, np.sum(costs), rtol=1e-8)

    def test_gradients(self):
        variables = [keras.Variable(logits, dtype="float64") for logits in _logits(0)]
        positive, negative = _masks(0)
        self.check_gradients(
            lambda: logistic_pair_loss(variables[0].value, positive, variables[1].value, negative),
            variables,
        )

    def test_rows_without_negatives_cost_nothing(self):
        logits = tf.ones((3, 1))
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = logistic_pair_loss(logits, np.ones((3, 1), bool), logits, np.zeros((3, 1), bool))
        assert float(loss) == 0.0
        assert not tape.gradient(loss, logits).numpy().any()

    def test_large_logits_cost_their_size(self):
        mask = np.ones((1, 1), bool)
        loss = logistic_pair_loss(np.float32([[-1e4]]), mask, np.float32([[1e4]]), mask)
        np.testing.assert_allclose(loss, 1e4)


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


def test_draws_need_no_batch_size():
    function = tf.function(
        lambda negative: drawn_negatives(negative, 5, 0),
        input_signature=[tf.TensorSpec([None, None], tf.bool)],
    )
    columns, drawn = function(NEGATIVE)
    assert columns.shape == (3, 5)
    np.testing.assert_array_equal(np.sum(drawn, axis=1), [3, 2, 0])
