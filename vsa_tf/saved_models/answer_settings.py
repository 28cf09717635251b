"""How a model answers, where its training does not say."""

import dataclasses


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
