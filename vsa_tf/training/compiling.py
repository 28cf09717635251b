"""How steps are compiled, and spread over replicas, devices and hosts."""

import contextlib
import functools

import keras
import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import is_count, reason_of
from vsa_tf.program import silent


def compile_options(settings, say=silent):
    """Returns the options of `model.compile`, and says what is in force.

    `auto` compiles with XLA where an accelerator is, and with JAX: on a CPU, TensorFlow's plain
    graph was faster (benchmarks/torch_comparison.py).

    Args:
        settings: `TrainingSettings`.
        say: called with each line about it.
    """
    jit_compile = settings.jit_compile == "true"
    if settings.jit_compile == "auto":
        jit_compile = keras.backend.backend() == "jax" or _has_accelerator()
    if jit_compile and settings.distribution == "mirrored":
        if settings.jit_compile == "true":
            say("XLA is off: it does not work under --distribution=mirrored")
        jit_compile = False
    say(f"XLA: {'on' if jit_compile else 'off'}")
    return {"jit_compile": jit_compile, "steps_per_execution": settings.steps_per_execution}


def check_distribution(training):
    """Refuses a distribution that the backend has not, and hosts that cannot find each other.

    Args:
        training: `TrainingSettings`.

    Raises:
        VsaTfError: says which flags and what to do.
    """
    backend = keras.backend.backend()
    needed = {"mirrored": "tensorflow", "data_parallel": "jax"}.get(training.distribution, backend)
    if backend != needed:
        raise VsaTfError(
            f"--distribution={training.distribution} is {needed}'s: expected "
            f"KERAS_BACKEND={needed}. Received: KERAS_BACKEND={backend}"
        )
    if training.num_hosts != 1 and training.distribution != "data_parallel":
        raise VsaTfError(
            f"--num_hosts={training.num_hosts} needs --distribution=data_parallel, and "
            "KERAS_BACKEND=jax"
        )
    if training.num_hosts != 1 and training.mixed_precision == "auto":
        raise VsaTfError(
            f"--mixed_precision=auto is measured by each host alone: expected true or false with "
            f"--num_hosts={training.num_hosts}"
        )
    if training.num_hosts > 1 and not training.coordinator_address:
        raise VsaTfError(
            f"--num_hosts={training.num_hosts} needs --coordinator_address, the ADDRESS:PORT of "
            "host 0; or --num_hosts=0 where a cluster's variables tell it"
        )
    address, _, port = training.coordinator_address.rpartition(":")
    if training.coordinator_address and not (address and is_count(port)):
        raise VsaTfError(
            f"Expected --coordinator_address=ADDRESS:PORT. Received: {training.coordinator_address}"
        )
    least = 0 if training.num_hosts > 1 else -1
    if training.num_hosts and not least <= training.host_id < training.num_hosts:
        raise VsaTfError(
            f"Expected --host_id of 0 to {training.num_hosts - 1}, each host its own, with "
            f"--num_hosts={training.num_hosts}. Received: --host_id={training.host_id}"
        )


def execution_scope(settings):
    """Returns the context that variables are made in: one device, or mirrored replicas."""
    if settings.distribution != "mirrored":
        return contextlib.nullcontext()
    return _replicas().scope()


@contextlib.contextmanager
def all_devices(settings):
    """Within this context `data_parallel` training has every device of every host.

    JAX then computes one step over all of them, as one device would: weights are everywhere, the
    rows of a batch are spread, and XLA puts in what is sent, the rows that a pair's score needs and
    the sum of the gradients. Keras gives all batches of `fit` the places of the first (3.15); here
    each has its own, so that a last batch that the devices cannot share is computed by all.

    Args:
        settings: `TrainingSettings`.

    Raises:
        VsaTfError: the other hosts are not found.
    """
    if settings.distribution != "data_parallel":
        yield
        return
    from keras.src.backend.jax import trainer

    if settings.num_hosts != 1:
        given = settings.num_hosts > 1
        try:
            keras.distribution.initialize(
                settings.coordinator_address or None,
                settings.num_hosts if given else None,
                settings.host_id if given else None,
            )
        except (ValueError, RuntimeError) as error:
            raise VsaTfError(
                f"the hosts of --num_hosts={settings.num_hosts} did not come together "
                f"({reason_of(error)}); without a cluster's variables give --num_hosts, --host_id "
                "and --coordinator_address to each"
            ) from error
    iterator = trainer.JAXEpochIterator
    spread_alike = iterator._get_distributed_iterator
    iterator._get_distributed_iterator = lambda self, _: map(
        trainer._distribute_data, self.data_adapter.get_jax_iterator()
    )
    try:
        with _Rows().scope():
            yield
    finally:
        iterator._get_distributed_iterator = spread_alike


class _Rows(keras.distribution.DataParallel):
    """Spreads the rows of full batches evenly over the devices; all devices have all of others.

    Attributes:
        rows: of a full batch, those that this host reads.
    """

    rows = None

    def __init__(self):
        super().__init__(auto_shard_dataset=False)

    def get_data_layout(self, data_shape):
        if data_shape[0] == self.rows:
            return super().get_data_layout(data_shape)
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


