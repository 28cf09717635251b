import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.losses.logistic_pair_loss import logistic_pair_loss


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
