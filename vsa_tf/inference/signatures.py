"""The names that a model answers to, what each takes, and how it answers. No TensorFlow here."""

import dataclasses
import pathlib

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import is_count
from vsa_tf.models.alignment.settings import SMOOTHNESS

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

    Attributes:
        beam_size: beams of a caption generator; 1: the best word each time.
        num_captions: captions of an image.
        max_caption_words: longest caption, its end counted.
        length_normalization: rank captions by log probability per word.
        smoothness: beta of the chain that cuts a sentence into snippets, in shares of the mean
            over its words of their best score.
        max_beam_size: the most beams that a request may ask for, if that is more.
        prefix: words that every caption starts with.
        sample: draw captions at random instead of searching, with these:
        temperature: below 1 bolder, above 1 freer.
        top_k: only the k likeliest words; 0: all.
        top_p: only the likeliest words that sum to this.
        seed: of the draws.

    Raises:
        VsaTfError: more captions than beams.
    """

    beam_size: int = 7
    num_captions: int = 5
    max_caption_words: int = 20
    length_normalization: bool = False
    smoothness: float = SMOOTHNESS
    max_beam_size: int = 10
    prefix: str = ""
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if not self.sample and self.num_captions > self.beam_size:
            raise VsaTfError(
                f"--num_captions={self.num_captions} needs as many beams: raise --beam_size, which "
                f"is {self.beam_size}"
            )

    @classmethod
    def of(cls, **given):
        """Makes them from some of their fields: with fewer beams fewer captions, unless said."""
        beam_size = given.get("beam_size", cls.beam_size)
        return cls(**{"num_captions": min(beam_size, cls.num_captions), **given})

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
        raise VsaTfError("the model's answers are not numbers: it has diverged in training")
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
