"""Training steps of several implementations of one model: checked, counted and timed."""

import functools
import time

import numpy as np

_REPEATS, _SECONDS_OF_REPEAT, _MOST_STEPS = 5, 0.2, 200
# Primitives of JAX that read and write memory; others are fused into them.
_MEMORY_BOUND = ("dot_general", "gather", "scatter", "sort", "top_k", "reduce", "arg", "cum")


def keras_step(model, optimizer, batch, jit_compile):
    """Returns a function that trains a Keras model one step, as `fit` does, and returns the loss.

    Args:
        model: a built `keras.Model`.
        optimizer: a Keras optimiser.
        batch: what each step reads, a nest of arrays.
        jit_compile: whether XLA compiles the step.
    """
    import tensorflow as tf

    model.compile(optimizer=optimizer, jit_compile=jit_compile)
    if model.jit_compile != jit_compile:
        raise RuntimeError(f"Expected jit_compile={jit_compile}. Received: {model.jit_compile}")
    optimizer.build(model.trainable_variables)
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def step():
        model.reset_metrics()
        return float(model.train_function(batches)["loss"])

    return step


def jax_state(model):
    """Returns what a step of Keras on JAX reads and returns: arrays that no step takes away.

    Args:
        model: a compiled Keras model, built, and its optimiser too.
    """
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    return tuple([variable.numpy() for variable in group] for group in groups)


def jax_gradients(model):
    """Returns the function of a `jax_state` and a batch that gives the loss and its gradients."""
    import jax

    def loss_and_gradients(state, batch):
        trainable, others, optimizer, metrics = state
        loss_of = functools.partial(
            model.compute_loss_and_updates, training=True, optimizer_variables=optimizer
        )
        (loss, _), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable, others, metrics, batch, None, None
        )
        return loss, gradients

    return loss_and_gradients


def compare_steps(steps, reference, tolerance, checked_steps, timed_steps, repeats):
    """Compares the losses of the first steps, then times further ones in alternating runs.

    Args:
        steps: dict of name to a function that trains one step and returns the loss. All start from
            the same weights.
        reference: name of the steps that the others are divided by.
        tolerance: greatest relative difference of the losses.
        checked_steps: steps whose losses are compared: the later ones differ if a gradient or an
            update does.
        timed_steps: steps of a run.
        repeats: runs of each.

    Returns:
        For each of the others a part of a row of a table: milliseconds a step and the ratio, the
        medians of the runs, and the same of the processor's time, the least of the runs. That, of
        all threads together, does not include waiting for a core that another program has. Then
        what is kept beside them, a dict.

    Raises:
        RuntimeError: the losses differ, so that the times would not be of the same thing.
    """
    losses, first_seconds = {}, {}
    for name, step in steps.items():
        start = time.perf_counter()
        losses[name] = [step()]
        first_seconds[name] = round(time.perf_counter() - start, 2)
        losses[name] += [step() for _ in range(checked_steps - 1)]
    values = np.array(list(losses.values()))
    difference = float(np.max(np.abs(values - values[:1]) / np.abs(values[:1])))
    if not difference <= tolerance:
        raise RuntimeError(
            f"Expected losses equal to {tolerance:g} from the same weights. Received: {losses}"
        )
    wall_ms, cpu_ms = ({name: [] for name in steps} for _ in range(2))
    for repeat in range(repeats):
        # Forwards and backwards in turn: none is always the one after the same other.
        for name in list(steps) if repeat % 2 == 0 else reversed(steps):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(timed_steps):
                steps[name]()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            wall_ms[name].append(1000 * wall / timed_steps)
            cpu_ms[name].append(1000 * cpu / timed_steps)

    def rounded(number):
        return round(float(number), 3)

    other_wall, other_cpu = wall_ms.pop(reference), cpu_ms.pop(reference)
    rows = [
        {
            "step": name,
            "ms": rounded(np.median(wall_ms[name])),
            f"{reference}_ms": rounded(np.median(other_wall)),
            "ratio": rounded(np.median(np.divide(wall_ms[name], other_wall))),
            "processor_ms": rounded(min(cpu_ms[name])),
            f"{reference}_processor_ms": rounded(min(other_cpu)),
            "processor_ratio": rounded(min(cpu_ms[name]) / min(other_cpu)),
        }
        for name in wall_ms
    ]
    return rows, {
        "least_step_ms": {name: rounded(min(each)) for name, each in wall_ms.items()},
        f"least_{reference}_ms": rounded(min(other_wall)),
        "first_call_seconds": first_seconds,
        "first_losses": losses,
        "largest_relative_loss_difference": difference,
    }


