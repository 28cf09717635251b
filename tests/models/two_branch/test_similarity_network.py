import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.two_branch.two_branch_batches import (
    SMALL,
    image_sentence_batch,
    region_phrase_batch,
    task_batch,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit, randomize
from vsa_tf.models.two_branch.similarity_network import (
    FUSIONS,
    PAIR_NEGATIVES,
    PairFusion,
    SimilarityNetwork,
    drawn_negatives,
    logistic_pair_loss,
)
from vsa_tf.models.two_branch.two_branch_network import TASKS

_RNG = np.random.default_rng(0)
IMAGES = _RNG.normal(size=(3, 2, 6)).astype("float32")
TEXTS = _RNG.normal(size=(3, 1, 6)).astype("float32")
SCORED = [{"num_fusion_layers": number} for number in (1, 2, 3)]
SCORED += [{"fusion": "concatenation"}, {"fusion": "bilinear"}]
NEGATIVE = np.array([[False, True, True, True], [True, False, False, True], [False] * 4])


def _network(batch=None, **settings):
    keras.utils.set_random_seed(0)
    network = SimilarityNetwork(**{**SMALL, **settings})
    network(image_sentence_batch() if batch is None else batch)
    randomize(network)
    return network


def _cost(logits, label):
    return np.log(1 + np.exp(-label * np.asarray(logits, np.float64)))


class TestSimilarityNetwork(VsaTfTestCase):
    def test_own_settings_are_in_the_config(self):
        settings = {
            "num_fusion_layers": 2,
            "fusion": "bilinear",
            "negatives": "hardest",
            "num_hard_negatives": 3,
            "reduction": "sum",
        }
        assert SimilarityNetwork(**SMALL, **settings).get_config().items() >= settings.items()

    @pytest.mark.parametrize("settings", SCORED, ids=str)
    def test_score_is_the_logit_of_every_pair_whatever_the_blocks(self, settings):
        batch, network = image_sentence_batch(), _network(**settings)
        images, sentences = network.embed_images(batch)[:5], network.embed_sentences(batch)
        # A row a pair.
        expected = network.fusion(np.repeat(images, 6, axis=0), np.tile(sentences, (5, 1)))
        for block_pairs in (1, 4, 7, 10, 100):
            scores = network.score(images, sentences, block_pairs)
            assert scores.shape == (5, 6)
            np.testing.assert_allclose(
                scores, np.reshape(expected, (5, 6)), rtol=1e-5, atol=1e-5, err_msg=str(block_pairs)
            )

    def test_logits_are_those_of_each_rows_regions_and_text(self):
        batch = region_phrase_batch()
        network = _network(batch, task="region_phrase")
        outputs = network(batch)
        scores = np.array(network.score(outputs["images"], outputs["sentences"])).reshape(6, 3, 6)
        assert outputs["logits"].shape == (6, 3)
        for row in range(6):
            np.testing.assert_allclose(
                outputs["logits"][row], scores[row, :, row], rtol=1e-4, atol=1e-5
            )

    def test_a_sum_is_the_mean_times_the_pairs(self):
        batch = image_sentence_batch()
        losses = []
        for reduction in ("mean", "sum"):
            network = _network(batch, reduction=reduction)
            network.set_weights([np.full_like(weight, 0.01) for weight in network.get_weights()])
            losses.append(float(network.compute_loss(batch, y_pred=network(batch))))
        # One positive and one negative pair a row.
        np.testing.assert_allclose(losses[1], losses[0] * 2 * len(batch["image_id"]), rtol=1e-5)

    def test_hardest_sentences_of_other_images_are_the_negatives(self):
        batch = image_sentence_batch()
        network = _network(negatives="hardest", num_hard_negatives=6)
        outputs = network(batch)
        scores = np.array(network.score(outputs["images"], outputs["sentences"]))
        wrong = np.where(batch["image_id"][:, None] == batch["image_id"], -np.inf, scores)
        expected = (_cost(np.diagonal(scores), 1) + _cost(wrong.max(axis=1), -1)).mean() / 2
        loss = network.compute_loss(x=batch, y_pred=outputs)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)

    def test_random_negatives_are_sentences_of_other_images(self):
        batch, network = image_sentence_batch(size=3), _network()
        # Images 0, 1, 0: of rows 0 and 2 only sentence 1 is wrong, of row 1 either of two.
        outputs = network(batch)
        scores = np.array(network.score(outputs["images"], outputs["sentences"]))
        right = _cost(np.diagonal(scores), 1).mean()
        possible = [
            (right + _cost([scores[0, 1], scores[1, other], scores[2, 1]], -1).mean()) / 2
            for other in (0, 2)
        ]
        losses = [float(network.compute_loss(x=batch, y_pred=outputs)) for _ in range(20)]
        nearest = np.abs(np.subtract.outer(losses, possible))
        assert nearest.min(axis=1).max() < 1e-5
        assert set(nearest.argmin(axis=1)) == {0, 1}

    @pytest.mark.parametrize("fusion", FUSIONS)
    def test_hardest_far_regions_of_the_image_are_the_negatives(self, fusion):
        batch = region_phrase_batch()
        settings = {"negatives": "hardest", "num_hard_negatives": 18, "fusion": fusion}
        network = _network(batch, task="region_phrase", **settings)
        outputs = network(batch)
        scores = np.array(network.score(outputs["images"], outputs["sentences"]))
        masks = network.masks(batch)
        right, wrong = [], []
        for row in range(6):
            own = np.arange(18) // 3 == row
            positive = scores[own & np.array(masks.positive)[:, row], row]
            negative = np.sort(scores[np.array(masks.negative_images)[:, row], row])[::-1]
            num = min(len(positive), len(negative), 3)
            right.extend(positive[:num])
            wrong.extend(negative[:num])
        assert len(right) == 6
        loss = network.compute_loss(x=batch, y_pred=outputs)
        expected = (_cost(right, 1).mean() + _cost(wrong, -1).mean()) / 2
        np.testing.assert_allclose(loss, expected, rtol=1e-5)

    def test_close_regions_bring_positives_and_as_many_negatives(self):
        batch = region_phrase_batch()
        few = _network(batch, task="region_phrase").masks(batch).positive
        network = _network(
            batch,
            task="region_phrase",
            positive_overlap=0.7,
            negatives="hardest",
            num_hard_negatives=18,
        )
        assert np.sum(network.masks(batch).positive) > np.sum(few)
        network.compile(optimizer="sgd", jit_compile=False)
        assert np.isfinite(fit(network, 2, batch)).all()

    @pytest.mark.parametrize(("task", "negatives"), zip(TASKS, PAIR_NEGATIVES, strict=True))
    def test_training_lowers_the_loss(self, task, negatives):
        batch = task_batch(task)
        # From its own start, and wider: of four units of ReLU too many may be dead.
        keras.utils.set_random_seed(0)
        network = SimilarityNetwork(
            **{**SMALL, "task": task, "negatives": negatives, "joint_size": 16}
        )
        network.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
        losses = fit(network, 80, batch)
        assert np.mean(losses[-10:]) < losses[0] / 2

    def test_the_state_of_the_draws_is_a_variable(self):
        batch, network = image_sentence_batch(), _network()
        outputs = network(batch)
        saved = [np.array(variable) for variable in network.variables]
        first = [float(network.compute_loss(x=batch, y_pred=outputs)) for _ in range(8)]
        assert len(set(first)) > 1
        for variable, value in zip(network.variables, saved):
            variable.assign(value)
        again = [float(network.compute_loss(x=batch, y_pred=outputs)) for _ in range(8)]
        assert again == first

    def test_a_batch_of_one_image_leaves_the_weights(self):
        batch, network = image_sentence_batch(), _network()
        batch["image_id"][:] = 3
        network.compile(optimizer="sgd", jit_compile=False)
        before = [np.array(weight) for weight in network.trainable_weights]
        assert fit(network, 2, batch) == [0.0, 0.0]
        for weight, start in zip(network.trainable_weights, before):
            np.testing.assert_array_equal(weight, start)

    @pytest.mark.parametrize("task", TASKS)
    def test_compiled_steps_train(self, task):
        # Compiled, one seed draws other numbers: only what does not hang on the draws is compared.
        network = _network(task_batch(task), task=task, negatives="hardest", num_hard_negatives=18)
        network.compile(optimizer="sgd", jit_compile=True)
        expected = network.compute_loss(
            x=task_batch(task), y_pred=network(task_batch(task), training=True)
        )
        np.testing.assert_allclose(fit(network, 1, task_batch(task))[0], expected, rtol=1e-4)
        assert network.jit_compile is True

    def test_mixed_precision_trains(self):
        with dtype_policy("mixed_bfloat16"):
            for negatives in PAIR_NEGATIVES:
                network = _network(negatives=negatives, fusion="bilinear")
                network.compile(optimizer="sgd", jit_compile=False)
                assert np.isfinite(fit(network, 2, image_sentence_batch())).all()

    @pytest.mark.parametrize("settings", SCORED, ids=str)
    def test_gradients_of_logits(self, settings):
        batch = region_phrase_batch()
        with dtype_policy("float64"):
            network = _network(batch, task="region_phrase", **settings)
        self.check_gradients(lambda: network(batch)["logits"], network.trainable_weights)

    @pytest.mark.parametrize(
        "setting",
        [
            {"negatives": "top_k"},
            {"num_hard_negatives": 0},
            {"num_fusion_layers": 0},
            {"fusion": "sum"},
            {"reduction": "none"},
            {"negative_phrases": "all"},
        ],
    )
    def test_other_settings_are_refused(self, setting):
        ((name, value),) = setting.items()
        shown = "num_layers" if name == "num_fusion_layers" else name
        with pytest.raises(ValueError, match=f"Expected {shown}.*Received: {shown}={value!r}"):
            SimilarityNetwork(**SMALL, **setting)


