import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.alignment.ranking_loss import RankingLoss, hinge_costs, mine_costs
from vsa_tf.models.layers.pair_costs import distillation_costs, negative_mask

DVSA_SCORES = np.array(
    [[6.307547, 6.461447, 4.375406], [2.919729, 3.695298, 3.896284], [7.630335, 2.557729, 2.200382]]
)
COSTS = np.float32([[0, 3, 1, 2], [0, 0, 0, 0], [5, 5, 0, 1], [0.5, 0, 4, 0]])


def _vse_scores():
    """Cosines of f(6, 5, .5) and f(6, 5, 1.5) of docs/equations.md 6.3."""
    columns = 3 * np.arange(6)[:, None] + 7 * np.arange(5)
    images, sentences = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (np.sin(0.5 + columns), np.sin(1.5 + columns))
    )
    return images @ sentences.T


def _brute_force(scores, image_id, margin, negatives, num_hard_negatives):
    total = 0.0
    for k in range(len(scores)):
        others = [l for l in range(len(scores)) if image_id[l] != image_id[k]]
        for row in (scores[k], scores[:, k]):
            costs = sorted((max(0, row[l] - scores[k, k] + margin) for l in others), reverse=True)
            total += sum(
                costs[: {"sum": None, "hardest": 1, "top_k": num_hard_negatives}[negatives]]
            )
    return total


class TestRankingLoss(VsaTfTestCase):
    @pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k", "softmax"])
    def test_loss(self, negatives):
        rng = np.random.default_rng(0)
        # Normal scores are away from the kinks by far more than a step of the differences.
        self.run_loss_test(
            RankingLoss,
            {"margin": 0.7, "negatives": negatives, "num_hard_negatives": 2},
            rng.normal(size=(6, 6)),
            np.array([0, 1, 2, 0, 3, 4]),
        )

    @pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
    def test_teachers_have_their_share_of_the_loss(self, weight):
        rng, image_id = np.random.default_rng(0), np.array([0, 1, 2, 0, 3, 4])
        scores, taught = rng.normal(size=(2, 6, 6))
        loss = RankingLoss(negatives="softmax", temperature=0.5, teacher_weight=weight)
        logits = scores / 0.5
        learnt = sum(
            np.sum(distillation_costs(each, other))
            for each, other in ((logits, taught), (logits.T, taught.T))
        )
        expected = (1 - weight) * float(loss(scores, image_id)) + weight * learnt
        received = loss(scores, image_id, teacher_scores=taught)
        np.testing.assert_allclose(received, expected, rtol=1e-6)

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
        loss = RankingLoss(0.5, negatives, num_hard_negatives=2)(scores, image_id)
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

    @pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k", "softmax"])
    def test_a_batch_of_one_image_costs_nothing(self, negatives):
        scores = tf.constant(np.random.default_rng(0).normal(size=(5, 5)))
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = RankingLoss(1.0, negatives)(scores, np.full(5, 9))
        assert float(loss) == 0.0
        assert not tape.gradient(loss, scores).numpy().any()

    def test_softmax_of_hand_made_scores(self):
        # Pairs 0 and 2 share an image. In units of the temperature, log 2, 3 and 5: pair 0 against
        # sentence 1 and image 1, pair 1 against both others, pair 2 as pair 0.
        exponentials = np.array([[2.0, 3.0, 1e9], [5.0, 4.0, 1.0], [1e9, 1.0, 6.0]])
        loss = RankingLoss(negatives="softmax", temperature=0.5)(
            0.5 * np.log(exponentials), np.array([7, 3, 7])
        )
        of_images = 2 / (2 + 3), 4 / (4 + 5 + 1), 6 / (6 + 1)
        of_sentences = 2 / (2 + 5), 4 / (4 + 3 + 1), 6 / (6 + 1)
        expected = -np.log(of_images).sum() - np.log(of_sentences).sum()
        np.testing.assert_allclose(loss, expected, rtol=1e-6)

    def test_softmax_knows_no_hardness(self):
        scores, image_id = _vse_scores(), np.arange(6)
        loss = RankingLoss(negatives="softmax")
        assert float(loss(scores, image_id, 0.3)) == float(loss(scores, image_id))

    def test_a_clear_margin_costs_nothing(self):
        assert float(RankingLoss(1.0)(2.0 * np.eye(4), np.arange(4))) == 0.0

    def test_other_negatives_are_refused(self):
        with pytest.raises(ValueError, match="Expected negatives to be one of.*'all'"):
            RankingLoss(negatives="all")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin", [0.0, 0.2, 1.0])
def test_costs_are_the_terms_of_the_equation(seed, margin):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(6, 6))
    image_id = rng.integers(0, 4, 6)
    sentence_costs, image_costs = hinge_costs(scores, negative_mask(image_id), margin)
    for k in range(6):
        for l in range(6):
            sentence_cost = image_cost = 0.0
            if image_id[k] != image_id[l]:
                sentence_cost = max(0, scores[k, l] - scores[k, k] + margin)
                image_cost = max(0, scores[l, k] - scores[k, k] + margin)
            np.testing.assert_allclose(sentence_costs[k, l], sentence_cost)
            np.testing.assert_allclose(image_costs[k, l], image_cost)


def test_hand_made_costs():
    # Image 0 prefers sentence 1 by .5, image 1 leaves 1 of the margin; sentence 0 leaves 0 of it.
    scores = np.float32([[1.0, 1.5], [0.0, 1.0]])
    sentence_costs, image_costs = hinge_costs(scores, negative_mask(np.array([0, 1])), 1.0)
    np.testing.assert_array_equal(sentence_costs, [[0, 1.5], [0, 0]])
    np.testing.assert_array_equal(image_costs, [[0, 0], [1.5, 0]])


@pytest.mark.parametrize(
    ("negatives", "num_hard_negatives", "expected"),
    [
        ("sum", 1, [6, 0, 11, 4.5]),
        ("hardest", 3, [3, 0, 5, 4]),
        ("top_k", 1, [3, 0, 5, 4]),
        ("top_k", 2, [5, 0, 10, 4.5]),
        ("top_k", 10, [6, 0, 11, 4.5]),
    ],
)
def test_mining_takes_the_largest_costs_of_a_row(negatives, num_hard_negatives, expected):
    np.testing.assert_array_equal(mine_costs(COSTS, negatives, num_hard_negatives), expected)


@pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k"])
def test_the_batch_size_may_be_unknown(negatives):
    function = tf.function(
        lambda costs: mine_costs(costs, negatives, 2),
        input_signature=[tf.TensorSpec([None, None])],
        autograph=False,
    )
    np.testing.assert_array_equal(function(COSTS), mine_costs(COSTS, negatives, 2))


def test_other_negatives_are_refused():
    with pytest.raises(ValueError, match="Expected negatives to be one of.*Received: 'softmax'"):
        mine_costs(COSTS, "softmax")
