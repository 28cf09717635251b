"""A training step of every model on an accelerator, checked and timed, beside the same in PyTorch.

Of every model, at the papers' sizes and at large ones, in float32 and in bfloat16 (as
--mixed_precision trains), with the settings of the papers without dropout:

* the loss and its gradients are compared with those that JAX computes on the CPU in the same run,
  in float32, from the same weights and batch: to 1e-4; of bfloat16 the loss, and the direction
  and length of the gradient, to 2e-2, for with few bits what nearly ties is chosen otherwise
  (`check`, in the JSON);
* the step is the function that Keras's `fit` compiles. XLA's compilations are counted: one a
  bucket of sentence lengths, none in all later steps (`compilations`, in the JSON);
* step ms is the median of runs of steps that follow one another, the batch in the device's memory.
  Shares are of the device's rates in a large matrix product and a large copy, measured first: of
  matrix products the operations are counted; of memory the bytes that pass if all else is fused
  into the products, sums and lookups beside it (above 1: from caches). Peak memory is that of the
  compiled step: arguments, results and what lies between;
* the same mathematics follow in PyTorch, where it is installed, eagerly and by `torch.compile`,
  with their losses and gradients compared, too. The ratio is ours / the faster of the two.

    KERAS_BACKEND=jax python -m benchmarks.accelerator --output=FILE.json [--sizes=papers,large]

Needs numpy, Keras and JAX alone: no TensorFlow, no records (docs/scaling.md: on a machine that
reaches no registry). `--sizes=small` runs on a CPU. What --seconds do not suffice for is left out,
and named. Prints a table; FILE.json is written after every step, an entry for `python -m
vsa_tf.benchmark --merge=FILE.json`. Exits 1 where a comparison failed.
"""

import concurrent.futures
import functools
import json
import os
import pathlib
import sys
import time

from benchmarks.benchmark_parser import BenchmarkParser, make_entry
from benchmarks.training_cases import SEED, SIZES, Case
from benchmarks.training_steps import check_gradients, jax_gradients, jax_state, seconds_of, work_of
from vsa_tf.models.model_table import MODELS

# By precision: Keras's policy, JAX's and PyTorch's precision of float32 products, and the largest
# relative difference from the CPU.
_PRECISIONS = {
    "float32": ("float32", "highest", "highest", 1e-4),
    "tensorfloat32": ("float32", "tensorfloat32", "high", 2e-2),
    "bfloat16": ("mixed_bfloat16", "default", "high", 2e-2),
}
_COMPILATION = "/jax/core/compile/backend_compile_duration"