class TestPairFusion(VsaTfTestCase):
    @pytest.mark.parametrize("num_layers", [1, 2, 3])
    def test_layer(self, num_layers):
        self.run_layer_test(PairFusion, {"num_layers": num_layers}, [IMAGES, TEXTS], (3, 2))

    @pytest.mark.parametrize(
        ("num_layers", "widths"),
        [(1, [(6, 1)]), (2, [(6, 3), (3, 1)]), (3, [(6, 6), (6, 3), (3, 1)])],
    )
    def test_the_product_passes_through_layers_with_relu_between(self, num_layers, widths):
        fusion = PairFusion(num_layers)
        fusion(IMAGES, TEXTS)
        randomize(fusion)
        kernels = [layer.get_weights() for layer in fusion.fusion_layers]
        assert [kernel.shape for kernel, _ in kernels] == widths
        outputs = IMAGES * TEXTS
        for index, (kernel, bias) in enumerate(kernels):
            outputs = (np.maximum(outputs, 0) if index else outputs) @ kernel + bias
        np.testing.assert_allclose(fusion(IMAGES, TEXTS), outputs[..., 0], rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("num_layers", [1, 3])
    @pytest.mark.parametrize("fusion", ["concatenation", "bilinear"])
    def test_other_fusions_pass_through_the_same_layers(self, fusion, num_layers):
        self.run_layer_test(
            PairFusion, {"num_layers": num_layers, "fusion": fusion}, [IMAGES, TEXTS], (3, 2)
        )
        layer = PairFusion(num_layers, fusion)
        layer(IMAGES, TEXTS)
        randomize(layer)
        joined = np.empty((3, 2, {"concatenation": 12, "bilinear": 36}[fusion]))
        for row, column in np.ndindex(3, 2):
            x, y = IMAGES[row, column], TEXTS[row, 0]
            pair = [*x, *y] if fusion == "concatenation" else [a * b for a in x for b in y]
            joined[row, column] = pair
        for index, dense in enumerate(layer.fusion_layers):
            kernel, bias = dense.get_weights()
            joined = (np.maximum(joined, 0) if index else joined) @ kernel + bias
        np.testing.assert_allclose(layer(IMAGES, TEXTS), joined[..., 0], rtol=1e-4, atol=1e-5)

    def test_what_is_infinite_does_not_spoil_the_other_vector(self):
        layer = PairFusion(1, "concatenation")
        layer(IMAGES, TEXTS)
        (dense,) = layer.fusion_layers
        dense.set_weights([np.ones((12, 1), "float32"), np.zeros(1, "float32")])
        texts = np.copy(TEXTS)
        texts[0, 0, 0] = np.inf
        logits = np.array(layer(IMAGES, texts))
        assert (logits[0] == np.inf).all() and np.isfinite(logits[1:]).all()

    def test_other_numbers_of_layers_are_refused(self):
        with pytest.raises(ValueError, match="Expected num_layers.*Received: num_layers=4"):
            PairFusion(4)


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
        autograph=False,
    )
    columns, drawn = function(NEGATIVE)
    assert columns.shape == (3, 5)
    np.testing.assert_array_equal(np.sum(drawn, axis=1), [3, 2, 0])
