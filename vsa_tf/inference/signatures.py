"""The names that a model answers to, what each takes, and how it answers. No TensorFlow here."""

import dataclasses
import pathlib

from vsa_tf.program import ProgramError

SIGNATURE_INPUTS = {
    "embed_image": ("image_bytes",),
    "embed_sentence": ("sentences",),
    "score": ("image_bytes", "sentences"),
    "align": ("image_bytes", "sentences"),
    "localize": ("image_bytes", "phrases"),
    "caption": ("image_bytes",),
    "log_prob": ("image_bytes", "sentences"),
}


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
    """

    beam_size: int = 7
    num_captions: int = 5
    max_caption_words: int = 20
    length_normalization: bool = False
    smoothness: float = 0.3

    def make_decoder(self):
        """Returns the decoder of a caption generator."""
        from vsa_tf.decoding.beam_search import BeamSearch  # imports TensorFlow

        return BeamSearch(
            beam_size=self.beam_size,
            num_captions=self.num_captions,
            length_normalization=self.length_normalization,
            max_length=self.max_caption_words,
        )


class InputError(ValueError):
    """An image or a text that a model cannot read; the message is the reason."""


def version_path(saved_model):
    """Returns the directory of a SavedModel, a `pathlib.Path`.

    Args:
        saved_model: that directory, or the one above it, whose newest version is taken.

    Raises:
        ProgramError: there is none.
    """
    path = pathlib.Path(saved_model)
    if (path / "saved_model.pb").is_file():
        return path
    versions = [folder for folder in path.glob("*") if folder.name.isdigit()]
    versions = [folder for folder in versions if (folder / "saved_model.pb").is_file()]
    if not versions:
        raise ProgramError(
            "Expected a directory that vsa_tf.export has written, or a version in it. Received: "
            f"{str(saved_model)!r}, which holds no SavedModel"
        )
    return max(versions, key=lambda folder: int(folder.name))
