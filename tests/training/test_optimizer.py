import types

import keras
import numpy as np
import pytest

from vsa_tf.settings import OptimizerSettings
from vsa_tf.training.optimizer import averaged_weights, learning_rate, make_optimizer

PLAIN = {"optimizer": "sgd", "learning_rate_schedule": "constant", "learning_rate_warmup_steps": 0}


def _settings(**settings):
    return OptimizerSettings(**{**PLAIN, **settings})


def _step(gradients, start=None, **settings):
    """What one step takes from each variable."""
    start = start or [np.zeros(len(gradient), "float32") for gradient in gradients]
    variables = [keras.Variable(value) for value in start]
    optimizer = make_optimizer(_settings(**settings), 100)
    optimizer.apply([np.float32(gradient) for gradient in gradients], variables)
    return [before - np.array(variable) for before, variable in zip(start, variables)]


def _rates(steps, total_steps=100, **settings):
    optimizer = make_optimizer(_settings(learning_rate=0.8, **settings), total_steps)
    rates = []
    for step in steps:
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    return rates


@pytest.mark.parametrize(
    ("name", "optimizer_class"),
    [
        ("sgd", keras.optimizers.SGD),
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("rmsprop", keras.optimizers.RMSprop),
        ("adadelta", keras.optimizers.Adadelta),
        ("adagrad", keras.optimizers.Adagrad),
    ],
)
def test_each_optimizer_descends(name, optimizer_class):
    assert type(make_optimizer(_settings(optimizer=name), 10)) is optimizer_class
    (taken,) = _step([[1.0, -2.0]], optimizer=name)
    assert taken[0] > 0 > taken[1]


def test_momentum_is_that_of_the_settings():
    variable = keras.Variable([0.0])
    settings = _settings(learning_rate=0.1, momentum=0.5)
    optimizer = make_optimizer(settings, 10)
    for _ in range(2):
        optimizer.apply([np.float32([1.0])], [variable])
    # Velocities -.1 and -.05 - .1.
    np.testing.assert_allclose(variable, [-0.25], rtol=1e-6)


def test_weight_decay_is_decoupled_from_the_gradient():
    (taken,) = _step(
        [[0.0]], start=[np.float32([2.0])], optimizer="adamw", learning_rate=0.1, weight_decay=0.5
    )
    np.testing.assert_allclose(taken, [2.0 * 0.1 * 0.5], rtol=1e-5)


def test_no_weight_decay_by_default():
    for name in ("sgd", "adam", "adamw"):
        (taken,) = _step([[0.0]], start=[np.float32([2.0])], optimizer=name)
        np.testing.assert_array_equal(taken, [0.0])


def test_gradients_are_clipped_by_element():
    taken = _step([[3.0, -0.5], [-7.0]], learning_rate=1.0, clip_value=2.0)
    np.testing.assert_allclose(taken[0], [2.0, -0.5])
    np.testing.assert_allclose(taken[1], [-2.0])


