"""Shards, the unit of work, written by several processes or by this one."""

import collections.abc
import contextlib
import dataclasses
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback

from tfrecords_tools.sources.source import SourceExample

# Libraries of a worker: quiet, as failures arrive as exceptions, and of one thread each, so that
# results do not depend on the number of workers and workers do not compete.
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Threads may start pools at the same time; the environment is of the whole process.
_ENVIRONMENT_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """One shard to be written.

    Attributes:
        split: name of the split.
        file: name of the shard in the directory.
        examples: what it holds, in order; those of a generated source are made as they are read.
    """

    split: str
    file: str
    examples: collections.abc.Sequence[SourceExample]

    def run(self, writer, directory, fingerprint, report):
        """Writes the shard and then the note that says it is whole.

        Args:
            writer: a `ShardWriter`.
            directory: the `RecordDirectory`.
            fingerprint: of the settings, from `RecordDirectory.open`.
            report: called with a number of images now and then.

        Returns:
            The note: the writer's counts with `file`, `sha256` and `fingerprint`.

        Raises:
            OSError: when a file cannot be written.
        """
        path = directory.path(self.file)
        counts = writer.write(path, self.examples, report)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        note = {**counts, "file": self.file, "sha256": digest, "fingerprint": fingerprint}
        directory.write_note(note)
        return note


class WorkerPool:
    """Processes that write shards; a context manager.

    Args:
        num_workers: number of processes; 0 for this process.
        settings: the `WriteSettings`.
        make_models: picklable function of the settings that returns `(detector, encoder)`.

    Raises:
        OSError, ValueError: in `description` and `run`, as the worker raised them.
        RuntimeError: when a worker died or failed in another way.
    """

    def __init__(self, num_workers, settings, make_models):
        self._settings, self._make_models = settings, make_models
        self._local = None
        self._workers = {}
        self._ready = []
        if num_workers == 0:
            from tfrecords_tools.shard_writer import ShardWriter

            self._local = ShardWriter(settings, make_models)
            return
        context = multiprocessing.get_context("spawn")
        with _environment():
            for _ in range(num_workers):
                here, there = context.Pipe()
                process = context.Process(
                    target=_work, args=(there, settings, make_models), daemon=True
                )
                process.start()
                there.close()
                self._workers[here] = process

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def description(self):
        """Returns `ShardWriter.describe()`, once the first worker has loaded its models."""
        if self._local is not None:
            return self._local.describe()
        while not self._ready:
            for connection, kind, content in self._messages():
                if kind == "ready":
                    self._ready.append(connection)
                    description = content
        return description

    def run(self, tasks, directory, fingerprint):
        """Writes shards.

        Args:
            tasks: sequence of `ShardTask`.
            directory: the `RecordDirectory`.
            fingerprint: of the settings.

        Yields:
            `(num_images, note)`: images done since the last time; the note of a finished shard or
            None.
        """
        if self._local is not None:
            yield from self._run_here(tasks, directory, fingerprint)
            return
        pending = list(reversed(tasks))
        running = 0

        def hand_out(connection):
            if not pending:
                return 0
            connection.send((pending.pop(), directory, fingerprint))
            return 1

        for connection in self._ready:
            running += hand_out(connection)
        while running or pending:
            for connection, kind, content in self._messages():
                if kind == "progress":
                    yield content, None
                    continue
                if kind == "done":
                    running -= 1
                    yield 0, content
                running += hand_out(connection)

    def close(self):
        """Ends the workers, whatever they are doing."""
        for connection, process in self._workers.items():
            process.terminate()
            process.join()
            connection.close()
        self._workers = {}

    def _run_here(self, tasks, directory, fingerprint):
        for task in tasks:
            reported = []
            note = task.run(self._local, directory, fingerprint, reported.append)
            yield sum(reported), note

    def _messages(self):
        """Waits, and returns the messages of the workers as `(connection, kind, content)`."""
        messages = []
        for connection in multiprocessing.connection.wait(list(self._workers)):
            try:
                kind, content = connection.recv()
            except (EOFError, ConnectionResetError):
                process = self._workers[connection]
                process.join()
                raise RuntimeError(
                    f"A worker process died (exit code {process.exitcode}; -9 usually means that "
                    "memory ran out: try fewer workers). Run the same command again to go on."
                ) from None
            if kind == "error":
                raise content
            messages.append((connection, kind, content))
        return messages


def _work(connection, settings, make_models):
    """Main function of a worker process."""
    # Ctrl-C reaches all processes of the terminal; the parent ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
        from tfrecords_tools.shard_writer import ShardWriter

        writer = ShardWriter(settings, make_models)
        connection.send(("ready", writer.describe()))
        while True:
            task, directory, fingerprint = connection.recv()
            note = task.run(
                writer,
                directory,
                fingerprint,
                lambda num_images: connection.send(("progress", num_images)),
            )
            connection.send(("done", note))
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        connection.send(("error", _portable(error)))


def _portable(error):
    """The error as one of Python's own types, which the parent can unpickle without TensorFlow."""
    if isinstance(error, OSError):
        if error.errno is None:
            return OSError(str(error))
        return OSError(error.errno, error.strerror, error.filename)
    if isinstance(error, ValueError):
        return ValueError(str(error))
    traceback.print_exc()
    return RuntimeError(f"A worker process failed: {type(error).__name__}: {error}")


def _die_with_parent():
    """A worker whose parent was killed must not go on writing beside its successor."""
    multiprocessing.parent_process().join()
    os._exit(1)


@contextlib.contextmanager
def _environment():
    """Sets variables that libraries read as they are imported, in the children only."""
    with _ENVIRONMENT_LOCK:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
