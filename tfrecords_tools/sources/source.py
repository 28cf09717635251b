"""What the writer asks of a source, and what every source yields: examples, captions, skips."""

import collections.abc
import dataclasses
import json
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase, ObjectClass

Box = tuple[float, float, float, float]
# What the split of validation is called, by us and by others.
DEV_NAMES = ("dev", "val", "validation", "valid")
# Longer "captions" are paragraphs or damage; the longest of Flickr8K and Flickr30K has 82 words.
MAX_CAPTION_WORDS = 200
# What pandas and others write for a value that is missing.
_MISSING = ("nan", "null", "none", "<na>")


class Source:
    """A data set to be written as records; a source only parses.

    A data set is a subclass: it sets `name`, gives `splits()`, `examples(split)` and
    `checksums()`, and says what else it brings where that is not what stands here.

    Attributes:
        name: the data set's, as `--dataset` takes it.
        official_counts: `{split: number of photographs}` of the whole data set as published.
        feature_size: size of the features that its examples bring; None for photographs alone.
        features_of: who has made these features; empty: the data set.
        layout: `{split: what the rows of its array are}`, of sources of arrays.
        is_parsed: whether its examples bring dependency relations.
        notes: lines on what was read that its user should know, one a subject.
        split_notes: such lines on how the photographs are divided.
        skipped: sequence of `Skip`, what was left out so far: complete once every split's examples
            were read.
    """

    name = ""
    official_counts = {}
    feature_size = None
    features_of = ""
    layout = {}
    is_parsed = False
    notes = ()
    split_notes = ()
    skipped = ()

    def splits(self):
        """Returns the names of the splits that were found."""
        raise NotImplementedError

    def examples(self, split):
        """Yields the `SourceExample`s of a split, always in the same order."""
        raise NotImplementedError

    def example_sequence(self, split):
        """Returns the examples of a split as a sequence, to be divided among shards."""
        return tuple(self.examples(split))

    def caption_numbers(self, example):
        """Returns for each caption of an example its number in the data set's own files, from 0.

        Captions that cannot be used have numbers, too: parses name captions by them.
        """
        return range(len(example.captions))

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        raise NotImplementedError

    def check(self):
        """Refuses what it was made from, once the examples were read and found not to fit it.

        Raises:
            ValueError: saying what does not fit.
        """


class WrappedSource(Source):
    """A source whose examples bring more; all else is the other source's.

    Args:
        source: the `Source`.
    """

    def __init__(self, source):
        self._source = source
        self.name = source.name
        self.official_counts = source.official_counts
        self.feature_size = source.feature_size
        self.features_of = source.features_of
        self.layout = source.layout
        self.notes = source.notes
        self.split_notes = source.split_notes

    @property
    def skipped(self):
        """What the source left out."""
        return list(self._source.skipped)

    def splits(self):
        """Returns the names of the source's splits."""
        return self._source.splits()

    def caption_numbers(self, example):
        """Returns what the source does."""
        return self._source.caption_numbers(example)

    def checksums(self):
        """Returns the SHA-256 of each file that the source has parsed, by name."""
        return self._source.checksums()

    def check(self):
        """Refuses what the source refuses."""
        self._source.check()


def object_classes(named, where):
    """Makes the classes of a data set, whose labels count from 1: 0 is a detector's background.

    Args:
        named: `(label, name)` of every class, in all files; labels of others may count from 0.
        where: what gives the names, as its user knows it.

    Returns:
        A dict of those labels to `ObjectClass`.

    Raises:
        ValueError: a label has several names, so that nobody knows what its boxes are.
    """
    names = {}
    for label, name in sorted(set(named)):
        names.setdefault(label, []).append(name)
    for label, own in names.items():
        if len(own) > 1:
            raise ValueError(
                f"Expected one name of each label in {where}. Received: {label} for "
                f"{', '.join(map(repr, own[:5]))}. Give each class a label of its own"
            )
    shift = max(0, 1 - min(names, default=1))
    return {label: ObjectClass(label + shift, name) for label, (name,) in names.items()}


