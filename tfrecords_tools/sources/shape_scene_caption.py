"""A sentence about a shape scene, as it was written."""

import dataclasses

from tfrecords_tools.sources.shape_scene_claims import Claim
from tfrecords_tools.sources.source_example import Phrase


@dataclasses.dataclass(frozen=True)
class Caption:
    """A sentence about a scene with its meaning.

    Attributes:
        text: the words, punctuation separated by spaces.
        phrases: the entity mentions, positions in `text.split()`.
        claims: what it says.
        referents: for each entity of the claims the index of the shape that is meant.
    """

    text: str
    phrases: tuple[Phrase, ...]
    claims: tuple[Claim, ...]
    referents: tuple[int, ...]
