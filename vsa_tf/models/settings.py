"""Settings that every model has; a class of `vsa_tf.models.captioning.settings` adds each model's own.

A class's `shared_defaults` are what its paper says of flags that all models share.
"""

import dataclasses
import pathlib
from typing import ClassVar

from vsa_tf.program import ProgramError


def setting(default, help, choices=None, minimum=None, maximum=None):
    """Declares one setting: its default, a line of help, and what it may be."""
    return dataclasses.field(
        default=default,
        metadata={"help": help, "choices": choices, "minimum": minimum, "maximum": maximum},
    )


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """What every model has: word vectors, and a CNN where records hold pixels."""

    shared_defaults: ClassVar[dict] = {}

    word_embedding_size: int = setting(300, "Width of the word table.", minimum=1)
    word_vectors: str = setting(
        "", "Text file of word vectors (word2vec, GloVe or fastText) for the word table."
    )
    train_word_vectors: bool = setting(True, "Train the word table.")
    crop_size: int = setting(32, "Pixels of a region crop where a CNN is trained.", minimum=8)
    cnn: str = setting(
        "small", "The CNN that is trained: small, or keras:NAME of keras.applications."
    )
    cnn_weights: str = setting(
        "", "Start of --cnn=keras:NAME: imagenet, a weights file, or empty for random."
    )

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

    def check(self, data):
        """Raises ProgramError for settings that contradict one another or `DataSettings`."""
        if self.word_vectors and not pathlib.Path(self.word_vectors).is_file():
            raise ProgramError(f"--word_vectors={self.word_vectors} is not a file")
        if not self.train_word_vectors and not self.word_vectors:
            raise ProgramError(
                "--notrain_word_vectors needs --word_vectors: nothing would be learnt"
            )
        if self.cnn != "small" and not self.cnn.startswith("keras:"):
            raise ProgramError(
                f"Expected --cnn=small or --cnn=keras:NAME. Received: --cnn={self.cnn}"
            )