class GivenRegions(NamedTuple):
    """The regions of a photograph as somebody else has found them.

    Attributes:
        features: float32 `[R, D]`, that of the whole frame first.
        boxes: float32 `[R, 4]`, normalised `ymin, xmin, ymax, xmax`; None: not known.
        size: `(height, width)` of the photograph in pixels; zeros: not known.
    """

    features: np.ndarray
    boxes: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class SourceExample:
    """One photograph as a data set describes it.

    Attributes:
        source_id: unique in the data set, stable between runs.
        filename: name of the image file, as users know it; with its folders where another
            photograph of the data set has the same, see `file_names`.
        captions: the sentences as written.
        read_image: returns the encoded image; raises `OSError` when it cannot be read. None where
            there are features in its place.
        objects: annotated boxes.
        phrases: entity mentions of the captions.
        proposals: region proposals that come with the data set (`--detector=proposals`).
        proposal_scores: one score a proposal.
        read_features: called with the photograph's `(height, width)`, or None, returns
            `GivenRegions`; raises `OSError`, or `ValueError` with the reason why they cannot be
            used. None where there are no features.
        dependencies: for each caption its dependency relations, tuples of `(relation, head,
            dependent)`; empty where captions are not parsed.
        path: of the image file, with its folders; empty where it is known by `filename` alone.
    """

    source_id: str
    filename: str
    captions: tuple[str, ...]
    read_image: Callable[[], bytes] | None = None
    objects: tuple[AnnotatedBox, ...] = ()
    phrases: tuple[AnnotatedPhrase, ...] = ()
    proposals: tuple[Box, ...] = ()
    proposal_scores: tuple[float, ...] = ()
    read_features: Callable[..., GivenRegions] | None = None
    dependencies: tuple[tuple[tuple[str, str, str], ...], ...] = ()
    path: str = ""


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


def read_caption(data):
    """Decodes and checks one caption.

    Args:
        data: the caption, bytes or a string; or what a JSON file has in its place.

    Returns:
        `(text, reason)`: the caption without surrounding space and None, or None and why the
        caption cannot be used.
    """
    if data is None:
        data = b""
    if not isinstance(data, (bytes, str)):
        return None, f"the caption is no text: {shown(data)}"
    if isinstance(data, str):
        # JSON can spell halves of characters, which no UTF-8 holds.
        data = data.encode("utf-8", "surrogatepass")
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return None, f"the caption is not UTF-8 (byte {error.start} of {data[:60]!r})"
    if not text:
        return None, "the caption is empty"
    if text.lower() in _MISSING:
        return None, "the caption is probably missing: it is NaN, null or None alone"
    if not any(character.isalnum() for character in text):
        return None, f"the caption has no word: {text[:60]!r}"
    num_words = len(text.split())
    if num_words > MAX_CAPTION_WORDS:
        return None, f"the caption has {num_words} words (at most {MAX_CAPTION_WORDS})"
    return text, None


def split_name(name):
    """Returns our name of a split as others call it.

    Example:

    >>> [split_name(name) for name in ("Train", "val", "validation", "test", "train_2")]
    ['train', 'dev', 'dev', 'test', 'train_2']
    """
    lower = name.lower()
    if lower in DEV_NAMES:
        return "dev"
    return lower if lower in ("train", "test") else name


def whole_number(value):
    """Returns a number of a file of others as an int, or None where it is none of 64 bits.

    Example:

    >>> [whole_number(value) for value in (7, "7", 7.0, 1.5, True, None, 1e300, "7th")]
    [7, 7, 7, None, None, None, None, None]
    """
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value, re.ASCII):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and -(2**63) <= value < 2**63 else None


# Of one side of a photograph: beyond are NaN, infinity, and whole numbers that no float holds.
MOST_PIXELS = 1e9


def shown(value):
    """Returns the beginning of a JSON value, as a reason shows it."""
    return json.dumps(value)[:60]


@dataclasses.dataclass(frozen=True)
class GeneratedExamples(collections.abc.Sequence):
    """A run of the examples of one split, as small as its bounds wherever it is sent.

    Attributes:
        source: a picklable `Source` with `example(split, index)`.
        split: name of the split.
        indices: range of the examples.

    Example:

    >>> from tfrecords_tools.sources.shape_scenes import ShapeScenes
    >>> examples = GeneratedExamples(ShapeScenes(num_train=9), "train", range(9))[3:5]
    >>> len(examples), examples[0].source_id
    (2, 'train-000003')
    """

    source: object
    split: str
    indices: range

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return dataclasses.replace(self, indices=self.indices[index])
        return self.source.example(self.split, self.indices[index])
