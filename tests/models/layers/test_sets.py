import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.layers.sets import POOLINGS, SetPooling, descending, drop_parts

VALUES = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
# All, some in their places, one, and none.
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def _pooling(pooling="learned", **settings):
    layer = SetPooling(pooling, **settings)
    layer(VALUES, MASK)
    randomize(layer)
    return layer


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _states(positions, kernel, recurrent_kernel, bias):
    """The states of a GRU as Keras has it: gates z, r, h, the reset after the product."""
    units = len(recurrent_kernel)
    state, states = np.zeros(units), []
    for position in positions:
        z, r, h = np.split(position @ kernel + bias[0], 3)
        own_z, own_r, own_h = np.split(state @ recurrent_kernel + bias[1], 3)
        z, r = _sigmoid(z + own_z), _sigmoid(r + own_r)
        state = z * state + (1 - z) * np.tanh(h + r * own_h)
        states.append(state)
    return np.array(states)


def _theta(layer, count):
    angles = np.arange(1, count + 1)[:, None] / 10000 ** (np.arange(16) / 16)
    positions = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    weights = layer.get_weights()
    both = _states(positions, *weights[:3]) + _states(positions[::-1], *weights[3:6])[::-1]
    scores = np.exp((both / 2 @ weights[6])[:, 0] / 0.1)
    return scores / scores.sum()


class TestSetPooling(VsaTfTestCase):
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_layer(self, pooling):
        self.run_layer_test(
            SetPooling,
            {"pooling": pooling, "units": 4},
            [VALUES, MASK],
            (4, 3),
            unknown_axes=[(0, 1), (0, 1)],
        )

    def test_learned_weights_are_of_sorted_values_and_their_number(self):
        layer = _pooling(units=4)
        values = np.array(layer(VALUES, MASK))
        thetas = []
        for row in range(3):
            own = -np.sort(-VALUES[row, MASK[row]], axis=0)
            thetas.append(_theta(layer, len(own)))
            np.testing.assert_allclose(values[row], thetas[-1] @ own, rtol=1e-4, atol=1e-5)
        # They differ from one another, and from those of the mean.
        assert np.ptp(thetas[0]) > 0.05 and np.ptp(thetas[1]) > 0.05

    def test_learned_begins_with_the_mean(self):
        np.testing.assert_allclose(
            SetPooling("learned")(VALUES, MASK), SetPooling("mean")(VALUES, MASK), atol=1e-6
        )

    def test_mean_and_maximum(self):
        mean, largest = (SetPooling(each)(VALUES, MASK) for each in ("mean", "max"))
        for row in range(3):
            own = VALUES[row, MASK[row]]
            np.testing.assert_allclose(mean[row], own.mean(axis=0), rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(largest[row], own.max(axis=0))

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_one_is_itself_and_none_is_zero(self, pooling):
        layer = _pooling(pooling)
        values = np.array(layer(VALUES, MASK))
        np.testing.assert_allclose(values[2], VALUES[2, 2], rtol=1e-5)
        assert not values[3].any()
        # Nor where there is no place for one.
        np.testing.assert_array_equal(layer(VALUES[:, :0], MASK[:, :0]), np.zeros((4, 3)))

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_padding_its_values_and_the_order_change_nothing(self, pooling):
        layer = _pooling(pooling)
        order = np.random.default_rng(1).permutation(50)
        noisy = np.where(MASK[..., None], VALUES, np.float32(1e9))
        # Of 50, too many for exchanges.
        longer = np.pad(noisy, ((0, 0), (0, 45), (0, 0)), constant_values=-1e9)[:, order]
        mask = np.pad(MASK, ((0, 0), (0, 45)))[:, order]
        for values, each in ((noisy, MASK), (longer, mask)):
            np.testing.assert_allclose(
                layer(values, each), layer(VALUES, MASK), rtol=1e-5, atol=1e-6
            )

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_values_learn_and_what_is_masked_does_not(self, pooling):
        layer, values = _pooling(pooling), tf.constant(VALUES)
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(layer(values, MASK))
        gradient = tape.gradient(total, values).numpy()
        # One unit of gradient is handed out: weights are positive and sum to 1.
        np.testing.assert_allclose(gradient.sum(axis=1), [[1] * 3] * 3 + [[0] * 3], rtol=1e-5)
        assert not gradient[~MASK].any()

    def test_other_poolings_are_refused(self):
        with pytest.raises(ValueError, match="Expected pooling to be one of .*pooling='sum'"):
            SetPooling("sum")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 19, 40, 41])
def test_descending_sorts(count):
    values = np.random.default_rng(count).normal(size=(3, count, 2)).astype("float32")
    values[0] = np.round(values[0])  # equal ones
    np.testing.assert_array_equal(descending(values), -np.sort(-values, axis=1))


def _random_mask(seed=0, size=2000, num_parts=8):
    lengths = np.random.default_rng(seed).integers(0, num_parts + 1, size)
    return np.arange(num_parts) < lengths[:, None]


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_each_part_is_left_out_at_the_rate(rate):
    mask = np.ones((4000, 8), bool)
    kept = np.array(drop_parts(mask, rate, seed=1))
    # 4000 draws each: four standard deviations are below .032.
    np.testing.assert_allclose(1 - kept.mean(axis=0), rate, atol=0.032 if rate else 0)


@pytest.mark.parametrize("keep_first", [False, True])
def test_at_least_one_real_part_stays_and_none_is_added(keep_first):
    mask = _random_mask()
    kept = np.array(drop_parts(mask, 0.95, seed=2, keep_first=keep_first))
    assert not (kept & ~mask).any() and (kept != mask).any()
    np.testing.assert_array_equal(kept.any(axis=1), mask.any(axis=1))
    if keep_first:
        np.testing.assert_array_equal(kept[:, 0], mask[:, 0])
    else:
        assert (kept[:, 0] != mask[:, 0]).any()


def test_draws_differ_and_may_be_compiled_with_unknown_sizes():
    generator = keras.random.SeedGenerator(0)
    specification = tf.TensorSpec([None, None], tf.bool)
    draw = tf.function(
        lambda mask: drop_parts(mask, 0.5, generator), [specification], autograph=False
    )
    mask = _random_mask()
    first = draw(mask).numpy()
    assert (draw(mask).numpy() != first).any()
    np.testing.assert_array_equal(drop_parts(mask, 0.5, keras.random.SeedGenerator(0)), first)
