"""All that a training run depends on: dataclasses, and their form as JSON and as a flagfile.

A field made by `setting` is also a flag (`vsa_tf.settings_flags`) and a keyword of `Settings.of`.
"""

import dataclasses
import os
import pathlib

from vsa_tf.errors import VsaTfError, meant, named, refuse_missing
from vsa_tf.file_reading import is_count, parse_json, told_as
from vsa_tf.files import json_text, read_sealed, sealed, unsealed
from vsa_tf.model_handles import check_handles, check_in_graph
from vsa_tf.models.model_table import MODELS
from vsa_tf.models.network_settings import AUTO, NetworkSettings, check_value, is_open, setting

# Teachers of a start are not taken over: they have seen its photographs, not the new ones.
_OF_TEACHERS = ("teachers", "teacher_weight", "teacher_temperature")
_OF_NEGATIVES = ("margin", "num_hard_negatives", "temperature", "learn_temperature", "clip_norm")


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """What is read and how it becomes batches."""

    data_dir: str = setting(
        "", "Directory of records that tfrecords_tools.write has written.", may_change=True
    )
    dataset: str = setting(
        "",
        "shape_scenes: generate it into data_dir first, if it is not there.",
        choices=("", "shape_scenes"),
    )
    num_examples: str = setting("2000,200,500", "Scenes of a generated data set: train,dev,test.")
    tokenizer: str = setting(
        "word",
        "Words, or pieces of words learnt on the training captions.",
        choices=("word", "wordpiece"),
    )
    min_count: int = setting(
        AUTO,
        "Words seen less often in the training captions become <unk> (papers: 5); -1: by their "
        "number.",
        minimum=1,
        auto=True,
    )
    fold_letters: bool = setting(
        False, "Read letters without their marks, as English has them: lauft for läuft."
    )
    num_wordpieces: int = setting(
        4000, "Size of the vocabulary of --tokenizer=wordpiece.", minimum=100
    )
    max_words: int = setting(40, "Longer sentences are cut here, and counted.", minimum=1)
    batch_size: int = setting(
        AUTO,
        "Image-sentence pairs a step (papers: 100; T: 500); -1: by the captions' number.",
        minimum=2,
        auto=True,
    )
    num_buckets: int = setting(
        4, "Sentence lengths that batches are padded to.", minimum=1, maximum=32
    )
    num_regions: int = setting(
        0, "Regions used of each image, the whole frame first; 0: all stored.", minimum=0
    )
    image_size: int = setting(
        96, "Height and width that images are resized to where a CNN is trained.", minimum=8
    )
    augmentation: str = setting(
        "none",
        "What is done to the photographs of training batches where a CNN is trained; the last two "
        "mirror and erase, too. No photograph is mirrored whose sentence holds left or right.",
        choices=("none", "mirror", "randaugment", "autoaugment"),
    )


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """How the loss is minimised."""

    optimizer: str = setting(
        "adam",
        "How steps are taken (papers: sgd; DVSA's generator: rmsprop; T: adam).",
        choices=("sgd", "adam", "adamw", "rmsprop", "adadelta", "adagrad"),
    )
    learning_rate: float = setting(1e-3, "Learning rate at its highest.", minimum=0.0)
    learning_rate_schedule: str = setting(
        "cosine",
        "How it falls: not at all, half a cosine to 0, or by 10 at 2/3 of the steps.",
        choices=("constant", "cosine", "step"),
    )
    learning_rate_warmup_steps: int = setting(
        AUTO,
        "Steps in which the learning rate grows from 0; -1: a share of all.",
        minimum=0,
        auto=True,
    )
    momentum: float = setting(0.9, "For sgd (paper: 0.9).", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.0, "Decoupled weight decay.", minimum=0.0)
    clip_value: float = setting(
        0.0, "Clip each gradient element to +-this; 0: do not (paper: element-wise).", minimum=0.0
    )
    clip_norm: float = setting(
        0.0, "Clip the norm of all gradients together; 0: do not.", minimum=0.0
    )
    average_weights: float = setting(
        0.0,
        "Evaluate and keep an exponential average of the weights over the steps, of this decay a "
        "step, such as 0.999, but of no more than about the last tenth of the steps; 0: do not.",
        minimum=0.0,
        maximum=1.0,
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How long training runs, where it leaves its results and what it compiles."""

    model: str = setting("alignment", "The model to train.", choices=tuple(MODELS))
    model_dir: str = setting("", "Directory of checkpoints, events and metrics.", may_change=True)
    num_epochs: int = setting(
        AUTO,
        "Passes over the training captions; -1: by their number.",
        minimum=1,
        auto=True,
        may_change=True,
    )
    start_from: str = setting(
        "",
        "model_dir of a model trained on other photographs: what fits is taken over, and its "
        "settings are the defaults, with a fifth of its learning rate.",
    )
    seed: int = setting(0, "Seed of weights, dropout, and the order of data.", minimum=0)
    train_split: str = setting("train", "Split to train on.")
    dev_split: str = setting("dev", "Split that chooses the best checkpoint.")
    test_split: str = setting(
        "",
        "Split of the final evaluation; empty: test where data_dir has it, else dev_split.",
        may_change=True,
    )
    jit_compile: str = setting(
        "auto",
        "Compile steps with XLA; auto: on an accelerator, and with JAX.",
        choices=("auto", "true", "false"),
    )
    mixed_precision: str = setting(
        "false",
        "Compute in bfloat16, keep weights in float32; auto: where that is measured to be faster "
        "(accelerators; CPUs with AMX or AVX512-BF16).",
        choices=("auto", "true", "false"),
        auto=True,
    )
    steps_per_execution: int = setting(1, "Steps in one call of the compiled step.", minimum=1)
    distribution: str = setting(
        "none",
        "Spread each batch over devices, with the loss of one: mirrored: over the local GPUs, with "
        "TensorFlow; data_parallel: over all devices, with JAX (docs/scaling.md).",
        choices=("none", "mirrored", "data_parallel"),
    )
    num_hosts: int = setting(
        1,
        "Of data_parallel: machines that train together, each by this command; 0: as Slurm, Open "
        "MPI or a TPU's variables say.",
        minimum=0,
        may_change=True,
    )
    host_id: int = setting(
        -1, "Of several hosts, which this is, from 0; 0 writes.", minimum=-1, may_change=True
    )
    coordinator_address: str = setting(
        "", "Of several hosts: host 0, as ADDRESS:PORT.", may_change=True
    )
    steps_per_checkpoint: int = setting(
        0,
        "Steps between checkpoints and evaluations on dev; 0: an epoch.",
        minimum=0,
        may_change=True,
    )
    num_pictures: int = setting(
        8, "Pictures of results for TensorBoard and model_dir/pictures.", minimum=0, may_change=True
    )
    report_dir: str = setting(
        "", "At the end write pages to look at here, as vsa_tf.report does.", may_change=True
    )
    export_dir: str = setting(
        "", "At the end write a SavedModel here, as vsa_tf.export does.", may_change=True
    )
    export_image_encoder: str = setting(
        "", "The encoder inside it, see vsa_tf.export.", may_change=True
    )
    export_detector: str = setting(
        "", "The detector inside it, see vsa_tf.export.", may_change=True
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a training run depends on; kept as `config.json` in model_dir."""

    data: DataSettings
    optimizer: OptimizerSettings
    training: TrainingSettings
    model: NetworkSettings

    @classmethod
    def of(cls, model=None, **values):
        """Makes settings from keywords, which are the flags of `vsa_tf.train`.

        What is not given has the model's default, as on the command line; with `start_from` that of
        the model that is gone on from.

        Args:
            model: name of the model, one of `MODELS`; None: alignment.
            **values: settings by their names; a path may be a `pathlib.Path`.

        Raises:
            VsaTfError: the model has no such setting, or its value is not allowed.

        Example:

        >>> settings = Settings.of("embedding", data_dir="data/mine", joint_size=256)
        >>> settings.model.joint_size, settings.data.batch_size, settings.optimizer.optimizer
        (256, -1, 'adam')
        """
        start = _start(values)
        model = model or (start.training.model if start else "alignment")
        if model not in MODELS:
            raise VsaTfError(
                f"Expected --model to be one of {', '.join(MODELS)}. Received: --model={model}"
            )
        network = MODELS[model].settings
        groups = (DataSettings, OptimizerSettings, TrainingSettings, network)
        fields = {field.name: field for group in groups for field in dataclasses.fields(group)}
        for name, value in values.items():
            if name not in fields:
                of_others = any(hasattr(other.settings, name) for other in MODELS.values())
                near = "" if of_others else meant(name, fields, "--", otherwise="")
                raise VsaTfError(
                    f"--{name} is not a setting of --model={model}{near or '; leave it out'}"
                )
            if isinstance(value, os.PathLike):
                values[name] = value = os.fspath(value)
            check_value(fields[name], value, model)
        defaults = network.defaults(values)
        if start and start.training.model == model:
            defaults |= _taken_over(start, values)
        for one, other in (("clip_norm", "clip_value"), ("clip_value", "clip_norm")):
            if values.get(one):
                defaults.pop(other, None)  # one of the two: the one that was asked for
        values = {**defaults, "model": model, **values}
        return cls(
            *(
                group(
                    **{
                        field.name: values[field.name]
                        for field in dataclasses.fields(group)
                        if field.name in values
                    }
                )
                for group in groups
            )
        )

    def to_json(self, inputs):
        """Returns the text of `config.json`; `inputs` are the records' sizes, a dict."""
        values = {**dataclasses.asdict(self), "inputs": inputs}
        return json_text(sealed(values), indent=2) + "\n"

    @classmethod
    def from_json(cls, text, path="config.json"):
        """Reads the text of `config.json`; raises one of `NOT_AS_EXPECTED` where it is none."""
        values = unsealed(parse_json(text, path), path)
        model = MODELS[values["training"]["model"]].settings
        training = dict(values["training"])
        if isinstance(training["mixed_precision"], bool):  # of an earlier version
            training["mixed_precision"] = str(training["mixed_precision"]).lower()
        return cls(
            # What an earlier version did without a setting for it, as `earlier`.
            DataSettings(**{"fold_letters": True, **values["data"]}),
            OptimizerSettings(**values["optimizer"]),
            TrainingSettings(**training),
            model(**{**model.earlier, **values["model"]}),
        )

    @classmethod
    def load(cls, model_dir):
        """Reads the settings of a trained model. Raises VsaTfError if they are not there."""
        path = pathlib.Path(model_dir) / "config.json"
        try:
            with told_as(f"{path} is not a settings file of this version"):
                return cls.from_json(path.read_bytes(), path)
        except OSError:
            raise VsaTfError(
                f"Expected a model directory that vsa_tf.train has written. Received: "
                f"{str(model_dir)!r}, which has no readable config.json"
            ) from None

    @classmethod
    def load_inputs(cls, model_dir):
        """Reads the sizes of the records that a model was trained on, a dict.

        Raises VsaTfError if a settings file does not hold them.
        """
        path = pathlib.Path(model_dir) / "config.json"
        inputs = read_sealed(path).get("inputs")
        if not isinstance(inputs, dict):
            raise VsaTfError(f"{path} is not a settings file of this version: it has no inputs")
        return inputs

    def differing(self, stored):
        """Yields `(field, value here, value there)` of what differs and is not open."""
        for group, there in zip(vars(self).values(), vars(stored).values()):
            for field, value in _values(group):
                other = getattr(there, field.name, None)
                if value != other and not is_open(field, value):
                    yield field, value, other

    def to_flags(self):
        """Returns the lines of a flagfile that gives these settings again."""
        lines = []
        for group in (self.training, self.data, self.optimizer, self.model):
            for field, value in _values(group):
                text = str(value).lower() if isinstance(value, bool) else value
                lines.append(f"--{field.name}={text}")
        return "\n".join(lines) + "\n"


def is_path(name):
    """Whether a setting tells where things are or go, not what is trained."""
    return name.endswith("_dir") or name.startswith("export_")


def _values(group):
    return [(field, getattr(group, field.name)) for field in dataclasses.fields(group)]


def _start(values):
    """Returns the `Settings` of the model that is gone on from; None where there is none."""
    path = values.get("start_from")
    # `check` says what is wrong with one that cannot be read.
    return Settings.load(path) if path and (pathlib.Path(path) / "config.json").is_file() else None


def _taken_over(start, given):
    """Returns what a model is made of, so that the weights of `start` fit, and stay, a dict."""
    read = ("tokenizer", "fold_letters", "max_words", "num_regions", "image_size")
    negatives = getattr(start.model, "negatives", None)
    # Other negatives do not read what these did.
    left = _OF_NEGATIVES if given.get("negatives", negatives) != negatives else ()
    left += _OF_TEACHERS
    if given.get("teachers") or getattr(start.model, "teachers", ""):
        left += ("selection",)  # What teachers write is chosen by another measure.
    own = [(field, value) for field, value in _values(start.model) if field.name not in left]
    # A sentence feature is the start's, whatever it was made of; new words begin as its own did.
    vectors = "" if start.model.reads_sentence_features else start.model.word_vectors
    if given.get("word_vectors", vectors) != vectors:
        raise VsaTfError(
            f"--word_vectors={given['word_vectors']}: words go on from what --start_from has "
            "learnt; leave it out"
        )
    of_optimizer = [name for name in ("clip_norm", "average_weights") if name not in left]
    return {
        **{name: getattr(start.data, name) for name in read},
        # Only weights that know nothing need a warm-up of the loss.
        **{field.name: 0.0 if field.metadata["auto"] else value for field, value in own},
        # The weights of a CNN are those that it has learnt since.
        "cnn_weights": "",
        "word_vectors": vectors,
        "learning_rate": start.optimizer.learning_rate / 5,
        **{name: getattr(start.optimizer, name) for name in of_optimizer},
    }


def _check_teacher(network, model_dir):
    """Refuses a `--teachers` that is no trained model from which one of `network` can learn."""
    with named(f"--teachers={model_dir}"):
        teacher = Settings.load(model_dir)
    kind = teacher.training.model
    if not network.can_learn_from(kind, teacher.model):
        raise VsaTfError(
            f"Expected --teachers to be {network.teaching}. Received: {model_dir}, of "
            f"--model={kind}" + " of regions" * teacher.model.captions_regions
        )
    if not (pathlib.Path(model_dir) / "checkpoint_best.npz").is_file():
        raise VsaTfError(f"--teachers={model_dir} holds no checkpoint yet: train it first")


def check(settings):
    """Refuses settings that contradict one another, before anything slow.

    Raises:
        VsaTfError: says which flags and what to do.
    """
    training, data = settings.training, settings.data
    refuse_missing(
        {
            "--model_dir": (training.model_dir, "where checkpoints and metrics are written"),
            "--data_dir": (data.data_dir, "records written by tfrecords_tools.write"),
        }
    )
    if data.dataset != "shape_scenes" and not pathlib.Path(data.data_dir).is_dir():
        raise VsaTfError(f"--data_dir={data.data_dir} is not a directory")
    start = pathlib.Path(training.start_from)
    begun = (pathlib.Path(training.model_dir) / "checkpoint_last.npz").is_file()
    if training.start_from and not begun and not (start / "checkpoint_best.npz").is_file():
        raise VsaTfError(f"--start_from={start} is no model_dir of a trained model")
    text = getattr(settings.model, "text", "")
    check_handles(
        export_image_encoder=training.export_image_encoder,
        export_detector=training.export_detector,
        text="" if begun or training.start_from else text,
    )
    check_in_graph("export_detector", training.export_detector)
    if training.export_dir and os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        raise VsaTfError(
            "--export_dir: a SavedModel is written by TensorFlow. Leave it out, and run "
            "vsa_tf.export without KERAS_BACKEND"
        )
    if settings.optimizer.clip_value and settings.optimizer.clip_norm:
        raise VsaTfError("--clip_value and --clip_norm exclude each other; choose one")
    counts = data.num_examples.split(",")
    if len(counts) != 3 or not all(is_count(count.strip()) and int(count) for count in counts):
        raise VsaTfError(
            f"Expected --num_examples to be three counts above 0, train,dev,test. "
            f"Received: {data.num_examples!r}"
        )
    if not begun:
        settings.model.check_word_vectors()
    settings.model.check(data)
    teachers = getattr(settings.model, "teacher_dirs", ())
    if os.path.realpath(training.model_dir) in map(os.path.realpath, teachers):
        raise VsaTfError(f"--teachers names --model_dir={training.model_dir} itself")
    if teachers and settings.model.family == "captioning" and training.num_hosts != 1:
        raise VsaTfError(
            "--teachers write captions on one host: several might write others. Received: "
            f"--num_hosts={training.num_hosts}"
        )
    for teacher in () if begun else teachers:
        _check_teacher(settings.model, teacher)
