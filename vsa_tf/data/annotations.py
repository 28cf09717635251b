"""What people marked in an image: boxes of coreference chains, and the phrases that name them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class AnnotatedObject:
    """A box of one coreference chain, normalised `(ymin, xmin, ymax, xmax)`."""

    chain: str
    box: tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class AnnotatedChain:
    """A coreference chain with boxes, and the smallest box around them: what its phrases mean.

    Attributes:
        name: the chain.
        box: normalised `(ymin, xmin, ymax, xmax)`.
    """

    name: str
    box: tuple[float, float, float, float]


def annotated_chains(objects):
    """Gathers the objects of an image by chain.

    Args:
        objects: sequence of things with a `chain` and a `box`; a chain may have several.

    Returns:
        Tuple of `AnnotatedChain` in the order of their first objects, which is that of their
        features in a record.

    Example:

    >>> boxes = [("2", (0.0, 0.25, 0.5, 0.5)), ("1", (0, 0, 1, 1)), ("2", (0.25, 0.0, 0.75, 0.5))]
    >>> annotated_chains([AnnotatedObject(*box) for box in boxes])[0]
    AnnotatedChain(name='2', box=(0.0, 0.0, 0.75, 0.5))
    """
    boxes = {}
    for item in objects:
        boxes.setdefault(item.chain, []).append(item.box)
    return tuple(AnnotatedChain(name, _union(own)) for name, own in boxes.items())


def _union(boxes):
    ymin, xmin, ymax, xmax = zip(*boxes)
    return min(ymin), min(xmin), max(ymax), max(xmax)


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
