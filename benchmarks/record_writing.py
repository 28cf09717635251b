"""Throughput of the local writer by workers, and its memory by images.

Generated examples are written with the writer and the worker pool of `tfrecords_tools.write`:
rendered scenes with five sentences each (the data set shape_scenes), or given features. Every run
is a process of its own that writes an empty directory. Images per second, after the start-up, are
the median of the runs. Memory is the most that the launcher and any one worker held; seconds are
the processor's, of the launcher and of all workers with their start-up, which other programs on
the machine hardly change.

    python -m benchmarks.record_writing --num_workers=1,2 --sizes=10000,100000
    python -m benchmarks.record_writing --source=features --sizes=4000

`--speed_images` examples are written with each number of workers in turns, `--repeats` times; each
of `--sizes` once, with the most workers.
"""

import argparse
import dataclasses
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile

import numpy as np

from benchmarks.benchmark_parser import BenchmarkParser, print_entry
from tfrecords_tools.sources.source import GeneratedExamples, Source, SourceExample

_NUM_CAPTIONS = 5


@dataclasses.dataclass(frozen=True)
class _GivenFeatures(Source):
    """A generated source of features: small whole numbers that follow from the index."""

    num_images: int
    num_regions: int
    feature_size: int

    name = "given_features"

    def splits(self):
        return ("train",)

    def checksums(self):
        return {}

    def example_sequence(self, split):
        return GeneratedExamples(self, split, range(self.num_images))

    def example(self, split, index):
        return SourceExample(
            source_id=f"{split}-{index:06d}",
            filename=f"{split}-{index:06d}",
            captions=tuple(
                f"sentence {number} of image {index} ." for number in range(_NUM_CAPTIONS)
            ),
            read_features=lambda: self._features(index),
        )

    def _features(self, index):
        generator = np.random.default_rng(index)
        return generator.integers(0, 9, (self.num_regions, self.feature_size)).astype(np.float32)


def _numbers(text):
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of 1 or more, received {text}")
    return numbers


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--source", choices=("scenes", "features"), default="scenes")
    for name, default, meaning in (
        ("num_workers", [1, 2], "numbers of workers to compare"),
        ("sizes", [10_000, 100_000], "numbers of images whose memory is compared"),
    ):
        parser.add_argument(
            f"--{name}",
            type=_numbers,
            default=default,
            help=f"{meaning} (default {','.join(map(str, default))})",
        )
    parser.add_integers(
        ("speed_images", 4000, "images of a run for throughput"),
        ("repeats", 3, "runs for throughput with each number of workers"),
        ("num_regions", 36, "of given features"),
        ("feature_size", 512, "of given features"),
    )
    parser.add_argument("--directory", help="where records are written, and then removed")
    flags = parser.parse_args()
    if flags.directory and not os.path.isdir(flags.directory):
        parser.error(f"--directory={flags.directory} is not a directory")
    return flags


def _write(connection, flags, num_images, num_workers):
    """Main function of a run's process: sends what it found."""
    from tfrecords_tools.sources.shape_scenes import ShapeScenes
    from tfrecords_tools.write_settings import GIVEN, WriteSettings
    from tfrecords_tools.writer import write_records

    if flags.source == "scenes":
        source, settings = ShapeScenes(num_images, 0, 0), WriteSettings()
    else:
        source = _GivenFeatures(num_images, flags.num_regions, flags.feature_size)
        settings = WriteSettings(detector=GIVEN, image_encoder=GIVEN, store_images=False)
    with tempfile.TemporaryDirectory(dir=flags.directory) as directory:
        result = write_records(
            source, directory, settings, splits=["train"], num_workers=num_workers, stream=None
        )
        num_bytes = sum(entry.stat().st_size for entry in os.scandir(directory))
    used = {}
    for name, who in (("launcher", resource.RUSAGE_SELF), ("worker", resource.RUSAGE_CHILDREN)):
        usage = resource.getrusage(who)
        used[f"{name}_mib"] = round(usage.ru_maxrss / 1024)
        used[f"{name}_processor_seconds"] = round(usage.ru_utime + usage.ru_stime, 1)
    connection.send(
        {
            "images_per_second": round(num_images / result.seconds, 1),
            **used,
            "startup_seconds": round(result.startup_seconds, 1),
            "written_mib": round(num_bytes / 2**20),
        }
    )


def measure(flags, num_images, num_workers):
    """Returns what one run found, a dict."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_write, args=(there, flags, num_images, num_workers))
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        raise SystemExit("the run failed; what it printed says why") from None
    process.join()
    run = {"images": num_images, "workers": num_workers, **found}
    print(run, file=sys.stderr, flush=True)
    return run


def main():
    flags = _flags()
    runs = {number: [] for number in flags.num_workers}
    for _ in range(flags.repeats):
        for number in flags.num_workers:
            runs[number].append(measure(flags, flags.speed_images, number))
    rows = [
        {name: statistics.median(run[name] for run in own) for name in own[0]}
        for own in runs.values()
    ]
    rows += [measure(flags, size, max(flags.num_workers)) for size in flags.sizes]
    print_entry(f"{flags.source}, by workers and images", rows, flags, runs=list(runs.values()))


if __name__ == "__main__":
    main()