class Run:
    """One run of the program: the device, what was measured, and the time that is left.

    Args:
        flags: of the program.
    """

    def __init__(self, flags):
        import jax
        import keras  # noqa: F401  so that what is missing is said at once

        self._flags = flags
        self._start = time.monotonic()
        # The last: of several that a CPU is made to look like, another one than the host.
        self._device, self._host = jax.devices()[-1], jax.devices("cpu")[0]
        self._compiled = []  # Names of functions, in the order of XLA's compilations.
        jax.monitoring.register_event_duration_secs_listener(self._count)
        self.results = {"peaks": {"matrix_tflops": {}}, "rows": [], "not_measured": []}

    def _count(self, event, _, fun_name="", **__):
        if event == _COMPILATION:
            self._compiled.append(fun_name)

    def measure(self):
        """Measures all cases, first of all in JAX."""
        flags = self._flags
        names = [(model, size) for size in flags.sizes for model in flags.models]
        self._guarded(self._measure_peaks, f"peaks of {self._device.device_kind}")
        references = {}
        for model, size in names:
            case = Case.of(model, size)
            label = f"{model}, {size}"
            reference = references[model, size] = self._guarded(self._reference, label, case)
            for precision in flags.precisions if reference else ():
                self._guarded(
                    self._measure_step, f"{label}, {precision}", case, precision, reference
                )
        try:
            sys.path += [flags.torch_path] if flags.torch_path else []
            from benchmarks import torch_steps
        except ImportError as error:
            self.results["not_measured"].append({"what": "PyTorch", "why": str(error)})
            self._write()
            return
        for compiled in (False, True):
            # The largest first: that is what time should be left for.
            for row in reversed(self.results["rows"]):
                label = f"{row['model']}, {row['size']}, {row['precision']}, PyTorch"
                label += " compiled" if compiled else ""
                reference = references[row["model"], row["size"]]
                measure = functools.partial(self._measure_torch, torch_steps)
                self._guarded(measure, label, row, reference, compiled)

    def _guarded(self, measure, label, *arguments):
        """Calls `measure`, unless the time is over; keeps what was measured so far if it fails."""
        if time.monotonic() - self._start > self._flags.seconds:
            why = f"--seconds={self._flags.seconds} are over"
            self.results["not_measured"].append({"what": label, "why": why})
            return None
        result = None
        try:
            result = measure(*arguments)
        except Exception as error:  # Of one case, such as too little memory: the others follow.
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self.results["not_measured"].append({"what": label, "why": why})
        seconds = time.monotonic() - self._start
        print(f"{seconds:6.1f} s  {label}", file=sys.stderr, flush=True)
        self._write()
        return result

    def _write(self):
        name = f"{self._device.device_kind} ({self._device.platform})"
        results, peaks = dict(self.results), self.results["peaks"]
        tflops = {f"{key}_matrix_tflops": value for key, value in peaks["matrix_tflops"].items()}
        row = {"device": name, **tflops, "copy_gb_per_second": peaks.get("copy_gb_per_second")}
        results["rows"] = [row, *results["rows"]]
        entry = make_entry("ours / PyTorch's", sizes={}, device=name, **results)
        text = json.dumps(entry, indent=1)
        pathlib.Path(self._flags.output).write_text(text + "\n", encoding="utf-8")

    def _measure_peaks(self):
        import jax
        import jax.numpy as jnp

        large = self._device.platform != "cpu"
        size, peaks = 8192 if large else 512, self.results["peaks"]
        keys = jax.random.split(jax.device_put(jax.random.key(SEED), self._device))
        numbers = [jax.random.normal(key, (size, size), "float32") for key in keys]
        for precision in self._flags.precisions:
            policy, products, _, _ = _PRECISIONS[precision]
            dtype = "bfloat16" if policy == "mixed_bfloat16" else "float32"
            product = jax.jit(functools.partial(jnp.matmul, precision=products))
            sides = [each.astype(dtype) for each in numbers]
            seconds = seconds_of(lambda: product(*sides), jax.block_until_ready)
            peaks["matrix_tflops"][precision] = _rounded(2e-12 * size**3 / seconds)
        copied = jax.random.normal(keys[0], (2**28 if large else 2**22,), "float32")
        copy = jax.jit(lambda x: 2 * x)
        seconds = seconds_of(lambda: copy(copied), jax.block_until_ready)
        peaks["copy_gb_per_second"] = _rounded(2e-9 * copied.nbytes / seconds)

    def _reference(self, case):
        """Returns the float32 model, its batch of the widest bucket, loss and gradients."""
        import jax
        import numpy as np

        model = self._compiled_model(case, "float32")
        jax.config.update("jax_default_matmul_precision", "highest")
        batch = case.make_batch(case.buckets[-1])
        state = jax.device_put(jax_state(model), self._host)
        loss, gradients = jax.jit(jax_gradients(model))(state, jax.device_put(batch, self._host))
        return model, batch, float(loss), [np.array(each) for each in gradients]

    def _compiled_model(self, case, precision):
        """Returns the model, made on the CPU: operation by operation, each of them compiled."""
        import jax
        import keras

        from vsa_tf.training.compiling import compile_options
        from vsa_tf.training.optimizer import make_optimizer

        settings = case.make_settings()
        keras.config.set_dtype_policy(_PRECISIONS[precision][0])
        with jax.default_device(self._host):
            model = case.make_model(settings)
            optimizer = make_optimizer(settings.optimizer, total_steps=1000)
            model.compile(optimizer=optimizer, **compile_options(settings.training))
            model.optimizer.build(model.trainable_variables)
        keras.config.set_dtype_policy("float32")
        return model

    def _measure_step(self, case, precision, reference):
        import jax

        model, batch, *expected = reference
        if _PRECISIONS[precision][0] != "float32":
            model = self._compiled_model(case, precision)
        jax.config.update("jax_default_matmul_precision", _PRECISIONS[precision][1])
        state = jax.device_put(jax_state(model), self._device)
        batches = {
            width: (jax.device_put(case.make_batch(width), self._device),)
            for width in reversed(case.buckets)
        }
        widest = batches[case.buckets[-1]]
        self._compiled.clear()
        # What `make_train_function` of Keras makes, and `fit` calls.
        step = jax.jit(model.train_step, donate_argnums=0)
        traced = [step.trace(state, each) for each in batches.values()]
        gradients_of = jax.jit(jax_gradients(model)).trace(state, *widest)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            lowered = [each.lower() for each in (gradients_of, *traced)]
            compiled = list(pool.map(lambda each: each.compile(), lowered))
        check = _check(precision, *compiled[0](state, *widest), *expected)
        for each in batches.values():
            logs, state = step(state, each)
            # The loss of Keras's first step, of the widest bucket; then it is a mean over steps.
            check.setdefault("step_loss", float(logs["loss"]))
        check["passes"] &= abs(check["step_loss"] / check["loss"] - 1) <= check["tolerance"]
        first_steps = sum("train_step" in name for name in self._compiled)
        self._compiled.clear()

        def train():
            nonlocal state
            logs, state = step(state, widest)
            return logs

        for each in batches.values():
            logs, state = step(state, each)
        seconds = seconds_of(train, lambda logs: jax.block_until_ready((logs, state)))
        later_steps = len(self._compiled)
        self.results["rows"].append(
            {
                "model": case.model,
                "size": case.size,
                "precision": precision,
                "batch_size": case.batch_size,
                "check": check,
                "compilations": {
                    "buckets": len(batches),
                    "first_steps": first_steps,
                    "later_steps": later_steps,
                    "passes": first_steps == len(batches) and later_steps == 0,
                },
                "step_ms": _rounded(1000 * seconds),
                **_rate(case, batch, seconds),
                **self._shares(precision, seconds, *work_of(traced[0].jaxpr)),
                "peak_memory_mib": _mebibytes(_memory(compiled[1].memory_analysis())),
            }
        )

    def _shares(self, precision, seconds, operations, num_bytes):
        peaks = self.results["peaks"]
        rate, peak = operations / seconds / 1e12, peaks["matrix_tflops"][precision]
        return {
            "matrix_gflop": _rounded(operations / 1e9),
            "share_of_matrix_peak": _rounded(rate / peak),
            "gigabytes": _rounded(num_bytes / 1e9),
            "share_of_bandwidth": _rounded(num_bytes / seconds / 1e9 / peaks["copy_gb_per_second"]),
        }

    def _measure_torch(self, peer, row, reference, compiled):
        case, precision = Case.of(row["model"], row["size"]), row["precision"]
        model, batch, loss, gradients = reference
        policy, _, products, _ = _PRECISIONS[precision]
        torch = peer.torch
        torch.set_float32_matmul_precision(products)
        # As JAX's device is.
        device = "cuda" if self._device.platform in ("gpu", "cuda", "rocm") else "cpu"
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        step = peer.TorchStep(
            case.model,
            model,
            {**batch, **case.drawn(model)},
            case.make_settings().optimizer,
            bfloat16=policy == "mixed_bfloat16",
            compiled=compiled,
            device=device,
        )
        order = {id(each): number for number, each in enumerate(model.trainable_variables)}
        expected = [gradients[order[id(each)]] for each in step.variables.values()]
        check = _check(precision, step.loss().item(), step.gradients().values(), loss, expected)
        step.draw()
        seconds = seconds_of(step.step, lambda _: step.wait())
        result = {"step_ms": _rounded(1000 * seconds), "check": check}
        if device == "cuda":
            result["peak_memory_mib"] = _mebibytes(torch.cuda.max_memory_allocated())
        row.setdefault("torch", {})["compiled" if compiled else "eager"] = result
        fastest = min(each["step_ms"] for each in row["torch"].values())
        row["time_ratio_to_torch"] = _rounded(row["step_ms"] / fastest)


