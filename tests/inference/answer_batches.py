"""Batches as readers of photographs and sentences give them, and models of chosen scores."""

import numpy as np
from keras import ops

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary

TOKENS = (*SPECIAL_TOKENS, "red", "dog", "##s", "run", "ball")
TEXT = CaptionText(Vocabulary(TOKENS, [0] * len(TOKENS)), "wordpiece")
PAD, END, UNK, RED, DOG, PLURAL, RUN, BALL = 0, 2, 3, 4, 5, 6, 7, 8
# What features hold at padding: it would win if it were looked at.
_NOISE = 99


class GivenScores(AlignmentModel):
    """A model of chosen scores: a region's feature holds its score with each token id."""

    def __init__(self):
        super().__init__(len(TOKENS), len(TOKENS))

    def embed_images(self, batch, training=False):
        return ops.convert_to_tensor(batch["region_features"])

    def embed_sentences(self, batch, training=False):
        return ops.one_hot(batch["token_ids"], len(TOKENS))


def given_scores(token_ids, scores, num_regions=4, num_words=4):
    """Returns a batch for `GivenScores`; padding has the best scores of all.

    Args:
        token_ids: for each row the ids of its words, no id twice.
        scores: for each row a list `[words][regions]`.
        num_regions, num_words: R and W, real and padded.
    """
    size = len(scores)
    batch = {
        "region_features": np.full((size, num_regions, len(TOKENS)), _NOISE, "float32"),
        "region_boxes": np.float32(np.random.default_rng(0).random((size, num_regions, 4)) / 2)
        + np.float32([0, 0, 0.5, 0.5]),
        "region_mask": np.zeros((size, num_regions), bool),
        "token_ids": np.zeros((size, num_words), "int32"),
    }
    for row, (ids, words) in enumerate(zip(token_ids, scores)):
        batch["region_mask"][row, : len(words[0])] = True
        batch["token_ids"][row, : len(ids)] = ids
        for token, word in zip(ids, words):
            batch["region_features"][row, : len(word), token] = word
    return batch


def with_short_rows(batch):
    """Returns a batch whose second image has one region, and the third sentence one word."""
    batch = {name: value.copy() for name, value in batch.items()}
    batch["region_mask"][1, 1:] = False
    if "token_ids" in batch:
        batch["token_ids"][2, 1:] = PAD
    return batch


def questions(batch):
    """Splits a batch into images and sentences as they are read.

    Padding has no box, words have their tokens, and sentences are counted.
    """
    images = {
        name: value
        for name, value in batch.items()
        if name == "images" or name.startswith("region_")
    }
    images["region_boxes"] = images["region_boxes"] * images["region_mask"][..., None]
    names = ("token_ids", "relations", "heads", "dependents", "sentence_features")
    sentences = {name: batch[name] for name in names if name in batch}
    if "token_ids" in batch:
        sentences["num_words"] = (batch["token_ids"] != PAD).sum(axis=1, dtype="int32")
        sentences["tokens"] = np.array(("", *TOKENS[1:]), object)[batch["token_ids"]]
    if "relations" in batch:
        sentences["num_fragments"] = (batch["relations"] != 0).sum(axis=1, dtype="int32")
    return images, sentences


def rows_alone(batch):
    """Yields for each row of images or sentences a batch of it without padding, and its length."""
    names = ("region_mask", "token_ids", "relations")
    is_real = next(batch[name] != 0 for name in names if name in batch)
    for row, length in enumerate(is_real.sum(axis=1)):
        yield (
            {
                # A sentence without relations keeps a column.
                name: value[row : row + 1, : max(length, 1)]
                if value.shape[:2] == is_real.shape
                else value[row : row + 1]
                for name, value in batch.items()
            },
            length,
        )


def vectors_alone(embed, batch):
    """Returns what a model makes of each row alone, a list of float64 `[length, H]`."""
    return [np.array(embed(row), "float64")[0, :length] for row, length in rows_alone(batch)]


def joined(tokens):
    """Returns wordpieces as a text, str."""
    text = ""
    for token in tokens:
        text += token[2:] if text and token.startswith("##") else f" {token}"
    return text.strip()
