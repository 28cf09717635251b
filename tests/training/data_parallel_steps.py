"""Steps of small models over several JAX devices and on one: prints how far they are apart.

    KERAS_BACKEND=jax XLA_FLAGS=--xla_force_host_platform_device_count=4 \\
        python -m tests.training.data_parallel_steps [NAME ...]

Prints the lines of `replica_steps`, of two steps: a full batch, and a smaller one that the devices
cannot share evenly.
"""

import sys
import types

import keras
import numpy as np

from tests.training.replica_batches import first_rows, models
from vsa_tf.settings import TrainingSettings
from vsa_tf.training.compiling import HostPlan, all_devices

_BATCH_SIZE = 8
_SMALLER = 5


def _steps(make, batch, distribution):
    """Returns the mean loss of two steps, and what they take from the weights."""
    with all_devices(TrainingSettings(distribution=distribution)):
        plan = types.SimpleNamespace(
            batch_size=_BATCH_SIZE, num_captions=_BATCH_SIZE + _SMALLER, has_smaller_batch=True
        )
        HostPlan(plan)
        keras.utils.set_random_seed(0)
        model = make()
        model({name: value[:2] for name, value in batch.items()})
        model.compile(keras.optimizers.SGD(0.1), jit_compile=True)
        before = [np.array(weight.value) for weight in model.weights]

        def batches():
            yield (batch,)
            yield (first_rows(batch, _SMALLER),)

        history = model.fit(batches(), epochs=1, steps_per_epoch=2, verbose=0)
        taken = [old - np.array(weight.value) for old, weight in zip(before, model.weights)]
    return history.history["loss"][0], np.concatenate([each.ravel() for each in taken])


if __name__ == "__main__":
    for name, make, batch in models(_BATCH_SIZE, sys.argv[1:]):
        (loss, taken), (spread_loss, spread) = (
            _steps(make, batch, distribution) for distribution in ("none", "data_parallel")
        )
        apart = np.abs(spread - taken).max() / np.abs(taken).max()
        print(f"{name}: loss {abs(spread_loss / loss - 1):.1e} weights {apart:.1e}", flush=True)
