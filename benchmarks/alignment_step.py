"""Time of a training step of the alignment model against the same mathematics in PyTorch.

    python -m benchmarks.alignment_step --repeats=20 [--jit_compile] [--torch_path=FOLDER]
    python -m benchmarks.alignment_step --compare=jit

A step is forward, loss, backward and the momentum update of all weights, of the DVSA paper's model:
ReLU recurrence in both directions, sum of all negatives, no dropout. Ours is the function that
`fit` calls, in TensorFlow's plain graph (and with XLA); PyTorch's is eager code written as one
would. Both start from the same weights, and nothing is timed unless their first losses agree. The
runs alternate in one process, on equally many threads. Prints one JSON line.
"""

import importlib.util
import json
import os
import sys

from benchmarks.benchmark_parser import BenchmarkParser
from benchmarks.training_steps import compare_steps, import_torch, keras_step

# So small that the sum of thousands of hinges neither explodes nor changes its nature.
_LEARNING_RATE = 1e-7
_MOMENTUM = 0.9
_MARGIN = 1.0
# Steps whose losses are compared: the later ones differ if a gradient or an update does.
_CHECKED_STEPS = 4
_TOLERANCE = 1e-3


def _flags():
    parser = BenchmarkParser(__doc__)
    for name, default, meaning in (
            ("batch_size", 100, "pairs of a batch"), ("num_regions", 20, "regions of an image"),
            ("feature_size", 1280, "numbers of a region's feature"),
            ("width", 1000, "width of region and word vectors"),
            ("num_words", 20, "words of every sentence, none of them padding"),
            ("embedding_size", 300, "width of a word's embedding"),
            ("vocabulary_size", 3000, "number of token ids"),
            ("steps", 3, "steps of a timed run"), ("repeats", 10, "timed runs of each"),
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
    if flags.batch_size < 2:
        parser.error(f"expected --batch_size of 2 or more, received {flags.batch_size}: "
                     "a single pair has no negatives")
    if flags.vocabulary_size < 2:
        parser.error(f"expected --vocabulary_size of 2 or more, received {flags.vocabulary_size}")
    if flags.torch_path and not os.path.isdir(flags.torch_path):
        parser.error(f"--torch_path={flags.torch_path} is not a directory")
    return flags


def _make_batch(flags):
    import numpy as np

    random = np.random.default_rng(flags.seed)
    shape = flags.batch_size, flags.num_regions
    return {
        "region_features": random.standard_normal((*shape, flags.feature_size)).astype(np.float16),
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (*shape, 1)),
        "region_mask": np.ones(shape, bool),
        "token_ids": random.integers(
            1, flags.vocabulary_size, (flags.batch_size, flags.num_words), np.int32
        ),
        "image_id": np.arange(flags.batch_size, dtype=np.int32),
    }


def _keras_model(flags, batch):
    import keras

    from vsa_tf.models.alignment import AlignmentModel

    keras.utils.set_random_seed(flags.seed)
    model = AlignmentModel(
        flags.vocabulary_size, flags.width,
        word_encoder={"embedding_size": flags.embedding_size, "cell": "relu"},
        loss={"margin": _MARGIN, "negatives": "sum"},
    )
    model({name: value[:2] for name, value in batch.items()})
    return model


def _torch_step(flags, batch, torch):
    """Returns a function that trains one step in PyTorch, from the same weights."""
    functional = torch.nn.functional

    def tensor(variable):
        return torch.from_numpy(variable.numpy().copy())

    def linear(kernel, bias):
        module = torch.nn.Linear(*kernel.shape)
        module.weight.data = tensor(kernel).T.contiguous()
        module.bias.data = tensor(bias)
        return module

    def dense(layer):
        return linear(layer.kernel, layer.bias)

    def recurrent(layer):
        return linear(layer.cell.recurrent_kernel, layer.cell.bias)

    model = _keras_model(flags, batch)
    encoder = model.sentence_encoder
    word_table = torch.nn.Embedding(flags.vocabulary_size, flags.embedding_size)
    word_table.weight.data = tensor(encoder.word_table.embeddings)
    w_m, w_e = dense(model.region_encoder.projection), dense(encoder.input_projection)
    w_d = dense(encoder.output_projection)
    w_f = recurrent(encoder.recurrence.forward_layer)
    w_b = recurrent(encoder.recurrence.backward_layer)
    modules = torch.nn.ModuleList([word_table, w_m, w_e, w_f, w_b, w_d])
    optimizer = torch.optim.SGD(modules.parameters(), lr=_LEARNING_RATE, momentum=_MOMENTUM)
    features, token_ids, image_id = (
        torch.from_numpy(batch[name]) for name in ("region_features", "token_ids", "image_id")
    )

    def states(inputs, matrix, times):
        state = torch.zeros(flags.batch_size, flags.width)
        outputs = [None] * flags.num_words
        for t in times:
            state = functional.relu(inputs[:, t] + matrix(state))
            outputs[t] = state
        return torch.stack(outputs, dim=1)

    def loss_of_batch():
        v = w_m(features.float())
        e = functional.relu(w_e(word_table(token_ids)))
        forward = states(e, w_f, range(flags.num_words))
        backward = states(e, w_b, reversed(range(flags.num_words)))
        s = functional.relu(w_d(forward + backward))
        products = v.reshape(-1, flags.width) @ s.reshape(-1, flags.width).T
        products = products.reshape(
            flags.batch_size, flags.num_regions, flags.batch_size, flags.num_words
        )
        scores = products.max(dim=1).values.sum(dim=-1)
        positives = scores.diagonal()[:, None]
        negative = (image_id[:, None] != image_id[None]).float()
        sentence_costs = functional.relu(scores - positives + _MARGIN) * negative
        image_costs = functional.relu(scores.T - positives + _MARGIN) * negative
        return sentence_costs.sum() + image_costs.sum()

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

    tf.config.threading.set_intra_op_parallelism_threads(flags.num_threads)
    batch = _make_batch(flags)

    def ours(jit_compile):
        optimizer = keras.optimizers.SGD(_LEARNING_RATE, momentum=_MOMENTUM)
        return keras_step(_keras_model(flags, batch), optimizer, batch, jit_compile)

    steps = {"graph": ours(jit_compile=False)}
    if flags.jit_compile or flags.compare == "jit":
        steps["xla"] = ours(jit_compile=True)
    versions = {module.__name__: module.__version__ for module in (tf, keras, np)}
    if torch is not None:
        torch.set_num_threads(flags.num_threads)
        steps["torch"] = _torch_step(flags, batch, torch)
        versions["torch"] = torch.__version__
    return {
        "settings": {name: v for name, v in vars(flags).items() if name != "torch_path"},
        "versions": versions,
        **compare_steps(
            steps, "graph" if torch is None else "torch", _TOLERANCE, _CHECKED_STEPS, flags.steps,
            flags.repeats,
        ),
    }


def main():
    flags = _flags()
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
