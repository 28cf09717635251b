"""The programs that faults happen to, on data of their own that take a second or two each."""

import hashlib
import json
import pathlib
import time
from typing import NamedTuple

import numpy as np

from tests.forked_programs import tensorflow_forks

_TRAINING = (
    "--image_size=32",
    "--crop_size=16",
    "--num_regions=4",
    "--joint_size=8",
    "--word_embedding_size=8",
    "--min_count=1",
    "--batch_size=25",
    "--num_epochs=1",
    "--steps_per_checkpoint=4",
    "--dropout=0.3",
    "--region_dropping=0.2",
    "--average_weights=0.9",
    "--num_pictures=1",
)


class Faulted(NamedTuple):
    """A program whose runs are disturbed.

    Attributes:
        module: its name.
        arguments: function of the folder of all data; returns the flags but for the output.
        output: the flag of the directory that it writes.
        result: function of that directory; returns a dict that undisturbed runs have alike.
        may_repeat: whether the command may be given again when it has done its work, of which the
            output appears as a whole.
    """

    module: str
    arguments: object
    output: str
    result: object
    may_repeat: bool = True

    def command(self, folder, output):
        """Returns the module and its arguments; the output is a directory."""
        return [self.module, *self.arguments(pathlib.Path(folder)), f"--{self.output}={output}"]


def files(directory):
    """Returns the SHA-256 of each file below a directory, by its name."""
    paths = sorted(path for path in pathlib.Path(directory).rglob("*") if path.is_file())
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def trained(directory):
    """Returns all weights and states of a model directory, byte for byte, and its files' names."""
    found = {}
    for name in ("checkpoint_best", "checkpoint_last"):
        with np.load(pathlib.Path(directory) / f"{name}.npz") as arrays:
            # The history tells the seconds that each epoch took.
            found |= {f"{name}/{key}": arrays[key].tobytes() for key in arrays if "json" not in key}
    found["metrics"] = json.loads((pathlib.Path(directory) / "metrics.json").read_bytes())[
        "metrics"
    ]
    found["names"] = sorted(path.name for path in pathlib.Path(directory).iterdir())
    return found


def exported(directory):
    """Returns what the newest version answers, its files, and what else lies beside versions."""
    from vsa_tf.inference.exported_model import ExportedModel

    directory = pathlib.Path(directory)
    model = ExportedModel(directory)
    answer = model.call("embed_sentence", sentences=["a red circle", "two blue squares"])
    names = sorted(
        str(path.relative_to(model.path)) for path in pathlib.Path(model.path).rglob("*")
    )
    beside = sorted(path.name for path in directory.iterdir() if not path.name.isdigit())
    return {"names": names, "beside": beside} | {
        name: np.asarray(value).tolist() for name, value in answer.items()
    }


def indexed(directory):
    """Returns the vectors of each photograph, however shards are cut, and what else lies there.

    A photograph's last bits depend on those that are embedded with it. Of one that is there twice,
    as after two runs at once, the later one is searched.
    """
    from vsa_tf.search_index.index_directory import IndexShard

    directory, found = pathlib.Path(directory), {}
    shards = IndexShard.find(directory, "images")
    for path in shards:
        shard = IndexShard(path, "images")
        for name, vectors in zip(shard.columns["path"], shard.embedded.vectors, strict=True):
            found[name] = np.round(vectors.astype(np.float64), 4).tolist()
    names = {path.name for path in directory.iterdir()} - {path.name for path in shards}
    return {"names": sorted(names), **found}


PROGRAMS = {
    "write": Faulted(
        "tfrecords_tools.write",
        lambda folder: [
            "--dataset=shape_scenes",
            "--num_examples=40,6,6",
            "--num_shards=6",
            "--num_workers=0",
            "--seed=5",
        ],
        "output_dir",
        files,
    ),
    "add_dependencies": Faulted(
        "tfrecords_tools.add_dependencies",
        lambda folder: [
            f"--data_dir={folder / 'records'}",
            f"--dependencies={folder / 'parses.conllu'}",
        ],
        "output_dir",
        files,
    ),
    "export_records": Faulted(
        "tfrecords_tools.export",
        lambda folder: [f"--data_dir={folder / 'records'}", "--format=csv"],
        "output_dir",
        files,
        may_repeat=False,
    ),
    "train": Faulted(
        "vsa_tf.train",
        lambda folder: [f"--data_dir={folder / 'records'}", *_TRAINING],
        "model_dir",
        trained,
    ),
    "index": Faulted(
        "vsa_tf.index",
        lambda folder: [
            f"--model_dir={folder / 'model'}",
            "--detector=shapes",
            f"--images={folder / 'photographs' / 'images'}",
        ],
        "index_dir",
        indexed,
    ),
    "export": Faulted(
        "vsa_tf.export",
        lambda folder: [f"--model_dir={folder / 'model'}", "--detector=shapes", "--num_examples=1"],
        "export_dir",
        exported,
    ),
}

# What the programs read is written by some of them, into these.
MADE = {"write": "records", "train": "model", "export_records": "photographs"}


class Runs:
    """Runs the programs in a folder.

    Args:
        folder: a directory.

    Attributes:
        folder: as given, a `pathlib.Path`.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._log = self.folder / f"log_{id(self)}"

    def make_data(self):
        """Makes what the programs read; returns the seconds of those that do, by their names."""
        seconds = {}
        for name, output in MADE.items():
            start = time.monotonic()
            self.finish(name, self.folder / output)
            seconds[name] = time.monotonic() - start
        _write_parses(self.folder)
        return seconds

    def start(self, name, output, disturbances=(), more=()):
        """Starts a program; returns the number of its process. `ended_within` and `wait` follow."""
        command = [*PROGRAMS[name].command(self.folder, output), *more]
        if disturbances:
            command = ["tests.faults.disturbed", *disturbances, *command]
        self._run = tensorflow_forks().start(*command, outputs=[self._log, self._log])
        return self._run.process

    def ended_within(self, seconds):
        return self._run.ended_within(seconds)

    def wait(self):
        """Returns `(code, output)` of the program that was started."""
        code = self._run.wait()
        return code, self._log.read_text("utf-8")

    def finish(self, name, output, **options):
        """Runs a program to its end; returns what it printed, and refuses one that fails."""
        self.start(name, output, **options)
        code, text = self.wait()
        assert code == 0, f"{name} ended with {code}: {text}"
        return text


def _write_parses(folder):
    """Writes a CoNLL-U file in which every word of a caption hangs on the one before."""
    from vsa_tf.data.record_split import RecordSplit

    lines = []
    for split in ("train", "dev", "test"):
        records = RecordSplit(folder / "records", split)
        for caption, text in enumerate(records.captions):
            image = records.image_of_caption[caption]
            number = caption - records.first_caption[image]
            lines.append(f"# sent_id = {records.filenames[image]}#{number}")
            for place, word in enumerate(text.split(), 1):
                relation = "dep" if place > 1 else "root"
                lines.append(f"{place}\t{word}\t{word}\tX\t_\t_\t{place - 1}\t{relation}\t_\t_")
            lines.append("")
    (folder / "parses.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