def test_gradients_are_clipped_by_the_norm_of_all_together():
    # The norm is 5, so a norm of 1 is a fifth of each.
    taken = _step([[3.0, 0.0], [-4.0]], learning_rate=1.0, clip_norm=1.0)
    np.testing.assert_allclose(taken[0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(taken[1], [-0.8], rtol=1e-6)


def test_gradients_are_not_clipped_by_default():
    taken = _step([[3000.0, -0.5]], learning_rate=1.0)
    np.testing.assert_allclose(taken[0], [3000.0, -0.5])


def _averaged(steps, **settings):
    """A model of one weight that `steps` steps of -0.1 have made of 0, its average kept."""
    weight = keras.Variable([0.0])
    optimizer = make_optimizer(_settings(learning_rate=0.1, momentum=0.0, **settings), 100)
    for _ in range(steps):
        optimizer.apply([np.float32([1.0])], [weight])
    return types.SimpleNamespace(optimizer=optimizer, trainable_variables=[weight])


@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_the_average_forgets_its_first_steps(name, decay):
    # Of a constant gradient Adam's steps are SGD's: the weights are -0.1, -0.2, ...
    expected = 0.0
    for step in range(12):
        # Of the first step all is taken; (1 + t) / (10 + t) is below 0.3 up to t = 2.
        share = min(decay, (1 + step) / (10 + step)) if step else 0.0
        expected = share * expected + (1 - share) * -0.1 * (step + 1)
    model = _averaged(12, optimizer=name, average_weights=decay)
    with averaged_weights(model):
        np.testing.assert_allclose(model.trainable_variables[0], [expected], rtol=1e-5)


def test_the_weights_are_there_again_to_the_bit_after_the_average_even_when_it_fails():
    model = _averaged(7, average_weights=0.9)
    before = np.array(model.trainable_variables[0])
    for failure in (None, KeyboardInterrupt):
        try:
            with averaged_weights(model):
                assert np.array(model.trainable_variables[0]) != before
                if failure:
                    raise failure
        except KeyboardInterrupt:
            pass
        np.testing.assert_array_equal(np.array(model.trainable_variables[0]), before)


def test_without_an_average_the_weights_stay():
    model = _averaged(7)
    before = np.array(model.trainable_variables[0])
    with averaged_weights(model):
        np.testing.assert_array_equal(np.array(model.trainable_variables[0]), before)
    # Nor is one kept: the step and the rate alone.
    assert len(model.optimizer.variables) == 2


def test_a_constant_rate():
    np.testing.assert_allclose(_rates([0, 50, 200]), [0.8] * 3)


def test_half_a_cosine():
    # (1 + cos(pi t)) / 2 of the rate at t = 0, 1/4, 1/2, 1 and after.
    expected = [0.8, 0.8 * (1 + np.sqrt(0.5)) / 2, 0.4, 0.0, 0.0]
    rates = _rates([0, 25, 50, 100, 120], learning_rate_schedule="cosine")
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_half_a_cosine_after_warmup():
    rates = _rates(
        [0, 10, 20, 60, 100], learning_rate_schedule="cosine", learning_rate_warmup_steps=20
    )
    np.testing.assert_allclose(rates, [0.0, 0.4, 0.8, 0.4, 0.0], atol=1e-6)


def test_a_step_at_two_thirds():
    rates = _rates([0, 59, 61, 99], 90, learning_rate_schedule="step")
    np.testing.assert_allclose(rates, [0.8, 0.8, 0.08, 0.08], rtol=1e-6)


@pytest.mark.parametrize("schedule", ["constant", "step"])
@pytest.mark.parametrize("warmup", [1, 5, 20])
def test_warmup_grows_to_the_rate(schedule, warmup):
    rates = _rates(
        range(60), 90, learning_rate_schedule=schedule, learning_rate_warmup_steps=warmup
    )
    assert 0 < rates[0] < 0.8
    assert rates == sorted(rates)
    # The ten steps of the staircase need ten steps of training at least.
    np.testing.assert_allclose(rates[max(warmup, 10) + 1 :], 0.8, rtol=1e-6)


def test_a_warmup_longer_than_the_run_never_falls():
    rates = _rates(range(30), 10, learning_rate_schedule="step", learning_rate_warmup_steps=20)
    assert rates == sorted(rates)


def _rates_from(start, steps, total_steps=100, **settings):
    rate = learning_rate(_settings(learning_rate=0.8, **settings), total_steps, start)
    return [float(rate(step)) if callable(rate) else rate for step in steps]


def test_a_schedule_that_begins_anew_is_that_of_the_steps_that_are_left():
    # 40 steps of 100 are done: half a cosine over the other 60, without another warm-up.
    cosine = {"learning_rate_schedule": "cosine", "learning_rate_warmup_steps": 20}
    rates = _rates_from(40, [40, 70, 100], **cosine)
    np.testing.assert_allclose(rates, [0.8, 0.4, 0.0], atol=1e-6)
    # Two thirds of the 30 that are left.
    rates = _rates_from(60, [60, 79, 81], 90, learning_rate_schedule="step")
    np.testing.assert_allclose(rates, [0.8, 0.8, 0.08], rtol=1e-6)


def test_a_schedule_without_an_end_goes_on():
    rising = {"learning_rate_warmup_steps": 20}
    assert _rates_from(10, range(9, 30), **rising) == _rates_from(0, range(9, 30), **rising)
