"""The names that a model answers to, what each takes, and how it answers. No TensorFlow here."""

import dataclasses
import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError, meant
from vsa_tf.file_reading import is_count
from vsa_tf.models.alignment.settings import SMOOTHNESS
from vsa_tf.models.network_settings import check_value, setting

SIGNATURE_INPUTS = {
    "embed_image": ("image_bytes",),
    "embed_sentence": ("sentences",),
    "score": ("image_bytes", "sentences"),
    "align": ("image_bytes", "sentences"),
    "localize": ("image_bytes", "phrases"),
    "caption": ("image_bytes",),
    "caption_with": ("image_bytes", "num_beams", "num_captions", "prefixes"),
    "log_prob": ("image_bytes", "sentences"),
}
# The others are strings.
INTEGER_INPUTS = ("num_beams", "num_captions")


@dataclasses.dataclass(frozen=True)
class AnswerSettings:
    """What is fixed when a model is opened or exported.

    Raises:
        VsaTfError: a value is not allowed, or there are more captions than beams.
    """

    beam_size: int = setting(
        7, "Beams of a caption generator; 1: the best word each time.", minimum=1
    )
    num_captions: int = setting(5, "Captions of an image.", minimum=1)
    max_caption_words: int = setting(20, "Longest caption, its end counted.", minimum=1)
    length_normalization: bool = setting(True, "Rank captions by log probability per word.")
    smoothness: float = setting(
        SMOOTHNESS,
        "beta of the chain that cuts a sentence into snippets, in shares of the mean over its "
        "words of their best score.",
        minimum=0.0,
    )
    max_beam_size: int = setting(
        10, "The most beams that a request may ask for, if that is more.", minimum=1
    )
    prefix: str = setting("", "Words that every caption starts with.")
    sample: bool = setting(
        False, "Draw captions at random instead of searching, with what follows."
    )
    temperature: float = setting(1.0, "Below 1 bolder, above 1 freer.", minimum=1e-6)
    top_k: int = setting(0, "Only the k likeliest words; 0: all.", minimum=0)
    top_p: float = setting(
        1.0, "Only the likeliest words that sum to this.", minimum=1e-6, maximum=1.0
    )
    seed: int = setting(0, "Of the draws.", minimum=0)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            check_value(field, getattr(self, field.name))
        if not self.sample and self.num_captions > self.beam_size:
            raise VsaTfError(
                f"--num_captions={self.num_captions} needs as many beams: raise --beam_size, which "
                f"is {self.beam_size}"
            )

    @classmethod
    def of(cls, **given):
        """Makes them from some of their fields: with fewer beams fewer captions, unless said.

        Raises:
            VsaTfError: there is no such field; or see `AnswerSettings`.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in names:
                raise VsaTfError(
                    f"Expected settings of answers, {', '.join(names)}. Received: --{name}"
                    f"{meant(name, names, otherwise='')}"
                )
        captions = {}
        if "num_captions" not in given and given.get("beam_size") in range(1, cls.num_captions):
            captions["num_captions"] = given["beam_size"]
        return cls(**captions, **given)

    def make_decoder(self):
        """Returns the decoder of a caption generator."""
        # They import Keras.
        from vsa_tf.decoding.sampling import GreedySearch, Sampling

        if self.sample:
            return Sampling(
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                num_captions=self.num_captions,
                seed=self.seed,
                max_length=self.max_caption_words,
            )
        if self.beam_size == 1:
            return GreedySearch(max_length=self.max_caption_words)
        return self.make_search(self.beam_size, self.num_captions)

    @property
    def most_beams(self):
        """The most beams that a request may ask for."""
        return max(self.beam_size, self.max_beam_size)

    def make_search(self, beam_size, num_captions):
        """Returns the `BeamSearch` of so many beams and captions."""
        from vsa_tf.decoding.beam_search import BeamSearch  # imports Keras

        return BeamSearch(
            beam_size=beam_size,
            num_captions=num_captions,
            length_normalization=self.length_normalization,
            max_length=self.max_caption_words,
        )


def check_export(settings, backend):
    """Refuses what cannot be exported, before anything is loaded.

    Args:
        settings: the `AnswerSettings`.
        backend: Keras's.

    Raises:
        VsaTfError: answers are drawn, or the backend is another one than TensorFlow.
    """
    if settings.sample:
        raise VsaTfError("--sample goes with a model directory: what is exported answers alike")
    if backend != "tensorflow":
        raise VsaTfError(
            f"A SavedModel is written by TensorFlow: unset KERAS_BACKEND, which is {backend}"
        )


def check_numbers(answers):
    """Returns answers, a dict of arrays. Raises VsaTfError where one is NaN."""
    if any(np.isnan(value).any() for value in answers.values() if value.dtype.kind == "f"):
        raise VsaTfError(
            "the model's answers are not numbers: it has diverged in training, or a feature that "
            "it reads is not finite"
        )
    return answers


def version_path(saved_model):
    """Returns the directory of a SavedModel, a `pathlib.Path`.

    Args:
        saved_model: that directory, or the one above it, whose newest version is taken.

    Raises:
        VsaTfError: there is none.
    """
    path = pathlib.Path(saved_model)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [folder for folder in path.glob("*") if is_count(folder.name)]
    versions = [folder for folder in versions if (folder / "saved_model.pb").is_file()]
    if not versions:
        raise VsaTfError(
            "Expected a directory that vsa_tf.export has written, or a version in it. Received: "
            f"{str(saved_model)!r}, which holds no SavedModel"
        )
    return max(versions, key=lambda folder: int(folder.name))
