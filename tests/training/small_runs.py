"""Small runs of training in this process, and what is compared of their model directories."""

import json
import pathlib

import numpy as np

from vsa_tf.model_dir.checkpoint import neutral_path
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model

# 8 photographs have 40 captions: 2 steps an epoch.
SMALL = {
    "dev_split": "train",
    "test_split": "train",
    "joint_size": 4,
    "word_embedding_size": 4,
    "batch_size": 20,
    "num_buckets": 1,
    "num_pictures": 0,
    "seed": 3,
}


def train(data_dir, model_dir, say=None, model=None, **values):
    """Trains, `SMALL` but for some values; returns the lines that are said, if `say` is None.

    What is None is left out: a setting that the model has not.
    """
    places = {"data_dir": str(data_dir), "model_dir": str(model_dir)}
    lines = []
    given = {name: value for name, value in {**SMALL, **values}.items() if value is not None}
    train_model(Settings.of(model, **places, **given), say or lines.append)
    return lines


def arrays(model_dir, name="checkpoint_last.npz"):
    """Returns the weights and states of a checkpoint by their names."""
    with np.load(pathlib.Path(model_dir) / name) as file:
        return {key: file[key] for key in file.files if key != "progress.json"}


def progress(model_dir):
    """Returns what the last checkpoint tells of the run, a dict."""
    with np.load(pathlib.Path(model_dir) / "checkpoint_last.npz") as file:
        return json.loads(str(file["progress.json"]))


def assert_same(first, second, *names):
    """Two model directories have the same checkpoints, those of `names`, or both."""
    for name in names or ("checkpoint_last.npz", "checkpoint_best.npz"):
        # Keras numbers the names of a process; the order is theirs.
        expected, received = arrays(first, name), arrays(second, name)
        for (key, value), other in zip(
            sorted(expected.items()), sorted(received.items()), strict=True
        ):
            assert neutral_path(key) == neutral_path(other[0])
            np.testing.assert_array_equal(other[1], value, err_msg=key)