def failures(results):
    """Returns what of `Run.results` is wrong, a list of lines.

    That is what differs from the CPU, was compiled again, or ended in an error. Time that is over,
    PyTorch that is not there or lacks a compiler or memory, are no faults of ours.
    """
    lines = []
    for each in results["not_measured"]:
        what, why = each["what"], each["why"]
        is_theirs = what == "PyTorch" or what.endswith("PyTorch compiled")
        is_theirs |= "PyTorch" in what and why.startswith("OutOfMemoryError")
        if not why.startswith("--seconds") and not is_theirs:
            lines.append(f"{what}: {why}")
    for row in results["rows"]:
        name = f"{row['model']}, {row['size']}, {row['precision']}"
        checks = {name: row["check"], f"{name}, compilations": row["compilations"]}
        for kind, each in row.get("torch", {}).items():
            checks[f"{name}, PyTorch {kind}"] = each["check"]
        lines += [f"{each}: {check}" for each, check in checks.items() if not check["passes"]]
    return lines


def _check(precision, loss, gradients, *expected):
    tolerance = _PRECISIONS[precision][3]
    return check_gradients(loss, gradients, *expected, tolerance, each=precision == "float32")


def _rate(case, batch, seconds):
    unit, count = case.units_of(batch)
    return {f"{unit}_per_second": round(count / seconds)}


