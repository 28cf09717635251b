import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.layers.pair_costs import distillation_costs
from vsa_tf.models.two_branch.pair_masks import PairMasks, image_sentence_masks
from vsa_tf.models.two_branch.two_branch_loss import (
    COUNTED_NEIGHBORS,
    NEGATIVES,
    REDUCTIONS,
    TwoBranchLoss,
    furthest_neighbor,
    nearest_negatives,
    neighborhood_masks,
    pairwise_distances,
    triplet_costs,
)

TERMS = (
    "image_to_text_weight",
    "text_to_image_weight",
    "image_neighborhood_weight",
    "text_neighborhood_weight",
)


def _sines(rows, phase):
    """N(f(rows, 5, phase)) of docs/equations.md 6.1."""
    values = np.sin(phase + 3 * np.arange(rows)[:, None] + 7 * np.arange(5))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


IMAGES, SENTENCES = _sines(6, 0.5), _sines(12, 2.5)
IMAGE_OF_SENTENCE = np.arange(12) // 2
_POSITIVE = np.arange(6)[:, None] == IMAGE_OF_SENTENCE
FIXTURE_MASKS = PairMasks(_POSITIVE, ~_POSITIVE, ~_POSITIVE)


def _weights(**terms):
    return {**dict.fromkeys(TERMS, 0.0), **terms}


def _random_case(seed, num_images=6, num_texts=8, size=4):
    """Unit vectors and masks with several positives, and pairs that are neither."""
    rng = np.random.default_rng(seed)
    images, texts = rng.normal(size=(num_images, size)), rng.normal(size=(num_texts, size))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    kind = rng.integers(0, 4, (num_images, num_texts))
    masks = PairMasks(
        kind == 0,
        kind >= 2,
        (kind == 1) | (kind == 2),
        rng.uniform(size=num_images) < 0.8,
        rng.uniform(size=num_texts) < 0.8,
    )
    return images, texts, masks


def _brute_force(images, texts, masks, settings):
    """The loss of the docstring, triplet by triplet."""

    def distance(x, y):
        return np.sqrt(((x - y) ** 2).sum() + 1e-4)

    def triplets(positive_distance, others, num_counted):
        costs = [max(0, settings.margin + positive_distance - other) for other in others]
        total = sum(sorted(costs, reverse=True)[:num_counted])
        return total if settings.reduction == "sum" else total / num_counted

    def cross_entropy(x, right, wrong):
        exponentials = [np.exp(x @ other / 0.2) for other in [right, *wrong]]
        return -np.log(exponentials[0] / sum(exponentials))

    def reduced(terms):
        if settings.reduction == "sum":
            return np.sum(terms)
        return np.mean(terms) if terms else 0.0

    def cross(anchors, others, positive, negative):
        terms = []
        for i, x in enumerate(anchors):
            wrong = [k for k in range(len(others)) if negative[i, k]]
            for j in range(len(others)):
                if not positive[i, j]:
                    continue
                if settings.negatives == "softmax":
                    terms.append(cross_entropy(x, others[j], [others[k] for k in wrong]))
                else:
                    num_counted = (
                        1 if settings.negatives == "hardest" else settings.num_hard_negatives
                    )
                    distances = [distance(x, others[k]) for k in wrong]
                    terms.append(triplets(distance(x, others[j]), distances, num_counted))
        return reduced(terms)

    def within(vectors, positive, negative):
        terms, num = [], len(vectors)
        for i in range(num):
            shared = [(positive[i] & positive[j]).any() for j in range(num)]
            refused = [(positive[i] & negative[j]).any() for j in range(num)]
            near = [vectors[j] for j in range(num) if shared[j] and j != i]
            far = [vectors[j] for j in range(num) if refused[j] and not shared[j] and j != i]
            if settings.negatives == "softmax":
                terms += [cross_entropy(vectors[i], neighbor, far) for neighbor in near]
            elif near:
                distances = [distance(vectors[i], other) for other in far]
                counted = sorted(distance(vectors[i], neighbor) for neighbor in near)
                if settings.counted_neighbors == "furthest":
                    counted = counted[-1:]
                terms += [triplets(own, distances, settings.num_hard_negatives) for own in counted]
        return reduced(terms)

    positive = masks.positive & masks.first_image[:, None] & masks.first_text
    negative_texts = masks.negative_texts & masks.first_text
    negative_images = masks.negative_images & masks.first_image[:, None]
    return (
        settings.image_to_text_weight * cross(images, texts, positive, negative_texts)
        + settings.text_to_image_weight * cross(texts, images, positive.T, negative_images.T)
        + settings.image_neighborhood_weight * within(images, positive, negative_images)
        + settings.text_neighborhood_weight * within(texts, positive.T, negative_texts.T)
    )


