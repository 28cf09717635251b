"""A step of small models on two replicas and on one device: prints how far they are apart.

    python -m tests.training.replica_steps [NAME ...]

Prints a line `NAME loss L weights W` a model: the relative difference of the losses, and of what
one step of plain gradient descent takes from the weights, the gradient clipped.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from tests.training.replica_batches import models
from vsa_tf.settings import TrainingSettings
from vsa_tf.training.compiling import execution_scope, spread_batches


def step(make, batch, distribution):
    """Returns the loss of a step, and what it takes from each weight."""
    keras.utils.set_random_seed(0)
    with execution_scope(TrainingSettings(distribution=distribution)):
        model = make()
        model({name: value[:2] for name, value in batch.items()})
        # On one device eagerly, which is quicker for a step.
        eager = distribution == "none"
        optimizer = keras.optimizers.SGD(1.0, global_clipnorm=1e-3)
        model.compile(optimizer, jit_compile=False, run_eagerly=eager)
        model.optimizer.build(model.trainable_variables)
    if distribution != "none":
        spread_batches(model)
    before = [np.array(weight) for weight in model.weights]
    data = tf.data.Dataset.from_tensors(batch)
    history = model.fit(data, epochs=1, verbose=0, shuffle=False)
    taken = [old - np.array(weight) for old, weight in zip(before, model.weights)]
    return history.history["loss"][0], np.concatenate([each.ravel() for each in taken])


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    for name, make, batch in models(6, sys.argv[1:]):
        (loss, taken), (spread_loss, spread) = (
            step(make, batch, distribution) for distribution in ("none", "mirrored")
        )
        apart = np.abs(spread - taken).max() / np.abs(taken).max()
        print(f"{name}: loss {abs(spread_loss / loss - 1):.1e} weights {apart:.1e}", flush=True)