class HostPlan:
    """What this host reads of a plan of batches: its rows of full ones, a last smaller one whole.

    Args:
        plan: `BatchPlan` or `NeighborhoodPlan`.

    Raises:
        VsaTfError: the devices cannot share a batch evenly, or a smaller batch cannot be told from
            a host's rows of a full one.
    """

    def __init__(self, plan):
        self._plan = plan
        self.host, self.num_hosts, num_devices = this_host()
        size = plan.batch_size
        self.batch_size = size // self.num_hosts
        if size % num_devices:
            raise VsaTfError(
                f"Expected --batch_size to be a multiple of the {num_devices} devices. Received: "
                f"--batch_size={size}"
            )
        is_alike = plan.has_smaller_batch and plan.num_captions % size == self.batch_size
        if self.num_hosts > 1 and is_alike:
            raise VsaTfError(
                f"The last batch of {plan.num_captions} captions is as large as what each of "
                f"{self.num_hosts} hosts reads of the others; use another --batch_size. Received: "
                f"--batch_size={size}"
            )
        if num_devices > 1:
            keras.distribution.distribution().rows = self.batch_size

    def __getattr__(self, name):
        return getattr(self._plan, name)

    def batch(self, step):
        """Returns the pair (width, caption_indices) of a step, as the plan's."""
        width, captions = self._plan.batch(step)
        return width, captions[self._rows(captions)]

    def whole_batch(self, step):
        """Returns the pair (caption_indices, slice of this host's rows) of a step's batch."""
        captions = self._plan.batch(step)[1]
        return captions, self._rows(captions)

    def _rows(self, captions):
        if len(captions) < self._plan.batch_size:
            return slice(None)
        first = self.host * self.batch_size
        return slice(first, first + self.batch_size)


def this_host():
    """Returns `(host, num_hosts, num_devices)`; `(0, 1, 1)` where none are spread over."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 0, 1, 1
    return distribution.data_shard_id, distribution.num_processes, distribution.num_model_replicas


def check_same_settings(settings):
    """Refuses, on every host, to train where one was started with other settings than host 0.

    Args:
        settings: `Settings`.

    Raises:
        VsaTfError: says which differ.
    """
    if this_host()[1] == 1:
        return
    from jax.experimental import multihost_utils

    of_a_host = "--host_id=", "--coordinator_address="
    own = [line for line in settings.to_flags().splitlines() if not line.startswith(of_a_host)]
    text = np.frombuffer("\n".join(own).encode(), np.uint8)
    # Arrays that hosts exchange have one size.
    size = int(multihost_utils.process_allgather(np.int32(len(text))).max())
    texts = multihost_utils.process_allgather(np.pad(text, (0, size - len(text))))
    first, *others = (bytes(each).rstrip(b"\0").decode().split("\n") for each in texts)
    for number, other in enumerate(others, 1):
        for line, theirs in zip(first, other):
            if line != theirs:
                raise VsaTfError(
                    f"Expected the same command on all hosts. Received: {line} on host 0, {theirs} "
                    f"on host {number}"
                )


def await_hosts():
    """Returns when every host has come here."""
    if this_host()[1] > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("await_hosts")


@functools.cache
def _replicas():
    """One strategy a process: another would number its reductions as the first one did."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy()


def spread_batches(model):
    """Lets `fit` spread each batch over replicas, with the loss and gradients of one device.

    Each of P replicas runs the model on its rows, and computes a P-th of the loss L of the whole
    batch, of all rows that `gather_replicas` brings together. Whatever way a weight w of replica r
    takes to L, through its own rows or, gathered, through those of others, the gradients add up:
    gathering sums what all replicas' losses say of a row, Keras sums the gradients of the replicas'
    copies of w, and the sum over replicas of d(L / P) / dw is dL / dw. It is clipped when it is
    summed: Keras (3.15) clips what each replica has. BatchNorm takes its statistics over all
    replicas, unless it is given a mask (phrases).

    Keras first takes the mean of what the replicas get, to build a model that is not built
    yet, and fails: there is no mean of a mask.

    Args:
        model: a compiled Keras model, built, and its optimiser too.
    """
    compute_loss, num_replicas = model.compute_loss, _replicas().num_replicas_in_sync
    model.gather = gather_replicas
    model.compute_loss = lambda *args, **kwargs: compute_loss(*args, **kwargs) / num_replicas
    model._maybe_symbolic_build = lambda **_: None
    optimizer, clip = model.optimizer, model.optimizer._clip_gradients
    optimizer._clip_gradients = lambda gradients: clip(_sum_over_replicas(gradients))
    optimizer._all_reduce_sum_gradients = list
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _sum_over_replicas(gradients):
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def gather_replicas(values):
    """Returns all replicas' rows, in the order of the batch; what is no replica has its own.

    Differentiable: each replica's rows get the sum of the gradients that all replicas have of them.

    Args:
        values: a nest of tensors `[B / P, ...]` of one of P replicas; None stays None.

    Returns:
        The same nest of `[B, ...]`.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values

    def of_all(value):
        if value.dtype == tf.bool:
            return tf.cast(of_all(tf.cast(value, tf.int32)), tf.bool)
        rows = context.all_gather(value, axis=0)
        # Gathering takes no gradient of single rows; that of a reshape is a tensor.
        rows = tf.reshape(rows, tf.shape(rows))
        # The graph would know no size of it.
        return tf.ensure_shape(rows, (None, *value.shape[1:]))

    return keras.tree.map_structure(of_all, values, none_is_leaf=False)


def _has_accelerator():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("TPU"))
