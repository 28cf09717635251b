"""Writing records of small data sets with models whose results are known."""

import pathlib

import fake_models

from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.write_settings import WriteSettings
from tfrecords_tools.writer import write_records

SETTINGS = WriteSettings(detector="fake", image_encoder="fake")


def contents(directory):
    """Returns the files of a directory, `{name: bytes}`."""
    return {path.name: path.read_bytes() for path in pathlib.Path(directory).iterdir()}


def write(source, output_dir, settings=SETTINGS, make_models=fake_models.make_models, **options):
    """Writes records without a word."""
    return write_records(
        source, output_dir, settings, make_models=make_models, stream=None, **options
    )


def csv_source(folder, images, captions="A dog runs ."):
    """A source of `{name: bytes}`, one caption an image."""
    (folder / "images").mkdir(parents=True)
    for name, data in images.items():
        (folder / "images" / name).write_bytes(data)
    rows = "".join(f"{name},{captions}\n" for name in images)
    (folder / "captions.csv").write_text(rows)
    return CsvCaptions(folder / "images", folder / "captions.csv")
