"""Where and how training steps run: XLA, replicas, backends."""

import contextlib
import sys

import keras


def compile_options(settings):
    """Returns the options of `model.compile` for `TrainingSettings`, and says what is in force.

    `auto` compiles with XLA where an accelerator is: on a CPU, TensorFlow's plain graph was
    faster for every form of the model (benchmarks/alignment_step.py).
    """
    jit_compile = settings.jit_compile == "true"
    if settings.jit_compile == "auto":
        jit_compile = keras.backend.backend() == "jax" or _has_accelerator()
    if jit_compile and settings.distribution == "mirrored":
        if settings.jit_compile == "true":
            print("XLA is off: it does not work under --distribution=mirrored", file=sys.stderr)
        jit_compile = False
    print(f"XLA: {'on' if jit_compile else 'off'}", flush=True)
    return {"jit_compile": jit_compile, "steps_per_execution": settings.steps_per_execution}


def execution_scope(settings):
    """Returns the context that variables are made in: one device, or mirrored replicas.

    Each replica takes its share of a batch, and only pairs of that share as negatives.
    """
    if settings.distribution == "none":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.distribute.MirroredStrategy().scope()


def _has_accelerator():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"))
