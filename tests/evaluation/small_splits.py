"""Small splits with captions of one's own, and caption generators over them."""

import keras

from tests.data import small_records
from tests.vsa_tf_test_case import randomize
from vsa_tf.data import schema
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.model_dir.load_split import SplitData
from vsa_tf.models.captioning.m_rnn import MRnn
from vsa_tf.settings import DataSettings

# Captions of four images; every word but "grass" and "brown" is seen twice or more.
CAPTIONS = (
    ("A dog runs.", "A brown dog runs on grass."),
    ("Two cats sit.", "Two cats sit on a dog."),
    ("A dog sits.", "A dog sits on two cats."),
    ("Cats sit.",),
)


def load_split(data_dir, captions=CAPTIONS, split="train", text=None, images_stored=False):
    """Writes records with these captions and returns their `SplitData`, of whole frames.

    Args:
        data_dir: an existing directory; one split each.
        captions: a sequence of captions for each image.
        split: name.
        text: the `CaptionText`; None learns the words that are seen twice or more.
        images_stored: whether records hold a PNG.
    """

    def edit(image, values):
        values[schema.CAPTION_RAW] = list(captions[image])
        for key in (
            schema.PHRASE_CAPTION_INDEX,
            schema.PHRASE_FIRST_WORD,
            schema.PHRASE_NUM_WORDS,
            schema.PHRASE_CHAIN,
            schema.PHRASE_TYPE,
        ):
            values[key] = []

    small_records.write_records(
        data_dir, len(captions), num_shards=1, split=split, images_stored=images_stored, edit=edit
    )
    records = RecordSplit(data_dir, split)
    settings = DataSettings(min_count=2, num_regions=1)
    text = text or CaptionText.learn(records.captions, settings)
    return SplitData.load(records, text, settings)


def make_captioner(data, variant="m-rnn"):
    """Returns an `MRnn` for `SplitData`, with random weights."""
    keras.utils.set_random_seed(0)
    model = MRnn(
        len(data.text.vocabulary),
        variant,
        word_embedding_size=3,
        recurrent_size=4,
        multimodal_size=6,
        feature_normalization="none",
    )
    batch = next(iter(data.image_batches(2)))
    model({**batch, "token_ids": data.tokens.padded([0, 1], data.tokens.lengths.max())})
    randomize(model)
    return model