class TestTwoBranchLoss(VsaTfTestCase):
    @pytest.mark.parametrize(
        ("terms", "expected"),
        [
            ({"text_to_image_weight": 1.0}, 0.380274),
            ({"image_to_text_weight": 1.0}, 0.589701),
            ({"text_neighborhood_weight": 1.0}, 1.651701),
            ({"image_neighborhood_weight": 1.0}, 0.0),  # no sentence belongs to two images
            (
                {
                    "text_to_image_weight": 1.5,
                    "image_to_text_weight": 1.0,
                    "text_neighborhood_weight": 0.05,
                },
                1.242698,
            ),
        ],
    )
    def test_the_authors_numbers(self, terms, expected):
        loss = TwoBranchLoss(num_hard_negatives=3, **_weights(**terms))(
            IMAGES, SENTENCES, FIXTURE_MASKS
        )
        np.testing.assert_allclose(loss, expected, atol=6e-7)

    def test_the_authors_numbers_in_float32(self):
        images, sentences = IMAGES.astype("float32"), SENTENCES.astype("float32")
        loss = TwoBranchLoss(num_hard_negatives=3)(images, sentences, FIXTURE_MASKS)
        assert loss.dtype == tf.float32
        np.testing.assert_allclose(loss, 1.242698, atol=1e-5)

    def test_rows_of_pairs_give_the_numbers_of_distinct_images(self):
        # Every image stands in two rows, once for each of its sentences.
        masks = image_sentence_masks(IMAGE_OF_SENTENCE)
        loss = TwoBranchLoss(num_hard_negatives=3)(IMAGES[IMAGE_OF_SENTENCE], SENTENCES, masks)
        np.testing.assert_allclose(loss, 1.242698, atol=6e-7)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("negatives", NEGATIVES)
    @pytest.mark.parametrize("counted_neighbors", COUNTED_NEIGHBORS)
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    def test_the_loss_is_that_of_its_triplets(self, seed, negatives, counted_neighbors, reduction):
        images, texts, masks = _random_case(seed)
        for term in TERMS:
            settings = TwoBranchLoss(
                margin=0.2,
                num_hard_negatives=3,
                negatives=negatives,
                counted_neighbors=counted_neighbors,
                reduction=reduction,
                **_weights(**{term: 1.0}),
            )
            np.testing.assert_allclose(
                settings(images, texts, masks, temperature=0.2),
                _brute_force(images, texts, masks, settings),
                rtol=1e-6,
                err_msg=term,
            )

    @pytest.mark.parametrize("negatives", NEGATIVES)
    def test_gradients(self, negatives):
        images, texts, masks = _random_case(0)
        loss = TwoBranchLoss(
            margin=0.2,
            num_hard_negatives=3,
            negatives=negatives,
            image_neighborhood_weight=0.3,
            text_neighborhood_weight=0.7,
        )
        variables = [keras.Variable(value, dtype="float64") for value in (images, texts)]
        self.check_gradients(
            lambda: loss(*(tf.identity(variable.value) for variable in variables), masks), variables
        )

    @pytest.mark.parametrize("reduction", REDUCTIONS)
    def test_teachers_have_their_share_of_the_terms_across_modalities(self, reduction):
        weights = {"image_to_text_weight": 2.0, "text_to_image_weight": 3.0}
        weights["text_neighborhood_weight"] = 0.5
        masks, temperature = image_sentence_masks(IMAGE_OF_SENTENCE), 0.2
        images, taught = IMAGES[IMAGE_OF_SENTENCE], np.sin(np.arange(144.0)).reshape(12, 12)

        def loss(teacher_scores=None, **settings):
            settings = {"negatives": "softmax", "reduction": reduction, **weights, **settings}
            made = TwoBranchLoss(**settings, teacher_weight=0.25)
            return float(made(images, SENTENCES, masks, 1.0, temperature, teacher_scores))

        scores = images @ SENTENCES.T / temperature
        learnt = [
            getattr(np, reduction)(distillation_costs(each, other))
            for each, other in ((scores, taught), (scores.T, taught.T))
        ]
        within = loss(image_to_text_weight=0.0, text_to_image_weight=0.0)
        expected = within + 0.75 * (loss() - within)
        expected += 0.25 * (2.0 * learnt[0] + 3.0 * learnt[1])
        np.testing.assert_allclose(loss(taught), expected, rtol=1e-6)

    @pytest.mark.parametrize("negatives", NEGATIVES)
    def test_a_batch_of_one_image_costs_nothing(self, negatives):
        images, texts = tf.constant(IMAGES), tf.constant(SENTENCES[:6])
        loss = TwoBranchLoss(negatives=negatives, image_neighborhood_weight=1.0)
        with tf.GradientTape() as tape:
            tape.watch([images, texts])
            value = loss(images, texts, image_sentence_masks(np.full(6, 4)))
        assert float(value) == 0.0
        for gradient in tape.gradient(value, [images, texts]):
            assert np.isfinite(gradient).all()
            assert not gradient.numpy().any()

    def test_targets_without_neighbours_have_no_neighbourhood_term(self):
        masks = image_sentence_masks(np.arange(6))
        loss = TwoBranchLoss(**_weights(text_neighborhood_weight=1.0))
        assert float(loss(IMAGES, SENTENCES[::2], masks)) == 0.0

    @pytest.mark.parametrize("neighborhood", [0.0, 0.5])
    def test_the_neighbourhood_factor_scales_these_terms_alone(self, neighborhood):
        loss = TwoBranchLoss(num_hard_negatives=3)(
            IMAGES, SENTENCES, FIXTURE_MASKS, neighborhood=neighborhood
        )
        expected = 1.5 * 0.380274 + 0.589701 + neighborhood * 0.05 * 1.651701
        np.testing.assert_allclose(loss, expected, atol=2e-6)

    def test_fewer_negatives_than_k_divide_by_k_all_the_same(self):
        # Every triplet costs something here; a text has 5 wrong images.
        settings = _weights(text_to_image_weight=1.0)
        few, many = (
            float(
                TwoBranchLoss(margin=3.0, num_hard_negatives=number, **settings)(
                    IMAGES, SENTENCES, FIXTURE_MASKS
                )
            )
            for number in (5, 20)
        )
        np.testing.assert_allclose(many, few * 5 / 20, rtol=1e-6)

    def test_sizes_may_be_unknown(self):
        loss = TwoBranchLoss(num_hard_negatives=3, image_neighborhood_weight=1.0)
        floats, flags = tf.TensorSpec([None, 5], tf.float64), tf.TensorSpec([None], tf.int32)
        function = tf.function(
            lambda images, texts, image_id: loss(images, texts, image_sentence_masks(image_id)),
            input_signature=[floats, floats, flags],
            autograph=False,
        )
        value = function(IMAGES[IMAGE_OF_SENTENCE], SENTENCES, IMAGE_OF_SENTENCE.astype("int32"))
        np.testing.assert_allclose(value, 1.242698, atol=6e-7)

    def test_config_round_trips(self):
        config = TwoBranchLoss(
            margin=0.1,
            image_to_text_weight=1.0,
            text_to_image_weight=4.0,
            image_neighborhood_weight=0.2,
            text_neighborhood_weight=0.3,
            num_hard_negatives=30,
            negatives="hardest",
        ).get_config()
        revived = TwoBranchLoss(**json.loads(json.dumps(config)))
        assert revived.get_config() == config
        assert config == {
            "margin": 0.1,
            "image_to_text_weight": 1.0,
            "text_to_image_weight": 4.0,
            "image_neighborhood_weight": 0.2,
            "text_neighborhood_weight": 0.3,
            "num_hard_negatives": 30,
            "negatives": "hardest",
            "counted_neighbors": "furthest",
            "reduction": "mean",
            "teacher_weight": 0.5,
        }

    @pytest.mark.parametrize(
        "setting",
        [
            {"negatives": "sum"},
            {"num_hard_negatives": 0},
            {"counted_neighbors": "nearest"},
            {"reduction": "none"},
        ],
    )
    def test_other_settings_are_refused(self, setting):
        ((name, value),) = setting.items()
        with pytest.raises(ValueError, match=f"Expected {name}.*Received: {name}={value!r}"):
            TwoBranchLoss(**setting)


