"""What people marked in an image: boxes of coreference chains, and the phrases that name them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class AnnotatedObject:
    """A box of one coreference chain, normalised `(ymin, xmin, ymax, xmax)`."""

    chain: str
    box: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class AnnotatedPhrase:
    """An entity mention: a run of space-separated words of one caption.

    Attributes:
        caption_index: which caption of its image, from 0.
        first_word: position of the first word in `caption.split()`.
        num_words: number of words.
        chain: coreference chain; the boxes of the same chain show what the phrase means.
        type: entity type(s), joined by `/`.
    """

    caption_index: int
    first_word: int
    num_words: int
    chain: str
    type: str
