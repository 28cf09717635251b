"""Names of the record keys and files, boxes and phrases: what writer, reader and server share.

A record is a `tf.train.Example`. Key names follow the TensorFlow object-detection records where
such a key exists. Boxes are normalised `ymin, xmin, ymax, xmax` in 0..1; features are
little-endian float16; text is UTF-8.
"""

import dataclasses

# Raised whenever a reader of the old layout would misread the new one.
SCHEMA_VERSION = 1

DATASET_INFO = "dataset_info.json"

IMAGE_SOURCE_ID = "image/source_id"
IMAGE_FILENAME = "image/filename"
IMAGE_ENCODED = "image/encoded"
IMAGE_FORMAT = "image/format"
IMAGE_HEIGHT = "image/height"
IMAGE_WIDTH = "image/width"
IMAGE_FEATURE = "image/feature"

# Region 0 is the whole frame; its feature equals `image/feature`.
REGION_YMIN = "image/region/bbox/ymin"
REGION_XMIN = "image/region/bbox/xmin"
REGION_YMAX = "image/region/bbox/ymax"
REGION_XMAX = "image/region/bbox/xmax"
REGION_BOX = (REGION_YMIN, REGION_XMIN, REGION_YMAX, REGION_XMAX)
REGION_SCORE = "image/region/score"
REGION_FEATURE = "image/region/feature"

OBJECT_YMIN = "image/object/bbox/ymin"
OBJECT_XMIN = "image/object/bbox/xmin"
OBJECT_YMAX = "image/object/bbox/ymax"
OBJECT_XMAX = "image/object/bbox/xmax"
OBJECT_BOX = (OBJECT_YMIN, OBJECT_XMIN, OBJECT_YMAX, OBJECT_XMAX)
OBJECT_CHAIN = "image/object/chain"
# For detectors that Model Garden trains, exports, and records written of these again.
OBJECT_CLASS_LABEL = "image/object/class/label"
OBJECT_CLASS_TEXT = "image/object/class/text"
# Of the smallest box around each chain's boxes, chains in the order of their first objects.
OBJECT_CHAIN_FEATURE = "image/object/chain_feature"

CAPTION_RAW = "caption/raw"

# Word positions count the space-separated words of the raw caption.
PHRASE_CAPTION_INDEX = "caption/phrase/caption_index"
PHRASE_FIRST_WORD = "caption/phrase/first_word"
PHRASE_NUM_WORDS = "caption/phrase/num_words"
PHRASE_CHAIN = "caption/phrase/chain"
PHRASE_TYPE = "caption/phrase/type"

DEPENDENCY_CAPTION_INDEX = "caption/dependency/caption_index"
DEPENDENCY_RELATION = "caption/dependency/relation"
DEPENDENCY_HEAD = "caption/dependency/head"
DEPENDENCY_DEPENDENT = "caption/dependency/dependent"


def shard_name(split, index, count):
    """Returns the file name of shard `index` of `count`, e.g. `train-00000-of-00012.tfrecord`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


@dataclasses.dataclass(frozen=True)
class ObjectClass:
    """What detectors that are trained on the records call a box.

    Attributes:
        label: its number, from 1: the same in all records of a data set.
        name: its name.
    """

    label: int
    name: str


# Of what is in a box, nothing is known.
THING = ObjectClass(1, "thing")


@dataclasses.dataclass(frozen=True, slots=True)
class AnnotatedBox:
    """A box of one coreference chain, normalised `(ymin, xmin, ymax, xmax)`, and its class."""

    chain: str
    box: tuple[float, float, float, float]
    object_class: ObjectClass = THING


@dataclasses.dataclass(frozen=True, slots=True)
class AnnotatedPhrase:
    """An entity mention: a run of space-separated words of one caption.

    Attributes:
        caption_index: which caption of its image, from 0.
        first_word: position of the first word in `caption.split()`.
        num_words: number of words.
        chain: coreference chain; the boxes of the same chain show what the phrase means.
        type: entity type(s), joined by `/`, e.g. `people` or `clothing/other`.
    """

    caption_index: int
    first_word: int
    num_words: int
    chain: str
    type: str
