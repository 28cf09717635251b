import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.losses.ranking_loss import RankingLoss

DVSA_SCORES = np.array(
    [[6.307547, 6.461447, 4.375406], [2.919729, 3.695298, 3.896284], [7.630335, 2.557729, 2.200382]]
)


def _vse_scores():
    """Cosines of f(6, 5, .5) and f(6, 5, 1.5) of spec/fixtures.md."""
    columns = 3 * np.arange(6)[:, None] + 7 * np.arange(5)
    images, sentences = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (np.sin(0.5 + columns), np.sin(1.5 + columns))
    )
    return images @ sentences.T


def _brute_force(scores, image_id, margin, negatives, top_k):
    total = 0.0
    for k in range(len(scores)):
        others = [l for l in range(len(scores)) if image_id[l] != image_id[k]]
        for row in (scores[k], scores[:, k]):
            costs = sorted((max(0, row[l] - scores[k, k] + margin) for l in others), reverse=True)
            total += sum(costs[: {"sum": None, "hardest": 1, "top_k": top_k}[negatives]])
    return total


class TestRankingLoss(VsaTfTestCase):
    @pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k"])
    def test_loss(self, negatives):
        rng = np.random.default_rng(0)
        # Normal scores are away from the kinks by far more than a step of the differences.
        self.run_loss_test(
            RankingLoss,
            {"margin": 0.7, "negatives": negatives, "top_k": 2},
            rng.normal(size=(6, 6)),
            np.array([0, 1, 2, 0, 3, 4]),
        )

    def test_dvsa_fixture(self):
        loss = RankingLoss(margin=1.0)(DVSA_SCORES, np.arange(3))
        np.testing.assert_allclose(loss, 22.326478, atol=5e-6)

    @pytest.mark.parametrize(("negatives", "expected"), [("sum", 5.828408), ("hardest", 4.120344)])
    def test_vse_fixture(self, negatives, expected):
        loss = RankingLoss(margin=0.2, negatives=negatives)(_vse_scores(), np.arange(6))
        np.testing.assert_allclose(loss, expected, atol=1e-6)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k"])
    def test_pairs_that_share_an_image_are_left_out(self, seed, negatives):
        rng = np.random.default_rng(seed)
        scores, image_id = rng.normal(size=(8, 8)), rng.integers(0, 5, 8)
        loss = RankingLoss(0.5, negatives, top_k=2)(scores, image_id)
        expected = _brute_force(scores, image_id, 0.5, negatives, 2)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    @pytest.mark.parametrize("hardness", [0.0, 0.25, 1.0])
    def test_hardness_blends_from_sum(self, hardness):
        scores, image_id = _vse_scores(), np.arange(6)
        loss = RankingLoss(0.2, "hardest")(scores, image_id, hardness)
        # The fixture's two losses.
        expected = hardness * 4.120344 + (1 - hardness) * 5.828408
        np.testing.assert_allclose(loss, expected, atol=1e-6)

    def test_hardness_does_not_change_sum(self):
        loss = RankingLoss(0.2, "sum")(_vse_scores(), np.arange(6), 0.3)
        np.testing.assert_allclose(loss, 5.828408, atol=1e-6)

    @pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k"])
    def test_a_batch_of_one_image_costs_nothing(self, negatives):
        scores = tf.constant(np.random.default_rng(0).normal(size=(5, 5)))
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = RankingLoss(1.0, negatives)(scores, np.full(5, 9))
        assert float(loss) == 0.0
        assert not tape.gradient(loss, scores).numpy().any()

    def test_a_clear_margin_costs_nothing(self):
        assert float(RankingLoss(1.0)(2.0 * np.eye(4), np.arange(4))) == 0.0

    def test_other_negatives_are_refused(self):
        with pytest.raises(ValueError, match="Expected negatives to be one of.*'softmax'"):
            RankingLoss(negatives="softmax")
