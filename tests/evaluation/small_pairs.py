"""Small splits for two-branch networks, whose sentence features are given."""

import numpy as np

from tests.data import small_records
from vsa_tf.data import schema
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.data.phrase_regions import PhraseRegions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.record_views import PhraseRecords
from vsa_tf.model_dir.load_split import SplitData
from vsa_tf.models.two_branch.embedding_network import EmbeddingNetwork
from vsa_tf.settings import DataSettings
from vsa_tf.text.vocabulary import Vocabulary

# A phrase's box; regions of this box and of the opposite one lie beside the whole frame.
TRUE_BOX, OTHER_BOX = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
BOXES = np.float32([(0, 0, 1, 1), TRUE_BOX, OTHER_BOX])


class GivenFeature:
    """A sentence feature: the row of a table that the sentence's first word names, `s3` row 3."""

    words = ()

    def __init__(self, table):
        self.table = np.asarray(table)
        self.dimension = self.table.shape[1]

    def transform(self, sentences):
        return self.table[[int(words[0][1:]) for words in sentences]]


def load_pairs(data_dir, frames, table, image_of_sentence, split="train"):
    """Writes records of whole frames and returns their `SplitData`.

    Args:
        data_dir: an existing directory.
        frames: float `[N, 4]`, the features of the frames.
        table: float `[M, T]`, the features of the sentences; sentence m reads `s<m>`.
        image_of_sentence: int `[M]`, ascending.
        split: name.
    """

    def edit(image, values):
        values[schema.CAPTION_RAW] = [
            f"s{sentence}" for sentence in np.flatnonzero(np.equal(image_of_sentence, image))
        ]
        _set_regions(values, BOXES[:1], frames[image][None])
        _set_phrases(values, 0)

    records = _write(data_dir, len(frames), split, edit)
    return SplitData.load(records, _text(table), DataSettings())


def load_phrases(
    data_dir,
    features,
    chain_features,
    table,
    has_proposal=None,
    object_features=True,
    split="train",
):
    """Writes records of an image with one phrase each and returns their `SplitData`.

    Args:
        data_dir: an existing directory.
        features: float `[N, 3, 4]`, of the regions `BOXES`.
        chain_features: float `[N, 4]`, of the phrases' annotated boxes, `TRUE_BOX`.
        table: float `[N, T]`, the features of the phrases.
        has_proposal: bool `[N]`, whether the image has the regions beside the frame; None: all.
        object_features: whether the records hold `chain_features`.
        split: name.
    """

    def edit(image, values):
        values[schema.CAPTION_RAW] = [f"s{image}"]
        count = 3 if has_proposal is None or has_proposal[image] else 1
        _set_regions(values, BOXES[:count], features[image][:count])
        for key, value in zip(schema.OBJECT_BOX, TRUE_BOX):
            values[key] = [value]
        if object_features:
            values[schema.OBJECT_CHAIN_FEATURE] = [chain_features[image].astype("<f2").tobytes()]
        _set_phrases(values, 1)

    records = PhraseRecords(_write(data_dir, len(features), split, edit, object_features))
    regions = PhraseRegions(records, num_negatives=1)
    return SplitData.load(records, _text(table), DataSettings(), regions)


def make_network(task="image_sentence", **settings):
    """Returns an `EmbeddingNetwork` without weights: for what its branches read."""
    plain = {"regions_context": False, "feature_normalization": "none"}
    return EmbeddingNetwork(task=task, joint_size=3, **{**plain, **settings})


def _write(data_dir, num_images, split, edit, object_features=False):
    small_records.write_records(
        data_dir, num_images, num_shards=1, split=split, object_features=object_features, edit=edit
    )
    return RecordSplit(data_dir, split)


def _text(table):
    vocabulary = Vocabulary.from_sentences([[f"s{row}" for row in range(len(table))]], 1)
    return CaptionText(vocabulary, "word", GivenFeature(table))


def _set_regions(values, boxes, features):
    for axis, key in enumerate(schema.REGION_BOX):
        values[key] = boxes[:, axis].tolist()
    values[schema.REGION_SCORE] = [1.0] * len(boxes)
    values[schema.REGION_FEATURE] = [np.asarray(features).astype("<f2").tobytes()]


def _set_phrases(values, count):
    """Leaves the record one phrase, the first word of the first caption, or none."""
    values[schema.PHRASE_CAPTION_INDEX] = [0] * count
    for key in (
        schema.PHRASE_FIRST_WORD,
        schema.PHRASE_NUM_WORDS,
        schema.PHRASE_CHAIN,
        schema.PHRASE_TYPE,
    ):
        values[key] = values[key][:count]