def _memory(stats):
    """Returns the bytes of a compiled step; what it returns in its arguments' place counts once."""
    return (
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        + stats.temp_size_in_bytes
        - stats.alias_size_in_bytes
    )


def _rounded(number):
    return float(f"{number:.4g}")


def _mebibytes(num_bytes):
    return round(num_bytes / 2**20, 1)


def _table(steps):
    """Returns the lines of a table of what was measured."""
    head = f"{'model':10} {'size':7} {'precision':13} {'step ms':>9} {'PyTorch':>9} {'ratio':>6}"
    lines = [f"{head} {'matrix':>7} {'memory':>7} {'MiB':>8} {'gradients':>9}"]
    for row in steps:
        fastest = min((each["step_ms"] for each in row.get("torch", {}).values()), default=None)
        theirs = ("-", "-") if fastest is None else (fastest, row["time_ratio_to_torch"])
        # As `_check` compares them.
        error = "gradient_error" if row["precision"] == "float32" else "direction_error"
        lines.append(
            f"{row['model']:10} {row['size']:7} {row['precision']:13} {row['step_ms']:9.3f} "
            f"{theirs[0]:>9} {theirs[1]:>6} "
            f"{row['share_of_matrix_peak']:7.1%} {row['share_of_bandwidth']:7.1%} "
            f"{row['peak_memory_mib']:8} {row['check'][error]:9.1e}"
        )
    return lines


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--output", required=True, help="file of the results, JSON")
    for name, default, names in (
        ("sizes", ("papers", "large"), tuple(SIZES)),
        ("models", tuple(MODELS), tuple(MODELS)),
        ("precisions", ("float32", "bfloat16"), tuple(_PRECISIONS)),
    ):
        parser.add_argument(
            f"--{name}",
            default=",".join(default),
            help=f"of {', '.join(names)} (default %(default)s)",
        )
    parser.add_integers(("seconds", 430, "after these nothing more is begun"))
    parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
    flags = parser.parse_args()
    for name, names in (("sizes", SIZES), ("models", MODELS), ("precisions", _PRECISIONS)):
        given = getattr(flags, name).split(",")
        for each in given:
            if each not in names:
                parser.error(f"expected --{name} of {', '.join(names)}, received {each!r}")
        setattr(flags, name, given)
    if flags.torch_path and not os.path.isdir(flags.torch_path):
        parser.error(f"--torch_path={flags.torch_path} is not a directory")
    if not pathlib.Path(flags.output).absolute().parent.is_dir():
        parser.error(f"--output={flags.output}: there is no such directory")
    return flags


def main():
    flags = _flags()
    if os.environ.setdefault("KERAS_BACKEND", "jax") != "jax":
        sys.exit(f"Expected KERAS_BACKEND=jax. Received: {os.environ['KERAS_BACKEND']}")
    platforms = os.environ.get("JAX_PLATFORMS")
    if platforms and "cpu" not in platforms.split(","):
        os.environ["JAX_PLATFORMS"] = f"{platforms},cpu"  # which computes what is expected
    # PyTorch needs memory, too.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        run = Run(flags)
    except ImportError as error:
        sys.exit(f"Expected numpy, keras and jax. {error}")
    run.measure()
    print("\n".join(_table(run.results["rows"])))
    for each in run.results["not_measured"]:
        print(f"not measured: {each['what']}: {each['why']}")
    if failed := failures(run.results):
        sys.exit("\n".join(["Failed:", *failed]))


if __name__ == "__main__":
    main()
