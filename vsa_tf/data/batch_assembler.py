"""Batches as numpy arrays: what the models read, before any framework holds it."""

import numpy as np


class BatchAssembler:
    """Puts together batches of images, of sentences, and of pairs.

    n is the number of rows asked for, W the width of a row of tokens, T the size of a sentence
    feature.

    Args:
        record_split: a `RecordSplit`, or anything with its `image_of_caption`.
        token_store: the `TokenStore` or `FragmentStore` of its captions; None where only images are
            read.
        images: the `RegionFeatures` or `Pixels` of its images.
        sentence_features: float16 [M, T] of all captions; None: batches have none.
        phrase_regions: the `PhraseRegions` whose entries take the place of an image's regions in
            the batches of training steps; None: whole images are paired.

    Raises:
        ValueError: the token store is of other captions.
    """

    def __init__(
        self, record_split, token_store, images, sentence_features=None, phrase_regions=None
    ):
        num_captions = len(record_split.image_of_caption)
        if token_store is not None and len(token_store) != num_captions:
            raise ValueError(
                f"Expected the tokens of {num_captions} captions. Received: a token store of "
                f"{len(token_store)}. Make it from the captions of the same split."
            )
        self.record_split = record_split
        self.token_store = token_store
        self.images = images
        self.sentence_features = sentence_features
        self.phrase_regions = phrase_regions

    def image_batch(self, image_indices):
        """Returns a batch of images.

        Args:
            image_indices: int [n].

        Returns:
            dict of the `entries` of `images`; image_id int32 [n].
        """
        image_indices = np.asarray(image_indices, np.int32)
        return {**self.images.entries(image_indices), "image_id": image_indices}

    def sentence_batch(self, caption_indices, width):
        """Returns a batch of sentences.

        Args:
            caption_indices: int [n].
            width: W.

        Returns:
            dict of the store's entries, int32 [n, W]: token_ids, words only, or relations, heads
            and dependents, padded with 0 on the right; image_id int32 [n]; sentence_id int32 [n];
            sentence_features float16 [n, T], if there are any.
        """
        batch = {
            **self.token_store.entries(caption_indices, width),
            "image_id": self.record_split.image_of_caption[caption_indices],
            "sentence_id": np.asarray(caption_indices, np.int32),
        }
        if self.sentence_features is not None:
            batch["sentence_features"] = self.sentence_features[caption_indices]
        return batch

    def pair_batch(self, caption_indices, width):
        """Returns a batch of sentences and their images: the entries of both batches."""
        image_indices = self.record_split.image_of_caption[caption_indices]
        return self.image_batch(image_indices) | self.sentence_batch(caption_indices, width)

    def assemble_batch(self, plan, step):
        """Returns the batch of a training step.

        Args:
            plan: the `BatchPlan` of the split's captions.
            step: from 0, counted through all epochs.

        Returns:
            dict as of `pair_batch`, and of `PhraseRegions.of` if there are any.
        """
        width, caption_indices = plan.batch(step)
        batch = self.pair_batch(caption_indices, width)
        if self.phrase_regions is not None:
            batch |= self.phrase_regions.of(caption_indices, step, batch)
        return batch
