"""The optimiser of a run, its learning rate, and the average of the weights that it keeps."""

import contextlib
import dataclasses

import keras
import numpy as np


def make_optimizer(settings, total_steps):
    """Returns a Keras optimiser; its variables hold the average of the weights, if there is one.

    Args:
        settings: `OptimizerSettings`.
        total_steps: steps of the whole run, for the learning-rate schedule.
    """
    options = {
        "learning_rate": learning_rate(settings, total_steps),
        "clipvalue": settings.clip_value or None,
        "global_clipnorm": settings.clip_norm or None,
        "weight_decay": settings.weight_decay or None,
    }
    optimizers = keras.optimizers
    kind = {
        "sgd": optimizers.SGD,
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "rmsprop": optimizers.RMSprop,
        "adadelta": optimizers.Adadelta,
        "adagrad": optimizers.Adagrad,
    }[settings.optimizer]
    if settings.optimizer == "sgd":
        options["momentum"] = settings.momentum
    if settings.optimizer == "adamw":
        options["weight_decay"] = settings.weight_decay  # None is refused
    if settings.average_weights:
        options |= {"use_ema": True, "ema_momentum": settings.average_weights}
        kind = type(kind.__name__, (_AveragesLastSteps, kind), {})
    return kind(**options)


class _AveragesLastSteps:
    """Makes the decay of a Keras optimiser's average `min(decay, (1 + t) / (10 + t))` at step t.

    So TensorFlow's ExponentialMovingAverage counts steps. Keras's decay is the same at each: of
    runs of a few thousand steps, the first weights would keep a share of `decay ** steps`, 14 % of
    0.999 after 2000. With this one a weight's share after T steps is at most of order
    `(t / T) ** 9`, their mean age T / 10, and the first evaluation is of weights that have learnt.
    """

    @property
    def ema_momentum(self):
        steps = keras.ops.cast(self.iterations, "float32")
        return keras.ops.minimum(self._decay, (1.0 + steps) / (10.0 + steps))

    @ema_momentum.setter
    def ema_momentum(self, decay):
        self._decay = decay


@contextlib.contextmanager
def averaged_weights(model):
    """Within this context a model has the average of its weights, where its optimiser keeps one.

    Afterwards it has its own, bit for bit (`keras.callbacks.SwapEMAWeights` adds and subtracts,
    which rounds). What is not trained stays: BatchNorm's moving statistics are of the last steps'
    own weights, which are the averaged ones only where the learning rate has fallen to 0.

    Args:
        model: a compiled Keras model, built.
    """
    if not model.optimizer.use_ema:
        yield
        return
    weights = [np.array(variable.value) for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, weights):
            variable.assign(value)


def learning_rate(settings, total_steps, start=0):
    """Returns the learning rate: a Keras schedule, or a number.

    Args:
        settings: `OptimizerSettings`.
        total_steps: steps of the whole run.
        start: step at which a schedule that depends on the length begins anew, without warm-up.
    """
    if not start or settings.learning_rate_schedule == "constant":
        return _schedule(settings, total_steps)
    settings = dataclasses.replace(settings, learning_rate_warmup_steps=0)
    return _Later(_schedule(settings, total_steps - start), start)


class _Later(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, schedule, start):
        self.schedule = schedule
        self.start = start

    def __call__(self, step):
        return self.schedule(keras.ops.maximum(keras.ops.cast(step, "int32") - self.start, 0))

    def get_config(self):
        return {"schedule": self.schedule, "start": self.start}


def _schedule(settings, total_steps):
    rate, warmup = settings.learning_rate, settings.learning_rate_warmup_steps
    schedules = keras.optimizers.schedules
    if settings.learning_rate_schedule == "cosine":
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=max(total_steps - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    boundaries, values = [], [rate]
    if settings.learning_rate_schedule == "step":
        boundaries, values = [total_steps * 2 // 3], [rate, rate / 10]
    if warmup:
        # A staircase of ten steps: Keras has no other warm-up for piecewise schedules.
        stairs = sorted({max(warmup * (i + 1) // 10, i + 1) for i in range(10)})
        later = [b for b in boundaries if b > stairs[-1]]
        rises = [rate * (i + 1) / (len(stairs) + 1) for i in range(len(stairs))]
        boundaries, values = stairs + later, rises + values[: len(later) + 1]
    return schedules.PiecewiseConstantDecay(boundaries, values) if boundaries else rate
