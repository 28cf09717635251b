"""A program that times training steps of one of our models and of the same in PyTorch."""

import abc
import importlib.util
import json
import os
import sys

from benchmarks.benchmark_parser import BenchmarkParser
from benchmarks.training_steps import compare_steps, keras_step, torch_step

# Steps whose losses are compared: the later ones differ if a gradient or an update does.
_CHECKED_STEPS = 4
_OTHERWISE = ", or use --compare=jit"


class TorchComparison(abc.ABC):
    """Reads the command line, runs the steps and prints their times; a subclass has the models.

    Args:
        description: what the program prints for --help.

    Attributes:
        sizes: flags of the model and its batch: name, default and meaning of each.
        timed_steps: default of --steps.
        tolerance: greatest relative difference of the losses.
        flags: the program's flags.
        torch: PyTorch, None with `--compare=jit`.
        batch: what each step reads, dict of name to array, examples first.
    """

    sizes = ()
    timed_steps = 1
    tolerance = 1e-4

    def __init__(self, description):
        parser = BenchmarkParser(description)
        parser.add_integers(
            *self.sizes,
            ("steps", self.timed_steps, "steps of a timed run"),
            ("repeats", 10, "timed runs of each"),
            ("num_threads", len(os.sched_getaffinity(0)), "threads of an operation"),
            ("seed", 0, "random seed"),
        )
        parser.add_argument(
            "--compare",
            choices=("torch", "jit"),
            default="torch",
            help="PyTorch, or without it the plain graph with XLA (default torch)",
        )
        parser.add_argument(
            "--jit_compile", action="store_true", help="time XLA too, beside the plain graph"
        )
        parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
        self.flags = parser.parse_args()
        self.check_sizes(parser)
        if self.flags.torch_path and not os.path.isdir(self.flags.torch_path):
            parser.error(f"--torch_path={self.flags.torch_path} is not a directory")
        self.torch = None
        self.batch = None

    @abc.abstractmethod
    def check_sizes(self, parser):
        """Calls `parser.error` for flags that the model cannot have."""

    @abc.abstractmethod
    def make_batch(self, random):
        """Returns `batch`, drawn from numpy's generator `random`."""

    @abc.abstractmethod
    def keras_model(self):
        """Returns our model, which need not be built."""

    @abc.abstractmethod
    def keras_optimizer(self):
        """Returns a Keras optimiser."""

    @abc.abstractmethod
    def torch_model(self, model):
        """Returns PyTorch's modules and a function that computes the loss of `batch` with them.

        Args:
            model: our model, built, whose weights the modules begin with.
        """

    @abc.abstractmethod
    def torch_optimizer(self, parameters):
        """Returns the same optimiser of PyTorch, for its modules' parameters."""

    def torch_tensor(self, variable):
        """Returns a copy of a Keras variable."""
        return self.torch.from_numpy(variable.numpy().copy())

    def torch_linear(self, kernel, bias):
        """Returns a `torch.nn.Linear` of Keras variables; `bias` may be None."""
        module = self.torch.nn.Linear(*kernel.shape, bias=bias is not None)
        module.weight.data = self.torch_tensor(kernel).T.contiguous()
        if bias is not None:
            module.bias.data = self.torch_tensor(bias)
        return module

    def measure(self):
        """Runs the steps alternately; returns times, ratios and losses as a dict.

        Raises:
            RuntimeError: the losses of the first steps differ.
        """
        import keras
        import numpy as np
        import tensorflow as tf

        flags, torch = self.flags, self.torch
        tf.config.threading.set_intra_op_parallelism_threads(flags.num_threads)
        self.batch = self.make_batch(np.random.default_rng(flags.seed))

        def ours(jit_compile):
            return keras_step(self._built_model(), self.keras_optimizer(), self.batch, jit_compile)

        steps = {"graph": ours(jit_compile=False)}
        if flags.jit_compile or flags.compare == "jit":
            steps["xla"] = ours(jit_compile=True)
        versions = {module.__name__: module.__version__ for module in (tf, keras, np)}
        if torch is not None:
            torch.set_num_threads(flags.num_threads)
            modules, loss = self.torch_model(self._built_model())
            parameters = torch.nn.ModuleList(modules).parameters()
            steps["torch"] = torch_step(self.torch_optimizer(parameters), loss)
            versions["torch"] = torch.__version__
        return {
            "settings": {name: v for name, v in vars(flags).items() if name != "torch_path"},
            "versions": versions,
            **compare_steps(
                steps,
                "graph" if torch is None else "torch",
                self.tolerance,
                _CHECKED_STEPS,
                flags.steps,
                flags.repeats,
            ),
        }

    def run(self):
        """Prints what `measure` returns; ends the program where it cannot be measured."""
        flags = self.flags
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
            self.torch = import_torch(flags.torch_path, _OTHERWISE)
        try:
            result = self.measure()
        except RuntimeError as error:
            sys.exit(str(error))
        print(json.dumps(result))

    def _built_model(self):
        """Returns our model with the weights that every model begins with."""
        import keras

        keras.utils.set_random_seed(self.flags.seed)
        model = self.keras_model()
        model({name: value[:2] for name, value in self.batch.items()})
        return model


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
