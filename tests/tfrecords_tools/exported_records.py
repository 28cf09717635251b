"""Exporting records by the program, and reading records whole."""

from program_runs import run_program

from tfrecords_tools import export
from tfrecords_tools.exporting.exported_directory import read_records
from vsa_tf.data.dataset_info import DatasetInfo


def run_export(*arguments):
    """Runs the program's `main` with a command line."""
    run_program(export, *arguments)


def export_as(name, data_dir, output_dir, *arguments):
    """Exports records to a format; returns the directory."""
    run_export(
        f"--data_dir={data_dir}", f"--format={name}", f"--output_dir={output_dir}", *arguments
    )
    return output_dir


def records_of(data_dir):
    """Returns `{split: [ParsedRecord]}`."""
    info = DatasetInfo.load(data_dir)
    return {split: list(read_records(info, split)) for split in info.splits}
