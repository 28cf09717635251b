"""Training steps of several implementations of one model, checked and timed against each other."""

import os
import time


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


def torch_step(optimizer, loss_of_batch):
    """Returns a function that trains one step in PyTorch, eagerly, and returns the loss.

    Args:
        optimizer: a PyTorch optimiser.
        loss_of_batch: a function that returns the loss, a scalar tensor.
    """

    def step():
        optimizer.zero_grad()
        loss = loss_of_batch()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


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
        A dict of times in milliseconds a step, ratios and losses. `cpu` times, of all threads
        together, do not include waiting for a core that another program has.

    Raises:
        RuntimeError: the losses differ, so that the times would not be of the same thing.
    """
    import numpy as np

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

    def of_each(statistic, milliseconds):
        return {name: round(float(statistic(each)), 2) for name, each in milliseconds.items()}

    others = [name for name in steps if name != reference]
    return {
        "num_cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "step_ms": of_each(np.median, wall_ms),
        "least_step_ms": of_each(min, wall_ms),
        "least_step_cpu_ms": of_each(min, cpu_ms),
        f"ratio_to_{reference}": {
            name: round(float(np.median(np.divide(wall_ms[name], wall_ms[reference]))), 3)
            for name in others
        },
        f"least_ratio_to_{reference}": {
            name: round(min(wall_ms[name]) / min(wall_ms[reference]), 3) for name in others
        },
        f"least_cpu_ratio_to_{reference}": {
            name: round(min(cpu_ms[name]) / min(cpu_ms[reference]), 3) for name in others
        },
        "first_call_seconds": first_seconds,
        "first_losses": losses,
        "largest_relative_loss_difference": difference,
    }
