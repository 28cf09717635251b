"""Training tokens per second of m-RNN against the same mathematics in PyTorch.

    python -m benchmarks.caption_step [--jit_compile] [--torch_path=FOLDER]
    python -m benchmarks.caption_step --compare=jit

A step is forward, loss, backward and Adam's update of all weights, of the m-RNN paper's model: word
vectors of 128, recurrence of 256 with ReLU, multimodal layer of 512, no dropout. Ours is the
function that `fit` calls, in TensorFlow's plain graph (and with XLA); PyTorch's is eager code
written as one would. Both start from the same weights, and nothing is timed unless their first
losses agree. The runs alternate in one process, on equally many threads; while other programs run,
give it one core (`taskset -c 0`), because threads that wait for each other lose more than others.
END counts as a token. Prints one JSON line.
"""

import importlib.util
import json
import math
import os
import sys

from benchmarks.benchmark_parser import BenchmarkParser

_LEARNING_RATE = 1e-3
# Keras adds it before the bias correction, PyTorch after: so small, it does not tell in either.
_EPSILON = 1e-12
_CHECKED_STEPS = 4
_TOLERANCE = 1e-4


def _flags():
    parser = BenchmarkParser(__doc__)
    for name, default, meaning in (
            ("batch_size", 128, "sentences of a batch"),
            ("num_words", 12, "words of every sentence, none of them padding, END not counted"),
            ("feature_size", 1280, "numbers of an image's feature"),
            ("vocabulary_size", 2500, "number of token ids"),
            ("word_embedding_size", 128, "width of a word's first vector"),
            ("recurrent_size", 256, "width of the recurrence"),
            ("multimodal_size", 512, "width of the multimodal layer"),
            ("steps", 5, "steps of a timed run"), ("repeats", 10, "timed runs of each"),
            ("num_threads", len(os.sched_getaffinity(0)), "threads of an operation"),
            ("seed", 0, "random seed")):
        parser.add_argument(f"--{name}", type=int, default=default,
                            help=f"{meaning} (default {default})")
    parser.add_argument("--compare", choices=("torch", "jit"), default="torch",
                        help="PyTorch, or without it the plain graph with XLA (default torch)")
    parser.add_argument("--jit_compile", action="store_true",
                        help="time XLA too, beside the plain graph")
    parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
    flags = parser.parse_args()
    for name, value in vars(flags).items():
        if type(value) is int and value < (0 if name == "seed" else 1):
            parser.error(f"expected --{name} of 1 or more, received {value}")
    if flags.vocabulary_size < 5:
        parser.error("expected --vocabulary_size of 5 or more, words beside PAD, START, END and "
                     f"UNK, received {flags.vocabulary_size}")
    if flags.torch_path and not os.path.isdir(flags.torch_path):
        parser.error(f"--torch_path={flags.torch_path} is not a directory")
    return flags


def _make_batch(flags):
    import numpy as np

    random = np.random.default_rng(flags.seed)
    shape = flags.batch_size, 1, flags.feature_size
    return {
        "region_features": random.standard_normal(shape).astype(np.float16),
        "token_ids": random.integers(
            4, flags.vocabulary_size, (flags.batch_size, flags.num_words), np.int32
        ),
    }


def _keras_model(flags, batch):
    import keras

    from vsa_tf.models.m_rnn import MRnn

    keras.utils.set_random_seed(flags.seed)
    model = MRnn(
        flags.vocabulary_size,
        word_embedding_size=flags.word_embedding_size,
        recurrent_size=flags.recurrent_size,
        multimodal_size=flags.multimodal_size,
    )
    model({name: value[:2] for name, value in batch.items()})
    return model


def _keras_step(flags, batch, jit_compile):
    import keras

    from benchmarks.training_steps import keras_step

    optimizer = keras.optimizers.Adam(_LEARNING_RATE, epsilon=_EPSILON)
    return keras_step(_keras_model(flags, batch), optimizer, batch, jit_compile)


