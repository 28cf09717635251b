"""Settings that every model has; the `settings` of each paper's folder add its models' own.

A class's `shared_defaults` are its own defaults of flags that all models share; `flickr8k` is what
`vsa_tf.training.auto_settings` scales to the size of the data. Defaults are what learns; a paper's
settings are `flags/*_paper.flags`.
"""

import dataclasses
import importlib.util
import math
import os
import pathlib
from typing import ClassVar

from vsa_tf.errors import VsaTfError, meant

# The value of a setting that follows the size of the data; a run stores what it became.
AUTO = -1
_WORDLLAMA_SIZE = 256


def setting(
    default,
    help,
    choices=None,
    minimum=None,
    maximum=None,
    of_network=True,
    auto=False,
    may_change=False,
):
    """Declares one setting: its default, a line of help, and what it may be.

    Args:
        default: the value where nothing else is said; its flag's default, too.
        help: one line of `--help`.
        choices, minimum, maximum: what is allowed; None: anything of the type. A choice `NAME:WHAT`
            is whatever begins with `NAME:`.
        of_network: of a model's settings, whether it is an argument of the model's constructor.
        auto: whether it may also be `AUTO`, by the size of the data, or the choice `auto`, by the
            machine; see `is_open`.
        may_change: whether a run that goes on may have another value than it began with.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
            "of_network": of_network,
            "auto": auto,
            "may_change": may_change,
        },
    )


def with_default(group, name, default):
    """Declares a setting that a group of settings has with another default."""
    return dataclasses.field(default=default, metadata=group.__dataclass_fields__[name].metadata)


def is_open(field, value):
    """Whether the value of a setting is `AUTO` or `auto`, and becomes another when a run begins."""
    return field.metadata["auto"] and value in (AUTO, "auto")


def check_value(field, value, model=""):
    """Refuses a value that a setting may not have.

    Args:
        field: of the setting, made by `setting`.
        value: anything.
        model: name of the model, for the message about choices.

    Raises:
        VsaTfError: it is of another type, or not allowed.
    """
    limits, kind = field.metadata, field.type
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or isinstance(value, bool) != (kind is bool):
        raise VsaTfError(
            f"Expected --{field.name} of type {kind.__name__}. Received: --{field.name}={value!r}"
        )
    if kind is float and not math.isfinite(value):
        raise VsaTfError(f"Expected --{field.name} to be finite. Received: --{field.name}={value}")
    if limits["choices"] and not any(_is_choice(value, each) for each in limits["choices"]):
        raise VsaTfError(
            f"Expected --{field.name} of --model={model} to be one of "
            f"{', '.join(limits['choices'])}. Received: {value}"
            f"{meant(value, limits['choices'], otherwise='')}"
        )
    if limits["auto"] and value == AUTO:
        return
    for bound, is_outside in (("minimum", float.__lt__), ("maximum", float.__gt__)):
        if limits[bound] is not None and is_outside(float(value), float(limits[bound])):
            raise VsaTfError(
                f"Expected --{field.name} with a {bound} of {limits[bound]}. "
                f"Received: --{field.name}={value}"
            )


def _is_choice(value, choice):
    name, colon, _ = choice.partition(":")
    return value.startswith(name + colon) if colon else value == choice


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """What every model has: word vectors, and a CNN where records hold pixels.

    Attributes:
        family: `alignment`, `captioning` or `two_branch`: the folder of the model, and what
            chooses its evaluator, its answers and its pages.
        signatures: names of what the model answers, the main one first.
    """

    family: ClassVar[str] = ""
    shared_defaults: ClassVar[dict] = {}
    # What earlier versions did that had no setting for it.
    earlier: ClassVar[dict] = {}
    # Batch size and epochs that suit the 30,000 captions of Flickr8K.
    flickr8k: ClassVar[dict] = {"batch_size": 128, "num_epochs": 12}
    # What some models have as settings, for all others.
    initialize_bias: ClassVar[bool] = False
    num_neighbors: ClassVar[int] = 1
    # Whether the loss is the sum over a batch's pairs, as the paper has it, not their mean.
    sums_pairs: ClassVar[bool] = False

    word_embedding_size: int = setting(
        300, "Width of the word table, or of word vectors.", minimum=1
    )
    word_vectors: str = setting(
        "",
        "Where words start: a text file (word2vec, GloVe or fastText), or wordllama.",
        of_network=False,
    )
    train_word_vectors: bool = setting(True, "Train the word table.")
    crop_size: int = setting(
        32, "Pixels of a region crop where a CNN is trained.", minimum=8, of_network=False
    )
    cnn: str = setting(
        "small",
        "The CNN that is trained: small, or keras:NAME of keras.applications.",
        of_network=False,
    )
    cnn_weights: str = setting(
        "",
        "Start of --cnn=keras:NAME: imagenet, a weights file, or empty for random.",
        of_network=False,
    )

    @classmethod
    def defaults(cls, given):
        """Returns the defaults that are not those of the fields, a dict.

        Args:
            given: dict of the settings that are given.
        """
        defaults = dict(cls.shared_defaults)
        if given.get("word_vectors") == "wordllama":
            defaults["word_embedding_size"] = _WORDLLAMA_SIZE
        return defaults

    @property
    def signatures(self):
        raise NotImplementedError

    @property
    def reads_sentence_features(self):
        """Whether the model reads a fixed feature of each sentence, not its tokens."""
        return False

    @property
    def reads_dependencies(self):
        """Whether the model reads dependency relations of each sentence, not its tokens."""
        return False

    @property
    def contrasts_images(self):
        """Whether the model learns by telling a sentence's image from the other images."""
        return False

    @property
    def pairs_phrases(self):
        """Whether the model pairs regions with phrases, not images with sentences."""
        return False

    @property
    def searches_regions(self):
        """Whether a snippet of text finds the best among the regions of many images."""
        return False

    @property
    def captions_regions(self):
        """Whether the model captions regions, from snippets: inferred, or people's descriptions."""
        return False

    @property
    def reads_descriptions(self):
        """Whether the snippets are the phrases with boxes of the records themselves."""
        return False

    def shares_of_run(self, num_epochs):
        """Returns what `AUTO` of the model's settings is in a run of so many epochs, a dict."""
        return {}

    def network(self, steps_per_epoch=1, num_epochs=1):
        """Returns the constructor arguments of the model that are settings, a dict.

        They bear the settings' names; what is counted in epochs here is in steps there.

        Args:
            steps_per_epoch, num_epochs: of the run.
        """
        fields = dataclasses.fields(self)
        return {
            field.name: getattr(self, field.name)
            for field in fields
            if field.metadata["of_network"]
        }

    def check_read(self, name, is_read, where):
        """Refuses a setting that is no longer its default where nothing reads it.

        Args:
            name: of the setting.
            is_read: whether something does.
            where: the settings with which it does.
        """
        field_default = getattr(type(self), name)
        defaults = field_default, self.defaults(vars(self)).get(name, field_default)
        if not is_read and getattr(self, name) not in defaults:
            raise VsaTfError(f"--{name} has no meaning without {where}; leave it out")

    def check_word_vectors(self):
        """Raises VsaTfError where what words start from is not there."""
        if self.word_vectors == "wordllama":
            if importlib.util.find_spec("wordllama") is None:
                raise VsaTfError(
                    "--word_vectors=wordllama needs the package: pip install 'vsa_tf[wordllama]' "
                    "brings it"
                )
        elif self.word_vectors and not pathlib.Path(self.word_vectors).is_file():
            near = meant(self.word_vectors, ("wordllama",), otherwise="")
            raise VsaTfError(f"--word_vectors={self.word_vectors} is not a file{near}")

    def check(self, data):
        """Raises VsaTfError for settings that contradict one another or `DataSettings`."""
        if self.word_vectors == "wordllama" and self.word_embedding_size != _WORDLLAMA_SIZE:
            raise VsaTfError(
                f"--word_vectors=wordllama: expected --word_embedding_size={_WORDLLAMA_SIZE}. "
                f"Received: --word_embedding_size={self.word_embedding_size}"
            )
        if not self.train_word_vectors and not self.word_vectors:
            raise VsaTfError(
                "--train_word_vectors=False needs --word_vectors: nothing would be learnt"
            )
        if self.cnn != "small" and not self.cnn.startswith("keras:"):
            raise VsaTfError(
                f"Expected --cnn=small or --cnn=keras:NAME. Received: --cnn={self.cnn}"
            )


