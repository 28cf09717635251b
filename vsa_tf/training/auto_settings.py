"""Settings that follow the data and the machine: the one place where `AUTO` becomes a number.

What suits the 30,000 captions of Flickr8K, which each model's settings say, is scaled to the
captions there are. Batches shrink with the cube root of their number, for some steps an epoch
must be left; epochs grow with the fourth root, so that small data take fewer steps in more
passes; words are kept that are rarer. The schedules are shares of the run.

Whether bfloat16 is faster is measured: what a device is called does not tell. Older GPUs have no
bfloat16, nor has XLA on a CPU with AMX, where TensorFlow's own product is several times as fast.
"""

import dataclasses
import pathlib
import time

import keras

from vsa_tf.models.network_settings import AUTO, is_open
from vsa_tf.program import silent

_FLICKR8K_CAPTIONS = 30_000
_MIN_COUNT = 5  # Of Flickr8K, as in the papers.
_FEWEST_EPOCHS, _MOST_EPOCHS = 2, 60
_MOST_WARMUP_STEPS = 200
# A step is not only products. Where bfloat16 is made of float32, both take the same time.
_LEAST_GAIN = 1.4
_REPEATS = 8
_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_LONG_ENOUGH = 0.005  # Seconds; what starts a product takes none of them.


def resolve_settings(settings, num_captions, say=silent):
    """Returns `Settings` without `AUTO` and `auto`, and says in a line or two what was chosen.

    What `--jit_compile=auto` means is no part of a run: elsewhere it may be another.

    Args:
        settings: `Settings`.
        num_captions: captions of the training split.
        say: called with each line, if anything was chosen.
    """
    share = max(num_captions, 1) / _FLICKR8K_CAPTIONS
    data, training = settings.data, settings.training
    chosen = {
        "batch_size": _batch_size(settings.model, share, num_captions),
        "min_count": min(max(round(_MIN_COUNT * share**0.5), 1), _MIN_COUNT),
        "num_epochs": _num_epochs(settings.model, share),
    }
    batch_size = _given(data.batch_size, chosen["batch_size"])
    num_epochs = _given(training.num_epochs, chosen["num_epochs"])
    num_steps = num_epochs * -(-num_captions // batch_size)
    chosen["learning_rate_warmup_steps"] = min(round(num_steps / 14), _MOST_WARMUP_STEPS)
    chosen |= settings.model.shares_of_run(num_epochs)
    lines = []
    groups = []
    for group in (data, settings.optimizer, training, settings.model):
        own = {
            field.name: chosen[field.name]
            for field in dataclasses.fields(group)
            if field.name in chosen and is_open(field, getattr(group, field.name))
        }
        lines += [f"--{name}={value}" for name, value in own.items()]
        groups.append(dataclasses.replace(group, **own))
    if lines:
        say(f"for {num_captions} captions: {' '.join(lines)}")
    resolved = type(settings)(*groups)
    if training.mixed_precision != "auto":
        return resolved
    if has_bfloat16():
        wide, narrow = product_seconds()
        choice = str(wide >= _LEAST_GAIN * narrow).lower()
        reason = (
            f"a product of matrices takes {1e3 * wide:.1f} ms in float32 and {1e3 * narrow:.1f} "
            "ms in bfloat16 here"
        )
    else:
        choice, reason = "false", "this CPU has neither AMX nor AVX512-BF16"
    say(f"{reason}: --mixed_precision={choice}")
    training = dataclasses.replace(resolved.training, mixed_precision=choice)
    return dataclasses.replace(resolved, training=training)


def has_bfloat16():
    """Returns whether Keras computes on an accelerator, or on a CPU that multiplies bfloat16."""
    if "cpu" not in str(keras.ops.ones(()).device).lower():
        return True
    flags = _CPU_INFO.read_text().split() if _CPU_INFO.is_file() else ()
    return "amx_bf16" in flags or "avx512_bf16" in flags


def product_seconds():
    """Measures a product of two square matrices on the device that Keras computes on.

    They are large enough to keep it busy: 512 wide on a CPU, up to 8192 on an accelerator.

    Returns:
        Seconds in float32 and in bfloat16, the shortest of several in turns, so that other programs
        on the machine do not choose.
    """
    for size in (512, 1024, 2048, 4096, 8192):
        matrices = [keras.ops.ones((size, size), dtype) for dtype in ("float32", "bfloat16")]
        for matrix in matrices:
            _product_seconds(matrix)  # It is compiled.
        if min(_product_seconds(matrices[0]) for _ in range(3)) >= _LONG_ENOUGH:
            break
    turns = [[_product_seconds(matrix) for matrix in matrices] for _ in range(_REPEATS)]
    return tuple(map(min, zip(*turns)))


def _product_seconds(matrix):
    start = time.perf_counter()
    # To read a number is to wait for it.
    float(keras.ops.matmul(matrix, matrix)[0, 0])
    return time.perf_counter() - start


def _given(value, chosen):
    return chosen if value == AUTO else value


def _batch_size(model, share, num_captions):
    """A power of two, or what Flickr8K has where there are as many captions."""
    most = model.flickr8k["batch_size"]
    if share >= 1:
        return most
    size = 2
    # The next power of two is nearer, as a ratio, up to sqrt(2) times this one.
    while size * 2**0.5 < min(most * share ** (1 / 3), num_captions / 2):
        size *= 2
    return min(-(-size // model.num_neighbors) * model.num_neighbors, most)


def _num_epochs(model, share):
    epochs = round(model.flickr8k["num_epochs"] * share**-0.25)
    return min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS)
