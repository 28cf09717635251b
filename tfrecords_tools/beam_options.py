"""The options of Apache Beam's runners, checked before anything slow is done."""

import contextlib
import io
import shlex

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

# Beam's default, DirectRunner, looks for a program on the network first.
_DEFAULT_RUNNER = "FnApiRunner"


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
