"""The order in which a run sees its captions."""

import numpy as np

from vsa_tf.data.batch_plan import BatchPlan, NeighborhoodPlan, choose_bucket_widths
from vsa_tf.program import ProgramError


def make_plan(settings, train):
    """Returns the plan of a run: with several texts of an image a batch, if the model asks for it.

    Args:
        settings: `Settings`.
        train: `SplitData` of the training split.

    Raises:
        ProgramError: the split cannot fill a batch that the model learns from.
    """
    # A sentence without fragments has a row, too.
    lengths, records = np.maximum(train.tokens.lengths, 1), train.records
    if settings.model.contrasts_images and records.num_images < 2:
        raise ProgramError(
            f"--model={settings.training.model} learns by telling photographs apart: expected two "
            f"or more in split {records.split}. Received: {records.num_images}"
        )
    seed, num_neighbors = settings.training.seed, getattr(settings.model, "num_neighbors", 1)
    if num_neighbors > 1:
        of_phrases = settings.model.task == "region_phrase"
        groups = records.phrase_chains if of_phrases else records.image_of_caption
        try:
            return NeighborhoodPlan(
                lengths, groups, settings.data.batch_size, num_neighbors, seed=seed
            )
        except ValueError as error:
            raise ProgramError(f"--batch_size, --num_neighbors: {error}") from error
    # Sentence features have one length, whatever the sentence's.
    num_buckets = 1 if train.text.sentence_feature else settings.data.num_buckets
    return BatchPlan(
        lengths,
        records.image_of_caption,
        settings.data.batch_size,
        bucket_boundaries=choose_bucket_widths(lengths, num_buckets),
        seed=seed,
    )
