import keras
import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.models.layers.dropping import drop_parts


def _mask(seed=0, size=2000, num_parts=8):
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
    mask = _mask()
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
    draw = tf.function(lambda mask: drop_parts(mask, 0.5, generator), [specification])
    mask = _mask()
    first = draw(mask).numpy()
    assert (draw(mask).numpy() != first).any()
    np.testing.assert_array_equal(drop_parts(mask, 0.5, keras.random.SeedGenerator(0)), first)
