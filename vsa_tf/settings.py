"""Settings of the programs: dataclasses that become absl flags. No TensorFlow here.

A field made by `setting` is a flag of the same name. Settings of a model are flags without a
default, so that a flag that the chosen model does not have can be refused, and each model keeps
its own defaults. What a model's paper says of shared flags is in its `shared_defaults`.
"""

import dataclasses
import itertools
import json
import os
import pathlib

from absl import flags

from vsa_tf.models.captioning.settings import MODEL_SETTINGS
from vsa_tf.models.settings import NetworkSettings, setting
from vsa_tf.program import ProgramError


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """What is read and how it becomes batches."""

    data_dir: str = setting("", "Directory of records that tfrecords_tools.write has written.")
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
        5, "Words seen less often in the training captions become <unk> (papers: 5).", minimum=1
    )
    num_wordpieces: int = setting(
        4000, "Size of the vocabulary of --tokenizer=wordpiece.", minimum=100
    )
    max_words: int = setting(40, "Longer sentences are cut here, and counted.", minimum=1)
    batch_size: int = setting(100, "Image-sentence pairs a step (paper: 100).", minimum=2)
    num_buckets: int = setting(
        4, "Sentence lengths that batches are padded to.", minimum=1, maximum=32
    )
    num_regions: int = setting(
        0, "Regions used of each image, the whole frame first; 0: all stored.", minimum=0
    )
    image_size: int = setting(
        96, "Height and width that images are resized to where a CNN is trained.", minimum=8
    )


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """How the loss is minimised."""

    optimizer: str = setting(
        "sgd", "The paper: sgd.", choices=("sgd", "adam", "adamw", "rmsprop", "adadelta", "adagrad")
    )
    learning_rate: float = setting(1e-3, "Learning rate at its highest.", minimum=0.0)
    learning_rate_schedule: str = setting(
        "constant",
        "How it falls: not at all, half a cosine to 0, or by 10 at 2/3 of the steps.",
        choices=("constant", "cosine", "step"),
    )
    learning_rate_warmup_steps: int = setting(
        0, "Steps in which the learning rate grows from 0.", minimum=0
    )
    momentum: float = setting(0.9, "For sgd (paper: 0.9).", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.0, "Decoupled weight decay.", minimum=0.0)
    clip_value: float = setting(
        0.0, "Clip each gradient element to +-this; 0: do not (paper: element-wise).", minimum=0.0
    )
    clip_norm: float = setting(
        0.0, "Clip the norm of all gradients together; 0: do not.", minimum=0.0
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How long training runs, where it leaves its results and what it compiles."""

    model: str = setting("alignment", "The model to train.", choices=tuple(MODEL_SETTINGS))
    model_dir: str = setting("", "Directory of checkpoints, events and metrics.")
    num_epochs: int = setting(20, "Passes over the training captions.", minimum=1)
    seed: int = setting(0, "Seed of weights, dropout, and the order of data.", minimum=0)
    train_split: str = setting("train", "Split to train on.")
    dev_split: str = setting("dev", "Split that chooses the best checkpoint.")
    test_split: str = setting(
        "", "Split of the final evaluation; empty: test where data_dir has it, else dev_split."
    )
    jit_compile: str = setting(
        "auto",
        "Compile steps with XLA; auto: on an accelerator (slower on a CPU).",
        choices=("auto", "true", "false"),
    )
    mixed_precision: bool = setting(False, "Compute in bfloat16, keep weights in float32.")
    steps_per_execution: int = setting(1, "Steps in one call of the compiled step.", minimum=1)
    distribution: str = setting(
        "none", "mirrored: replicate over the local GPUs.", choices=("none", "mirrored")
    )
    steps_per_checkpoint: int = setting(
        0, "Steps between checkpoints and evaluations on dev; 0: an epoch.", minimum=0
    )
    num_pictures: int = setting(
        8, "Pictures of results for TensorBoard and model_dir/pictures.", minimum=0
    )
    report_dir: str = setting("", "At the end write pages to look at here, as vsa_tf.report does.")
    export_dir: str = setting("", "At the end write a SavedModel here, as vsa_tf.export does.")
    export_image_encoder: str = setting("", "The encoder inside it, see vsa_tf.export.")
    export_detector: str = setting("", "The detector inside it, see vsa_tf.export.")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a training run depends on; kept as `config.json` in model_dir."""

    data: DataSettings
    optimizer: OptimizerSettings
    training: TrainingSettings
    model: NetworkSettings

    def to_json(self, inputs):
        """Returns the text of `config.json`; `inputs` are the records' sizes, a dict."""
        values = {**dataclasses.asdict(self), "inputs": inputs}
        return json.dumps(values, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text):
        values = json.loads(text)
        model = MODEL_SETTINGS[values["training"]["model"]]
        return cls(
            DataSettings(**values["data"]),
            OptimizerSettings(**values["optimizer"]),
            TrainingSettings(**values["training"]),
            model(**values["model"]),
        )

    @classmethod
    def load(cls, model_dir):
        """Reads the settings of a trained model. Raises ProgramError if they are not there."""
        path = pathlib.Path(model_dir) / "config.json"
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError:
            raise ProgramError(
                f"Expected a model directory that vsa_tf.train has written. Received: "
                f"{model_dir!r}, which has no readable config.json"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise ProgramError(f"{path} is not a settings file of this version: {error}") from None

    @classmethod
    def load_inputs(cls, model_dir):
        """Reads the sizes of the records that a model was trained on, a dict.

        Raises ProgramError if a settings file does not hold them.
        """
        path = pathlib.Path(model_dir) / "config.json"
        inputs = json.loads(path.read_text("utf-8")).get("inputs")
        if not isinstance(inputs, dict):
            raise ProgramError(f"{path} is not a settings file of this version: it has no inputs")
        return inputs

    def difference(self, other):
        """Says in words what differs from `other`, paths aside; empty if nothing does."""
        mine, others = dataclasses.asdict(self), dataclasses.asdict(other)
        differences = [
            f"--{name} is {mine[group].get(name)!r} here and {value!r} there"
            for group in mine
            for name, value in others[group].items()
            if mine[group].get(name) != value and not _says_where(name)
        ]
        return "; ".join(differences)

    def to_flags(self):
        """Returns the lines of a flagfile that gives these settings again."""
        lines = []
        for group in (self.training, self.data, self.optimizer, self.model):
            for field in dataclasses.fields(group):
                value = getattr(group, field.name)
                text = str(value).lower() if isinstance(value, bool) else value
                lines.append(f"--{field.name}={text}")
        return "\n".join(lines) + "\n"


def _says_where(name):
    """Whether a setting tells where things are or go, not what is trained."""
    return name.endswith("_dir") or name.startswith("export_")


_GROUPS = (TrainingSettings, DataSettings, OptimizerSettings)


def define_flags():
    """Defines a flag for every setting, as flags of the program that calls."""
    for group in _GROUPS:
        for field in dataclasses.fields(group):
            others = ", ".join(
                f"{name}: {settings.shared_defaults[field.name]!r}"
                for name, settings in MODEL_SETTINGS.items()
                if field.name in settings.shared_defaults
            )
            help = field.metadata["help"]
            _define(field, field.default, f"{help} [{others}]" if others else help)
    owners = {}
    for name, group in MODEL_SETTINGS.items():
        for field in dataclasses.fields(group):
            owners.setdefault(field.name, []).append((name, field))
    for fields in owners.values():
        defaults = ", ".join(f"{name}: {field.default!r}" for name, field in fields)
        help = f"{fields[0][1].metadata['help']} [{defaults}]"
        choices = [field.metadata["choices"] for _, field in fields]
        _define(fields[0][1], None, help, choices)


def _define(field, default, help, choices=()):
    metadata = field.metadata
    if metadata["choices"]:
        # Of all the models that have the flag; settings_from_flags knows the chosen one's.
        allowed = dict.fromkeys(itertools.chain(metadata["choices"], *choices))
        flags.DEFINE_enum(field.name, default, list(allowed), help)
    elif field.type in (bool, "bool"):
        flags.DEFINE_bool(field.name, default, help)
    elif field.type in (int, "int"):
        flags.DEFINE_integer(
            field.name,
            default,
            help,
            lower_bound=metadata["minimum"],
            upper_bound=metadata["maximum"],
        )
    elif field.type in (float, "float"):
        flags.DEFINE_float(
            field.name,
            default,
            help,
            lower_bound=metadata["minimum"],
            upper_bound=metadata["maximum"],
        )
    else:
        flags.DEFINE_string(field.name, default, help)


def settings_from_flags():
    """Collects the parsed flags.

    Raises:
        ProgramError: for a flag that the chosen model does not have, or flags that contradict.
    """
    values = flags.FLAGS
    model_class = MODEL_SETTINGS[values.model]
    own = {field.name for field in dataclasses.fields(model_class)}
    for other in MODEL_SETTINGS.values():
        for field in dataclasses.fields(other):
            if field.name not in own and values[field.name].value is not None:
                raise ProgramError(
                    f"--{field.name} is not a setting of --model={values.model}; leave it out"
                )
    shared = {
        name: default
        for name, default in model_class.shared_defaults.items()
        if values[name].using_default_value
    }
    if values["clip_norm"].value:
        shared.pop("clip_value", None)  # one of the two: the one that was asked for
    groups = [
        group(
            **{
                field.name: shared.get(field.name, values[field.name].value)
                for field in dataclasses.fields(group)
            }
        )
        for group in _GROUPS
    ]
    model = model_class(
        **{name: values[name].value for name in own if values[name].value is not None}
    )
    for field in dataclasses.fields(model):
        choices, value = field.metadata["choices"], getattr(model, field.name)
        if choices and value not in choices:
            raise ProgramError(
                f"Expected --{field.name} of --model={values.model} to be one of "
                f"{', '.join(choices)}. Received: {value}"
            )
    settings = Settings(groups[1], groups[2], groups[0], model)
    check(settings)
    return settings


def check(settings):
    """Refuses settings that contradict one another, before anything slow.

    Raises:
        ProgramError: says which flags and what to do.
    """
    training, data = settings.training, settings.data
    if not training.model_dir:
        raise ProgramError("--model_dir is missing: where checkpoints and metrics are written")
    if not data.data_dir:
        raise ProgramError("--data_dir is missing: records written by tfrecords_tools.write")
    if data.dataset != "shape_scenes" and not pathlib.Path(data.data_dir).is_dir():
        raise ProgramError(f"--data_dir={data.data_dir} is not a directory")
    if training.export_dir and os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        raise ProgramError(
            "--export_dir: a SavedModel is written by TensorFlow. Leave it out, and run "
            "vsa_tf.export without KERAS_BACKEND"
        )
    if settings.model.reads_dependencies and training.report_dir:
        raise ProgramError(
            f"--report_dir: the pages show words, and --model={training.model} reads dependency "
            "relations here; leave it out"
        )
    if settings.optimizer.clip_value and settings.optimizer.clip_norm:
        raise ProgramError("--clip_value and --clip_norm exclude each other; choose one")
    counts = data.num_examples.split(",")
    if len(counts) != 3 or not all(count.strip().isdigit() and int(count) for count in counts):
        raise ProgramError(
            f"Expected --num_examples to be three counts above 0, train,dev,test. "
            f"Received: {data.num_examples!r}"
        )
    settings.model.check(data)
