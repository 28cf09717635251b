"""One record, decoded and checked, and what people marked in its image."""

import array
import collections.abc
import dataclasses
import functools
import itertools
import sys

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from vsa_tf.data import schema

_FEATURE_DTYPE = np.dtype("<f2")
_EXPONENT_BITS = np.uint16(0x7C00)
# One object for all boxes of a class.
_object_class = functools.cache(schema.ObjectClass)


@dataclasses.dataclass(frozen=True, slots=True)
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
    >>> annotated_chains([schema.AnnotatedBox(*box) for box in boxes])[0]
    AnnotatedChain(name='2', box=(0.0, 0.0, 0.75, 0.5))
    """
    boxes = {}
    for item in objects:
        boxes.setdefault(item.chain, []).append(item.box)
    return tuple(AnnotatedChain(name, _union(own)) for name, own in boxes.items())


def _union(boxes):
    if len(boxes) == 1:  # The box itself takes no memory again.
        return tuple(boxes[0])
    ymin, xmin, ymax, xmax = zip(*boxes)
    return min(ymin), min(xmin), max(ymax), max(xmax)


class CaptionRelations(collections.abc.Sequence):
    """The dependency relations of many captions in little memory: 12 bytes each.

    The words are the same few thousand in every caption: each is kept once. As tuples, the
    relations of ten words would take a kilobyte.

    Example:

    >>> relations = CaptionRelations()
    >>> relations.extend([(("det", "dog", "a"), ("amod", "dog", "red")), ()])
    >>> list(relations)
    [(('det', 'dog', 'a'), ('amod', 'dog', 'red')), ()]
    """

    def __init__(self):
        self._ids = {}
        self._words = []
        self._packed = array.array("i")
        self._ends = array.array("q", [0])

    def extend(self, captions):
        """Adds captions: for each its `(relation, head, dependent)`, str."""
        for relations in captions:
            for word in itertools.chain.from_iterable(relations):
                number = self._ids.setdefault(word, len(self._words))
                if number == len(self._words):
                    self._words.append(word)
                self._packed.append(number)
            self._ends.append(len(self._packed))

    def __len__(self):
        return len(self._ends) - 1

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # from the end, too; or an IndexError
        words = [
            self._words[number] for number in self._packed[slice(*self._ends[index : index + 2])]
        ]
        return tuple(zip(*(words[place::3] for place in range(3))))


@dataclasses.dataclass(frozen=True, eq=False)
class ParsedRecord:
    """The contents of one serialised `tf.train.Example`, of r regions and c annotated chains.

    Attributes:
        source_id: identity of the image.
        filename: name of the image file.
        captions: the sentences as written.
        height: pixels.
        width: pixels.
        region_boxes: float32 [r, 4], normalised `ymin, xmin, ymax, xmax`.
        region_scores: float32 [r].
        region_features: float16 [r, D], read-only; D = 0 when none are stored.
        encoded_image: bytes, empty when not stored.
        objects: tuple of `schema.AnnotatedBox`; all are of class `THING` where none is stored.
        phrases: tuple of `schema.AnnotatedPhrase`.
        chains: tuple of `AnnotatedChain`, those of the objects.
        chain_features: float16 [c, D], read-only; D = 0 when none are stored.
        dependencies: for each caption its dependency relations, tuples of `(relation, head,
            dependent)`; empty where there are none.
    """

    source_id: str
    filename: str
    captions: tuple[str, ...]
    height: int
    width: int
    region_boxes: np.ndarray
    region_scores: np.ndarray
    region_features: np.ndarray
    encoded_image: bytes
    objects: tuple[schema.AnnotatedBox, ...]
    phrases: tuple[schema.AnnotatedPhrase, ...]
    chains: tuple[AnnotatedChain, ...]
    chain_features: np.ndarray
    dependencies: tuple[tuple[tuple[str, str, str], ...], ...]

    @classmethod
    def parse(cls, serialized, num_regions, region_feature_size, object_features=False):
        """Decodes a record and checks it against what the data set says of itself.

        Args:
            serialized: bytes of a `tf.train.Example`.
            num_regions: most regions a record may hold.
            region_feature_size: numbers in a region's feature; 0 when none are stored.
            object_features: whether features of the annotated chains are stored as well.

        Returns:
            A `ParsedRecord`.

        Raises:
            ValueError: the bytes are no Example, or its parts do not fit together.
        """
        try:
            features = tf.train.Example.FromString(serialized).features.feature
        except DecodeError as error:
            raise ValueError("bytes that are not a tf.train.Example") from error
        captions = _texts(features, schema.CAPTION_RAW)
        boxes = _boxes(features, schema.REGION_BOX)
        if not 1 <= len(boxes) <= num_regions:
            raise ValueError(f"{len(boxes)} regions where 1 to {num_regions} are allowed")
        scores = np.asarray(_values(features, schema.REGION_SCORE, "float_list"), np.float32)
        if scores.size == 0:
            scores = np.zeros([len(boxes)], np.float32)
        if scores.size != len(boxes):
            raise ValueError(f"{scores.size} region scores for {len(boxes)} regions")
        objects = _objects(features)
        chains = annotated_chains(objects)
        return cls(
            source_id=_single_text(features, schema.IMAGE_SOURCE_ID),
            filename=_single_text(features, schema.IMAGE_FILENAME),
            captions=captions,
            height=_single(features, schema.IMAGE_HEIGHT, "int64_list", 0),
            width=_single(features, schema.IMAGE_WIDTH, "int64_list", 0),
            region_boxes=boxes,
            region_scores=scores,
            region_features=_features(
                features, schema.REGION_FEATURE, len(boxes), region_feature_size
            ),
            encoded_image=_single(features, schema.IMAGE_ENCODED, "bytes_list", b""),
            objects=objects,
            phrases=_phrases(features, len(captions)),
            chains=chains,
            chain_features=_features(
                features,
                schema.OBJECT_CHAIN_FEATURE,
                len(chains),
                region_feature_size if object_features else 0,
            ),
            dependencies=_dependencies(features, len(captions)),
        )


def _values(features, key, kind):
    # Reading a missing key of a protocol buffer's map would add it.
    return getattr(features[key], kind).value if key in features else ()


def _single(features, key, kind, default):
    values = _values(features, key, kind)
    if len(values) > 1:
        raise ValueError(f"{len(values)} values of {key} where one is allowed")
    return values[0] if len(values) else default


def _texts(features, key):
    try:
        return tuple(value.decode("utf-8") for value in _values(features, key, "bytes_list"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{key} that is not UTF-8") from error


def _names(features, key):
    """Texts of which many are the same: each is kept once."""
    return tuple(map(sys.intern, _texts(features, key)))


def _single_text(features, key):
    texts = _texts(features, key)
    if len(texts) != 1:
        raise ValueError(f"{len(texts)} values of {key} where one is needed")
    return texts[0]


def _boxes(features, keys):
    columns = [np.asarray(_values(features, key, "float_list"), np.float32) for key in keys]
    if len({column.size for column in columns}) != 1:
        raise ValueError(f"{[column.size for column in columns]} values of {list(keys)}")
    boxes = np.stack(columns, axis=1)
    if not np.isfinite(boxes).all():
        raise _not_finite(f"box of {keys[0].rsplit('/', 1)[0]}", features)
    return boxes


def _features(features, key, count, size):
    if size == 0:
        return np.zeros([count, 0], _FEATURE_DTYPE)
    data = _single(features, key, "bytes_list", b"")
    if len(data) != count * size * _FEATURE_DTYPE.itemsize:
        raise ValueError(
            f"{len(data)} bytes of {key} where {count} features of {size} float16 take "
            f"{count * size * _FEATURE_DTYPE.itemsize}"
        )
    # Infinities and NaNs are the numbers whose exponent bits are all set.
    bits = np.frombuffer(data, "<u2")
    if ((bits & _EXPONENT_BITS) == _EXPONENT_BITS).any():
        raise _not_finite(key, features)
    return np.frombuffer(data, _FEATURE_DTYPE).reshape(count, size)


def _not_finite(what, features):
    name = _single_text(features, schema.IMAGE_FILENAME)
    return ValueError(f"a {what} that is not finite, of photograph {name!r}")


def _objects(features):
    boxes = _boxes(features, schema.OBJECT_BOX)
    chains = _names(features, schema.OBJECT_CHAIN)
    if len(chains) != len(boxes):
        raise ValueError(f"{len(chains)} values of {schema.OBJECT_CHAIN} for {len(boxes)} boxes")
    labels = _values(features, schema.OBJECT_CLASS_LABEL, "int64_list")
    names = _texts(features, schema.OBJECT_CLASS_TEXT)
    if {len(labels), len(names)} not in ({0}, {len(boxes)}):
        raise ValueError(f"{len(labels)} labels and {len(names)} classes of {len(boxes)} boxes")
    classes = map(_object_class, labels, names) if names else [schema.THING] * len(boxes)
    return tuple(
        schema.AnnotatedBox(chain, tuple(box), own)
        for chain, box, own in zip(chains, boxes.tolist(), classes, strict=True)
    )


def _phrases(features, num_captions):
    numbers = [
        list(_values(features, key, "int64_list"))
        for key in (schema.PHRASE_CAPTION_INDEX, schema.PHRASE_FIRST_WORD, schema.PHRASE_NUM_WORDS)
    ]
    texts = [_names(features, key) for key in (schema.PHRASE_CHAIN, schema.PHRASE_TYPE)]
    columns = numbers + texts
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"{[len(column) for column in columns]} values of the caption/phrase keys")
    phrases = tuple(schema.AnnotatedPhrase(*row) for row in zip(*columns, strict=True))
    for phrase in phrases:
        if not 0 <= phrase.caption_index < num_captions:
            raise ValueError(
                f"a phrase of caption {phrase.caption_index} where there are {num_captions}"
            )
    return phrases


def _dependencies(features, num_captions):
    indices = list(_values(features, schema.DEPENDENCY_CAPTION_INDEX, "int64_list"))
    texts = [
        _texts(features, key)
        for key in (schema.DEPENDENCY_RELATION, schema.DEPENDENCY_HEAD, schema.DEPENDENCY_DEPENDENT)
    ]
    if {len(column) for column in texts} != {len(indices)}:
        raise ValueError(
            f"{[len(indices), *map(len, texts)]} values of the caption/dependency keys"
        )
    relations = [[] for _ in range(num_captions)]
    for index, *relation in zip(indices, *texts, strict=True):
        if not 0 <= index < num_captions:
            raise ValueError(f"a dependency of caption {index} where there are {num_captions}")
        relations[index].append(tuple(relation))
    return tuple(map(tuple, relations))
