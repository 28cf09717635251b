"""Whether one seed gives one result: `python -m tests.training.reproducible_runs`, some minutes.

Each model is trained in three processes that differ in how Python orders sets, and in what of a run
must not matter: what is cached, how batches are read ahead, how many steps are one call. Of each it
prints a digest of all weights, optimiser states and metrics; it ends with 1 where two differ.
"""

import functools
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

from tests.data.small_records import CAPTIONS_PER_IMAGE, set_dependencies, write_records
from tests.faults.programs import trained
from vsa_tf.data import input_pipeline, record_split
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model

_RELATIONS = ((("nummod", "w4", "w5"), ("amod", "w6", "w7")), (), (("amod", "w8", "w4"),))
# Arguments of a process, and what of a run they change.
_PROCESSES = {
    "as usual": {"caches": 1},
    "nothing cached": {"caches": 0},
    "four steps a call": {"steps_per_execution": 4},
}


def settings_of(model, data_dir, model_dir, **values):
    """Returns the `Settings` of two epochs of four steps, with dropout and averaged weights."""
    places = {"data_dir": str(data_dir), "model_dir": str(model_dir)}
    splits = {"dev_split": "train", "test_split": "train"}
    return Settings.of(
        model,
        **{**places, **splits, "seed": 3, "min_count": 1, "batch_size": 10, "num_epochs": 2},
        **{"average_weights": 0.9, "num_buckets": 2, "num_pictures": 0, "dropout": 0.3, **values},
    )


def uncached():
    """Returns a context in which records and batches are read from the files, one by one."""
    split = functools.partial(record_split.RecordSplit, feature_cache_bytes=0)
    pipeline = functools.partial(
        input_pipeline.InputPipeline, image_cache_bytes=0, num_parallel_calls=1, prefetch=1
    )
    return mock.patch.multiple(
        "vsa_tf.model_dir.load_split", RecordSplit=split, InputPipeline=pipeline
    )


def _digest(found):
    digest = hashlib.sha256()
    for name in sorted(found):
        value = found[name]
        digest.update(name.encode() + (value if isinstance(value, bytes) else repr(value).encode()))
    return digest.hexdigest()


def _train_all(caches=1, **values):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        relations = [_RELATIONS[number % 3] for number in range(CAPTIONS_PER_IMAGE)]
        write_records(folder, edit=lambda image, values: set_dependencies(values, relations))
        for model in MODELS:
            settings = settings_of(model, folder, folder / model, **values)
            if caches:
                train_model(settings)
            else:
                with uncached():
                    train_model(settings)
            print(model, _digest(trained(folder / model)), flush=True)


def main():
    if len(sys.argv) > 1:
        _train_all(
            **{name: int(value) for name, value in (each.split("=") for each in sys.argv[1:])}
        )
        return
    results = {}
    for seed, (name, values) in enumerate(_PROCESSES.items()):
        command = [sys.executable, "-m", "tests.training.reproducible_runs"]
        command += [f"{key}={value}" for key, value in values.items()]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        results[name] = done.stdout
        print(f"{name}:\n{done.stdout}", flush=True)
    sys.exit(len(set(results.values())) > 1)


if __name__ == "__main__":
    main()
