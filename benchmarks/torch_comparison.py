"""A training step of each of our models in TensorFlow against the same in PyTorch, on a CPU.

A step is forward, loss, backward, clipping and the update of all weights, with the settings and the
sizes of the model's paper (`benchmarks.training_cases`). Ours is the function that `fit` calls, in
TensorFlow's plain graph (and with XLA), whose sizes are known beforehand. Where they are not, as of
sentences in several buckets, a step of the alignment model is made for scores in blocks, and took
1.07 times as long. PyTorch's is eager code written as one would. Both start from the same weights,
and nothing is timed unless their first losses agree. The runs alternate in one process, on equally
many threads. Milliseconds and their ratio are medians of the runs; the processor's, of all threads
together, are the least of the runs, and hold beside other programs, too, on one core: threads that
wait for each other lose more than others.

    python -m benchmarks.torch_comparison --model=alignment [--jit_compile] [--torch_path=FOLDER]
    python -m benchmarks.torch_comparison --model=m_rnn --compare=jit|bfloat16
    taskset -c 0 python -m benchmarks.torch_comparison --model=m_rnn --steps=1 --repeats=4
"""

import dataclasses
import importlib.util
import os
import sys

from benchmarks.benchmark_parser import BenchmarkParser, print_entry
from benchmarks.training_cases import SIZES, Case
from benchmarks.training_steps import compare_steps, keras_step
from vsa_tf.models.model_table import MODELS

# The later steps differ if a gradient or an update does.
_CHECKED_STEPS = 4
# Of bfloat16, which has eight bits, as on accelerators.
_TOLERANCE, _BFLOAT16_TOLERANCE = 1e-3, 2e-2
_OTHERWISE = ", or use --compare=jit"
# What our plain graph is compared with, and how a table is headed.
_COMPARED = {
    "torch": "ours / PyTorch's",
    "jit": "XLA / the plain graph",
    "bfloat16": "bfloat16 / float32, both of the plain graph",
}


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--model", choices=tuple(MODELS), required=True, help="the model")
    parser.add_argument(
        "--size", choices=tuple(SIZES), default="papers", help="of model and batch (default papers)"
    )
    parser.add_integers(
        ("batch_size", 0, "pairs of a batch; 0: that of --size"),
        ("feature_size", 0, "numbers of a region's feature; 0: that of --size"),
        ("steps", 3, "steps of a timed run"),
        ("repeats", 10, "timed runs of each"),
        ("num_threads", len(os.sched_getaffinity(0)), "threads of an operation"),
        may_be_zero=("batch_size", "feature_size"),
    )
    parser.add_argument(
        "--compare",
        choices=tuple(_COMPARED),
        default="torch",
        help="PyTorch, or without it the plain graph with XLA, or in bfloat16 (default torch)",
    )
    parser.add_argument(
        "--jit_compile", action="store_true", help="time XLA too, beside the plain graph"
    )
    parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
    flags = parser.parse_args()
    if flags.batch_size == 1:
        parser.error(
            "expected --batch_size of 2 or more, received 1: a single pair has no negatives"
        )
    if flags.torch_path and not os.path.isdir(flags.torch_path):
        parser.error(f"--torch_path={flags.torch_path} is not a directory")
    return flags


def measure(flags):
    """Runs the steps alternately; returns rows of the table, sizes and what is kept beside them.

    Raises:
        RuntimeError: the losses of the first steps differ.
    """
    import keras
    import tensorflow as tf

    from vsa_tf.training.optimizer import make_optimizer

    tf.config.threading.set_intra_op_parallelism_threads(flags.num_threads)
    given = ("batch_size", "feature_size")
    case = dataclasses.replace(
        Case.of(flags.model, flags.size),
        **{name: getattr(flags, name) for name in given if getattr(flags, name)},
    )
    settings, batch = case.make_settings(), case.make_batch(case.buckets[-1])

    def ours(jit_compile=False, policy="float32"):
        keras.config.set_dtype_policy(policy)
        optimizer = make_optimizer(settings.optimizer, total_steps=1000)
        return keras_step(case.make_model(settings), optimizer, batch, jit_compile)

    is_bfloat16 = flags.compare == "bfloat16"
    reference = {"jit": "graph", "bfloat16": "float32"}.get(flags.compare, "torch")
    steps = {"float32" if is_bfloat16 else "graph": ours()}
    if flags.jit_compile or flags.compare == "jit":
        steps["xla"] = ours(jit_compile=True)
    if is_bfloat16:
        steps["bfloat16"] = ours(policy="mixed_bfloat16")
    # PyTorch draws negatives of its own after the first step of the one, and of the other's
    # RMSProp it adds epsilon to the root, Keras under it.
    differs = flags.compare == "torch" and flags.model in ("similarity", "dvsa_rnn")
    if flags.compare == "torch":
        from benchmarks.torch_steps import TorchStep, torch

        torch.set_num_threads(flags.num_threads)
        model = case.make_model(settings)
        peer = TorchStep(flags.model, model, {**batch, **case.drawn(model)}, settings.optimizer)
        steps["torch"] = lambda: peer.step().item()
    rows, details = compare_steps(
        steps,
        reference,
        _BFLOAT16_TOLERANCE if is_bfloat16 else _TOLERANCE,
        1 if differs or is_bfloat16 else _CHECKED_STEPS,
        flags.steps,
        flags.repeats,
    )
    rows = [{"model": flags.model, "pairs": case.batch_size, **row} for row in rows]
    sizes = {**vars(flags), **dataclasses.asdict(case)}
    # 1 lets TensorFlow use oneDNN's matrix products on every processor.
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    return rows, sizes, {**details, "case": sizes["settings"], "TF_ENABLE_ONEDNN_OPTS": onednn}


def main():
    flags = _flags()
    wants_torch = flags.compare == "torch"
    if wants_torch and not flags.torch_path and not importlib.util.find_spec("torch"):
        import_torch(None, _OTHERWISE)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
    # TensorFlow first: its own numpy and threads are set up before PyTorch is found.
    import keras

    if keras.backend.backend() != "tensorflow":
        sys.exit(f"Expected KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    if wants_torch:
        import_torch(flags.torch_path, _OTHERWISE)
    try:
        rows, sizes, details = measure(flags)
    except RuntimeError as error:
        sys.exit(str(error))
    print_entry(_COMPARED[flags.compare], rows, sizes, **details)


def import_torch(path, otherwise=""):
    """Imports PyTorch, at last from the folder `path`; ends the program where there is none.

    Args:
        path: a folder, or None.
        otherwise: what else can be done, for the error.
    """
    if path:
        sys.path.append(path)
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        sys.exit(
            f"PyTorch is missing ({error}): install it, or name its folder with --torch_path"
            f"{otherwise}"
        )


if __name__ == "__main__":
    main()