def check_gradients(loss, gradients, expected_loss, expected, tolerance, each=True):
    """Compares a loss and its gradients with those that are expected.

    Args:
        loss, expected_loss: numbers.
        gradients, expected: arrays, one a variable.
        tolerance: the largest relative difference.
        each: whether each gradient is to be as expected, by the norm of the difference (of tiny
            ones in hundredths of the norm of all); else the direction and the length of all
            together are. Of few bits, a region, a negative or a hinge whose scores nearly tie is
            chosen otherwise here and there, which moves a gradient by its whole size.

    Returns:
        A dict of the differences; `passes` says whether what is compared is within the tolerance.
    """
    gradients = [np.asarray(part, "float32") for part in gradients]
    norms = [float(np.linalg.norm(part)) for part in expected]
    norm, norm_of_ours = (
        float(np.linalg.norm([np.linalg.norm(part) for part in of])) for of in (expected, gradients)
    )
    differences = [
        float(np.linalg.norm(ours - theirs)) / max(own, 0.01 * norm)
        for ours, theirs, own in zip(gradients, expected, norms, strict=True)
    ]
    product = sum(
        float(np.vdot(ours, theirs)) for ours, theirs in zip(gradients, expected, strict=True)
    )
    result = {
        "loss": float(loss),
        "loss_error": abs(float(loss) - expected_loss) / abs(expected_loss),
        # Not Python's max, which NaN may pass.
        "gradient_error": float(np.max(differences)),
        "direction_error": 1 - product / (norm * norm_of_ours),
        "length_error": abs(norm_of_ours / norm - 1),
        "tolerance": tolerance,
    }
    compared = ("gradient",) if each else ("direction", "length")
    errors = [result[f"{name}_error"] for name in ("loss", *compared)]
    # NaN is no less.
    return {**result, "passes": all(error <= tolerance for error in errors)}


def seconds_of(work, wait):
    """Returns the seconds of some work that is done again and again, the median of several runs.

    Args:
        work: a function that begins it, on a device that queues what it is asked for.
        wait: called with what it returned; returns when that is done.
    """
    wait(work())
    start = time.perf_counter()
    wait(work())
    one = time.perf_counter() - start
    count = min(max(round(_SECONDS_OF_REPEAT / one), 1), _MOST_STEPS)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        for _ in range(count):
            result = work()
        wait(result)
        times.append((time.perf_counter() - start) / count)
    return sorted(times)[_REPEATS // 2]


def work_of(jaxpr):
    """Returns the operations of a step's matrix products, and the bytes that pass memory.

    The bytes are those of the step's arguments and results and of what the primitives of
    `_MEMORY_BOUND` read and write. A loop's body counts as often as it runs.

    Args:
        jaxpr: of JAX, traced from the step.
    """
    # JAX 0.11 has no closed jaxprs around others.
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    operations = 0
    num_bytes = sum(_size(each) for each in (*jaxpr.invars, *jaxpr.outvars))

    def add(jaxpr, times):
        nonlocal operations, num_bytes
        for equation in jaxpr.eqns:
            name = equation.primitive.name
            if name == "dot_general":
                (contracted, _), _ = equation.params["dimension_numbers"]
                shape = equation.invars[0].aval.shape
                inner = functools.reduce(lambda x, axis: x * shape[axis], contracted, 1)
                operations += 2 * times * inner * equation.outvars[0].aval.size
            if name.startswith(_MEMORY_BOUND):
                passed = (*equation.invars, *equation.outvars)
                num_bytes += times * sum(map(_size, passed))
            inside = times * equation.params["length"] if name == "scan" else times
            for value in equation.params.values():
                for each in value if isinstance(value, (tuple, list)) else (value,):
                    each = getattr(each, "jaxpr", each)
                    if hasattr(each, "eqns"):
                        add(each, inside)

    add(jaxpr, 1)
    return operations, num_bytes


def _size(variable):
    shaped = hasattr(variable.aval, "size") and hasattr(variable.aval.dtype, "itemsize")
    return variable.aval.size * variable.aval.dtype.itemsize if shaped else 0
