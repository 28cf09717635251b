"""Trains a model on records, evaluates it and leaves everything in a directory.

    python -m vsa_tf.train --flagfile=flags/quickstart.flags
    python -m vsa_tf.train --data_dir=DIR --model_dir=DIR

The same command goes on with a run that was stopped; with more `--num_epochs` it trains longer.
Ctrl-C and SIGTERM end it after the step that is computed, with a checkpoint.
`--start_from` goes on from a model of other photographs. `model_dir` holds the resolved `flagfile`,
`config.json`, `vocabulary.txt`, the last and the best checkpoint, TensorBoard events in `events`,
`metrics.json` and pictures of what was found. `--report_dir` and `--export_dir` go on with what
`vsa_tf.report` and `vsa_tf.export` do.
"""

import os
import sys

from vsa_tf import program, settings_flags
from vsa_tf.data.dataset_info import check_stored_splits
from vsa_tf.errors import VsaTfError

_BACKENDS = ("tensorflow", "jax")


def main():
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend not in _BACKENDS:
        raise VsaTfError(
            f"Expected KERAS_BACKEND={' or '.join(_BACKENDS)}, which train. Received: {backend}"
        )
    settings = settings_flags.settings_from_flags()
    names = ("train_split", "dev_split", "test_split")
    splits = {name: getattr(settings.training, name) for name in names}
    check_stored_splits(settings.data.data_dir, **splits)
    # Only now, when the flags are known to be good: TensorFlow takes seconds to import.
    from vsa_tf.training.train_model import train_and_evaluate

    report, *evaluated = train_and_evaluate(settings, program.print_line, sys.stderr)
    # Of several hosts the first alone has what it is of.
    if settings.training.report_dir and evaluated[0] is not None:
        _report(settings.training, report["split"], evaluated)
    if settings.training.export_dir:
        _export(settings.training)


def _report(training, split, evaluated):
    from vsa_tf.reporting.write_report import write_report

    write_report(
        training.model_dir, split=split, output_dir=training.report_dir, evaluated=evaluated
    )
    program.print_line(f"open {training.report_dir}/index.html")


def _export(training):
    from vsa_tf.inference.export_model import export_model

    export_model(
        training.model_dir,
        training.export_dir,
        training.export_image_encoder,
        training.export_detector,
        say=program.print_line,
    )


if __name__ == "__main__":
    settings_flags.define_flags()
    program.run(main, __doc__, help_sections=settings_flags.help_sections)
