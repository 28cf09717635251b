"""What every source yields: one photograph, or its features, with its sentences and annotations."""

import dataclasses
from collections.abc import Callable

import numpy as np

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Phrase:
    """An entity mention: a run of space-separated words of one caption.

    Attributes:
        caption_index: which caption of the image, from 0.
        first_word: position of the first word in `caption.split()`.
        num_words: number of words.
        chain: coreference chain; boxes of the same chain show what the phrase means.
        type: entity type(s), joined by `/`, e.g. `people` or `clothing/other`.
    """

    caption_index: int
    first_word: int
    num_words: int
    chain: str
    type: str


@dataclasses.dataclass(frozen=True)
class AnnotatedBox:
    """A box of one coreference chain, normalised `(ymin, xmin, ymax, xmax)`."""

    chain: str
    box: Box


@dataclasses.dataclass(frozen=True)
class SourceExample:
    """One photograph as a data set describes it.

    Attributes:
        source_id: unique in the data set, stable between runs.
        filename: name of the image file, as users know it.
        captions: the sentences as written.
        read_image: returns the encoded image; raises `OSError` when it cannot be read. None where
            the data set brings features in its place.
        objects: annotated boxes.
        phrases: entity mentions of the captions.
        proposals: region proposals that come with the data set (`--detector=proposals`).
        proposal_scores: one score a proposal.
        read_features: returns float32 `[R, D]`, features of the whole frame and of R - 1 regions
            whose boxes are not known; None where there is a photograph.
        dependencies: for each caption its dependency relations, tuples of `(relation, head,
            dependent)`; empty where captions are not parsed.
    """

    source_id: str
    filename: str
    captions: tuple[str, ...]
    read_image: Callable[[], bytes] | None = None
    objects: tuple[AnnotatedBox, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    proposals: tuple[Box, ...] = ()
    proposal_scores: tuple[float, ...] = ()
    read_features: Callable[[], np.ndarray] | None = None
    dependencies: tuple[tuple[tuple[str, str, str], ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Skip:
    """Something that was left out, and why: counted and listed in `dataset_info.json`.

    Attributes:
        split: name of the split; empty for what is of none.
        source_id: what was left out; empty for several things that are not named.
        reason: why.
        count: of how many things it speaks.
    """

    split: str
    source_id: str
    reason: str
    count: int = 1

    def entry(self):
        """Returns what `dataset_info.json` lists, a dict: `count` where it is not 1."""
        entry = dataclasses.asdict(self)
        if self.count == 1:
            del entry["count"]
        return entry