@pytest.mark.parametrize("seed", range(3))
def test_the_furthest_neighbour_is_at_the_largest_distance_of_all(seed):
    rng = np.random.default_rng(seed)
    distances, neighbors = rng.uniform(size=(6, 6)), rng.uniform(size=(6, 6)) < 0.3
    neighbors[2] = False
    furthest, has_neighbor = furthest_neighbor(distances, neighbors)
    for row in range(6):
        assert has_neighbor[row] == neighbors[row].any()
        assert furthest[row] == max(distances[row][neighbors[row]], default=0.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_hard_negatives", [1, 3, 20])
def test_the_smallest_distances_of_negatives_come_first(seed, num_hard_negatives):
    rng = np.random.default_rng(seed)
    distances, negative = rng.uniform(size=(5, 8)), rng.integers(0, 2, (5, 8)).astype(bool)
    nearest = np.array(nearest_negatives(distances, negative, num_hard_negatives))
    assert nearest.shape == (5, num_hard_negatives)
    for row in range(5):
        expected = sorted(distances[row][negative[row]])[:num_hard_negatives]
        np.testing.assert_array_equal(nearest[row, : len(expected)], expected)
        assert np.isinf(nearest[row, len(expected) :]).all()


def test_nearest_negatives_need_no_batch_size():
    function = tf.function(
        lambda distances, negative: nearest_negatives(distances, negative, 3),
        input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None, None], tf.bool)],
        autograph=False,
    )
    nearest = function(np.float32([[0.5, 0.25]]), np.array([[True, True]]))
    np.testing.assert_array_equal(nearest, [[0.25, 0.5, np.inf]])


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_share_a_match_and_outsiders_are_refused_by_one(seed):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, (7, 5))  # positive, negative, neither
    neighbors, outsiders = neighborhood_masks(kind == 0, kind == 1)
    for i in range(7):
        for j in range(7):
            shared = any(kind[i, k] == kind[j, k] == 0 for k in range(5))
            refused = any(kind[i, k] == 0 and kind[j, k] == 1 for k in range(5))
            assert neighbors[i, j] == (shared and i != j)
            assert outsiders[i, j] == (refused and not shared)


