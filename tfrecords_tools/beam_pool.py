"""Shards written by the workers of Apache Beam, an extra: of this machine or of many."""

import contextlib
import io
import os
import pickle
import re
import shlex
import threading

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineState

from tfrecords_tools.worker_pool import WorkerPool

# Between looks at what is written.
_INTERVAL_SECONDS = 1.0
_GO_ON = "Run the same command again to go on"
# Beam's default, DirectRunner, looks for a program on the network first.
_DEFAULT_RUNNER = "FnApiRunner"


class BeamPool:
    """Writes shards by a Beam pipeline; in place of a `WorkerPool`, with the same calls.

    Every worker of Beam keeps a process of the local writer, with its models, and gives it shards:
    so the bytes are those of the local writer. Workers read the photographs and write the shards
    where this process does: on other machines, both must lie on file systems that all share, under
    the same absolute paths, and vsa_tf must be installed.

    Args:
        options: `PipelineOptions`, see `beam_options`.
        settings: the `WriteSettings`.
        make_models: picklable function of the settings that returns `(detector, encoder)`.

    Raises:
        OSError, ValueError: in `description`, as a worker raised them.
        RuntimeError: when the pipeline failed.
    """

    def __init__(self, options, settings, make_models):
        self._options = options
        self._settings, self._make_models = settings, make_models
        self._description = None
        self._result = None
        self._error = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def description(self):
        """Returns `ShardWriter.describe()` of models that are loaded here, to know them."""
        with WorkerPool(1, self._settings, self._make_models) as pool:
            self._description = pool.description()
        return dict(self._description)

    def run(self, tasks, directory, fingerprint):
        """Writes shards; arguments and what is yielded are those of `WorkerPool.run`."""
        if not tasks:
            return
        waiting = {task.file: len(task.examples) for task in tasks}
        # Runners limit what a pipeline itself may hold: it holds names.
        for task in tasks:
            with open(_task_path(directory, task.file), "wb") as file:
                pickle.dump(task, file)
        shards = _WriteShard(
            self._settings, self._make_models, self._description, directory, fingerprint
        )
        pipeline = beam.Pipeline(options=self._options)
        _ = (
            pipeline
            | "Shards" >> beam.Create(sorted(waiting))
            # Else a runner may take all of them for one piece of work.
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.ParDo(shards)
        )
        thread = threading.Thread(target=self._run_pipeline, args=(pipeline,), daemon=True)
        thread.start()
        ended = False
        while not ended:
            thread.join(_INTERVAL_SECONDS)
            ended = not thread.is_alive()
            for name in sorted(directory.noted() & set(waiting)):
                note = directory.note(name, fingerprint)
                if note is not None:
                    os.remove(_task_path(directory, name))
                    yield waiting.pop(name), note
        if self._error is not None:
            raise RuntimeError(_reason(self._error)) from self._error
        if waiting:
            raise RuntimeError(
                f"Expected the workers to write to {directory.path('')}. Received: a pipeline that "
                f"ended without {min(waiting)} there. Give an --output_dir that all machines share"
            )

    def close(self):
        """Ends the pipeline, if it still runs."""
        if self._result is not None and not PipelineState.is_terminal(self._result.state):
            self._result.cancel()

    def _run_pipeline(self, pipeline):
        try:
            self._result = pipeline.run()
            state = self._result.wait_until_finish()
            if state not in (None, PipelineState.DONE):
                raise RuntimeError(f"The pipeline ended as {state}")
        except Exception as error:
            self._error = error


class _WriteShard(beam.DoFn):
    """Writes the shards whose names it is given."""

    def __init__(self, settings, make_models, description, directory, fingerprint):
        super().__init__()
        self._settings, self._make_models = settings, make_models
        self._description = description
        self._directory, self._fingerprint = directory, fingerprint
        self._pool = None

    def setup(self):
        self._pool = WorkerPool(1, self._settings, self._make_models)
        description = self._pool.description()
        if description != self._description:
            raise ValueError(
                f"Expected the models that the program found, {self._description}. Received: "
                f"a worker with {description}"
            )

    def process(self, name):
        try:
            with open(_task_path(self._directory, name), "rb") as file:
                task = pickle.load(file)
        except FileNotFoundError:
            if self._directory.note(name, self._fingerprint) is not None:
                return  # given to two workers, and the other one was faster
            raise
        for _ in self._pool.run([task], self._directory, self._fingerprint):
            pass

    def teardown(self):
        if self._pool is not None:  # setup may have failed
            self._pool.close()


def _task_path(directory, name):
    # A partial file: what a killed run leaves of them, the next one removes.
    return directory.path(f".{name}.partial-task")


def _reason(error):
    """The last line of what a runner makes of a worker's error: it begins with tracebacks."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = re.sub(r" \[while running .*\]$", "", lines[-1].strip()).rstrip(".")
    return f"{reason}." if reason.endswith(_GO_ON) else f"{reason}. {_GO_ON}."


def beam_options(text):
    """Reads what any Beam program takes on its command line.

    Args:
        text: options separated by spaces, `--runner=FlinkRunner --flink_master=HOST:8081`, with
            quotes as in a shell. By default the runner is Beam's own on this machine, FnApiRunner,
            which needs nothing that is not installed.

    Returns:
        The `PipelineOptions`.

    Raises:
        ValueError: naming what Beam does not know or cannot read.
    """
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ValueError(
            f"Expected --beam_options as in a shell ({error}). Received: {text}"
        ) from error
    unknown = _unknown(arguments)
    options = PipelineOptions([f"--runner={_DEFAULT_RUNNER}", *arguments])
    try:
        runner = beam.Pipeline(options=options).runner
    except ImportError as error:  # of an extra of Beam's own
        raise ValueError(
            f"Expected --beam_options of a runner that is installed. Received: {text} ({error})"
        ) from error
    # Servers of jobs know options of their own, which they check.
    if unknown and not isinstance(runner, PortableRunner):
        raise ValueError(
            f"Expected --beam_options that {type(runner).__name__} knows. "
            f"Received: {' '.join(unknown)}"
        )
    return options


def _unknown(arguments):
    """Returns the arguments that are no options of Beam."""
    parsers = []
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return parsers[0].parse_known_args(arguments)[1]
    except SystemExit:
        reason = printed.getvalue().strip().rpartition("error: ")[2]
        raise ValueError(
            f"Expected --beam_options that Beam can read. Received: {reason}"
        ) from None