def _torch_step(flags, batch, torch):
    """Returns the same as `_keras_step`, in PyTorch, from the same weights."""
    functional = torch.nn.functional

    def tensor(variable):
        return torch.from_numpy(variable.numpy().copy())

    def linear(kernel, bias):
        module = torch.nn.Linear(*kernel.shape, bias=bias is not None)
        module.weight.data = tensor(kernel).T.contiguous()
        if bias is not None:
            module.bias.data = tensor(bias)
        return module

    model = _keras_model(flags, batch)
    word_table = torch.nn.Embedding(flags.vocabulary_size, flags.word_embedding_size)
    word_table.weight.data = tensor(model.word_table.embeddings)
    w_2, v_w, v_r, v_i, w_o = (
        linear(layer.kernel, layer.bias)
        for layer in (model.W_2, model.V_w, model.V_r, model.V_I, model.softmax)
    )
    u_r = linear(model.recurrence.cell.recurrent_kernel, model.recurrence.cell.bias)
    modules = torch.nn.ModuleList([word_table, w_2, u_r, v_w, v_r, v_i, w_o])
    optimizer = torch.optim.Adam(modules.parameters(), lr=_LEARNING_RATE, eps=_EPSILON)
    features = torch.from_numpy(batch["region_features"][:, 0])
    words = torch.from_numpy(batch["token_ids"]).long()
    inputs = functional.pad(words, (1, 0), value=1)
    targets = functional.pad(words, (0, 1), value=2)

    def loss_of_batch():
        w = functional.relu(w_2(word_table(inputs)))
        r = torch.zeros(flags.batch_size, flags.recurrent_size)
        states = []
        for t in range(inputs.shape[1]):
            r = functional.relu(w[:, t] + u_r(r))
            states.append(r)
        image = v_i(features.float())[:, None]
        m = 1.7159 * torch.tanh((v_w(w) + v_r(torch.stack(states, dim=1)) + image) * (2 / 3))
        costs = functional.cross_entropy(w_o(m).flatten(0, 1), targets.flatten(), ignore_index=0)
        return costs / math.log(2)

    def step():
        optimizer.zero_grad()
        loss = loss_of_batch()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def measure(flags, torch=None):
    """Runs the steps alternately; returns times, ratios and losses as a dict.

    Args:
        flags: the program's flags.
        torch: the module, for `--compare=torch`.

    Raises:
        RuntimeError: the losses of the first steps differ.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.training_steps import compare_steps

    tf.config.threading.set_intra_op_parallelism_threads(flags.num_threads)
    batch = _make_batch(flags)
    steps = {"graph": _keras_step(flags, batch, jit_compile=False)}
    if flags.jit_compile or flags.compare == "jit":
        steps["xla"] = _keras_step(flags, batch, jit_compile=True)
    versions = {module.__name__: module.__version__ for module in (tf, keras, np)}
    if torch is not None:
        torch.set_num_threads(flags.num_threads)
        steps["torch"] = _torch_step(flags, batch, torch)
        versions["torch"] = torch.__version__
    result = compare_steps(
        steps, "graph" if torch is None else "torch", _TOLERANCE, _CHECKED_STEPS, flags.steps,
        flags.repeats,
    )
    num_tokens = flags.batch_size * (flags.num_words + 1)
    return {
        "settings": {name: v for name, v in vars(flags).items() if name != "torch_path"},
        "versions": versions,
        # 1 lets TensorFlow use oneDNN's matrix products on every processor.
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
        "most_tokens_per_second": {
            name: round(1000 * num_tokens / value)
            for name, value in result["least_step_ms"].items()
        },
        **result,
    }


def main():
    flags = _flags()
    from benchmarks.training_steps import import_torch

    if flags.compare == "torch" and not flags.torch_path and not importlib.util.find_spec("torch"):
        import_torch(None)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
    # TensorFlow first: its own numpy and threads are set up before PyTorch is found.
    import keras

    if keras.backend.backend() != "tensorflow":
        sys.exit(f"Expected KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    torch = import_torch(flags.torch_path) if flags.compare == "torch" else None
    try:
        result = measure(flags, torch)
    except RuntimeError as error:
        sys.exit(str(error))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