def test_of_sentences_the_neighbours_are_those_of_the_same_image():
    image_id = np.array([4, 5, 4, 6, 4])
    masks = image_sentence_masks(image_id).of_distinct_items()
    neighbors, outsiders = neighborhood_masks(
        np.transpose(masks.positive), np.transpose(masks.negative_texts)
    )
    same = image_id[:, None] == image_id
    np.testing.assert_array_equal(neighbors, same & ~np.eye(5, dtype=bool))
    np.testing.assert_array_equal(outsiders, ~same)


def test_of_images_no_two_are_neighbours():
    masks = image_sentence_masks(np.array([4, 5, 4])).of_distinct_items()
    neighbors, _ = neighborhood_masks(masks.positive, masks.negative_images)
    assert not np.array(neighbors).any()


@pytest.mark.parametrize("seed", range(3))
def test_pairwise_distances_are_those_of_the_equation(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    expected = np.sqrt(((x[:, None] - y) ** 2).sum(axis=-1) + 1e-4)
    np.testing.assert_allclose(pairwise_distances(x, y), expected, rtol=1e-10)


def test_a_vector_is_a_hundredth_from_itself_with_a_finite_gradient():
    # Long vectors, whose rounding would make a square negative.
    x = tf.constant(np.random.default_rng(0).normal(scale=100, size=(40, 30)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        distances = pairwise_distances(x, x)
    assert np.isfinite(distances).all()
    assert np.diagonal(distances).min() >= np.float32(0.01) * 0.999
    assert np.isfinite(tape.gradient(distances, x)).all()


@pytest.mark.parametrize("seed", range(3))
def test_triplet_costs_are_sums_of_hinges(seed):
    rng = np.random.default_rng(seed)
    positive, nearest = rng.uniform(size=(4, 3)), rng.uniform(size=(4, 5))
    nearest[0, 2:] = np.inf
    costs = triplet_costs(positive, nearest, 0.2)
    for i in range(4):
        for j in range(3):
            expected = sum(max(0, 0.2 + positive[i, j] - other) for other in nearest[i])
            np.testing.assert_allclose(costs[i, j], expected, rtol=1e-10)