@dataclasses.dataclass(frozen=True)
class TaughtSettings:
    """What models have that learn from trained ones, too; a mixin.

    Attributes:
        teaching: which models can teach, for messages.
    """

    teaching: ClassVar[str] = ""

    teachers: str = setting(
        "",
        "model_dirs of trained models, commas between, that teach it (docs/models.md).",
        of_network=False,
    )

    @property
    def teacher_dirs(self):
        """The model directories of `teachers`, a list."""
        return [each.strip() for each in self.teachers.split(",")] if self.teachers else []

    def can_learn_from(self, name, network):
        """Returns whether a model of that name and these `NetworkSettings` can teach."""
        raise NotImplementedError

    def check(self, data):
        super().check(data)
        given = self.teacher_dirs
        if not all(given) or len({*map(os.path.realpath, given)}) < len(given):
            raise VsaTfError(
                "Expected --teachers=DIR,DIR and so on, each once. Received: "
                f"--teachers={self.teachers}"
            )


@dataclasses.dataclass(frozen=True)
class DistilledSettings(TaughtSettings):
    """What models have that also learn how trained models score the pairs of a batch; a mixin."""

    teaching: ClassVar[str] = (
        "models of --model=alignment, defrag or embedding, of photographs and sentences"
    )

    teacher_weight: float = setting(
        0.5, "Share of --teachers in the loss.", minimum=0.0, maximum=1.0
    )
    teacher_temperature: float = setting(
        0.6,
        "Divides their scores, in standard deviations of a batch's.",
        minimum=0.01,
        of_network=False,
    )

    def can_learn_from(self, name, network):
        # A similarity network has no vectors: it would run over all pairs of every batch.
        return network.contrasts_images and name != "similarity"

    def check(self, data):
        super().check(data)
        for name in ("teacher_weight", "teacher_temperature"):
            self.check_read(name, self.teachers, "--teachers")
        if self.teachers and not (self.contrasts_images and self.negatives == "softmax"):
            raise VsaTfError(
                "--teachers score photographs and sentences, for cross entropy: they need "
                "--negatives=softmax, and no --task=region_phrase"
            )
