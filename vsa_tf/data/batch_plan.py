"""Which captions make up each batch of training."""

import functools

import numpy as np

from vsa_tf.data.bucket_widths import choose_bucket_widths


class BatchPlan:
    """The order of training data, a pure function of (seed, epoch, step).

    An epoch has every caption once. It runs through the images in rounds, one caption of each image
    a round, so that two captions of an image seldom share a batch. Captions wait in the bucket of
    the smallest width that holds them; a full bucket is a batch. What is left in the buckets at the
    end makes batches of mixed lengths, of the widest's width, which go between the others at
    random. Only the last batch of an epoch may be smaller, and its width is the largest: there
    are at most `len(widths) + 1` batch shapes.

    Args:
        lengths: int [M], tokens of each caption, each at least 1.
        image_of_caption: int [M].
        batch_size: captions in a batch (B).
        bucket_boundaries: ascending widths, the last at least the longest length. None chooses
            four that leave the least padding.
        seed: whole number of at least 0.

    Attributes:
        batch_size: B.
        widths: tuple of the widths.
        seed: the seed.
        num_captions: M.
        steps_per_epoch: M / B, rounded up.

    Raises:
        ValueError: no captions, or a setting that fits none of the above.

    Example:

    >>> plan = BatchPlan([2, 2, 5, 5], [0, 1, 0, 1], batch_size=2, bucket_boundaries=(2, 5), seed=0)
    >>> sorted((width, sorted(captions.tolist())) for width, captions in plan.batches(epoch=0))
    [(2, [0, 1]), (5, [2, 3])]
    """

    def __init__(self, lengths, image_of_caption, batch_size, bucket_boundaries=None, seed=0):
        self._lengths = np.asarray(lengths, np.int64)
        self._image_of_caption = np.asarray(image_of_caption, np.int64)
        self.batch_size = int(batch_size)
        self.seed = int(seed)
        self._check()
        if bucket_boundaries is None:
            bucket_boundaries = choose_bucket_widths(self._lengths)
        self.widths = _checked_widths(bucket_boundaries, self._lengths.max())
        self._bucket_of_caption = np.searchsorted(self.widths, self._lengths)
        # The last epoch's batches, and one more: reading ahead crosses the border of epochs.
        self._batches = functools.lru_cache(maxsize=2)(self._make_batches)

    @property
    def num_captions(self):
        return len(self._lengths)

    @property
    def steps_per_epoch(self):
        return -(-self.num_captions // self.batch_size)

    @property
    def has_smaller_batch(self):
        """Whether the last batch of an epoch is smaller than the others."""
        return self.num_captions % self.batch_size != 0

    def batches(self, epoch):
        """Returns the batches of an epoch.

        Args:
            epoch: from 0.

        Returns:
            List of `steps_per_epoch` pairs (width, caption_indices int64 [B]).
        """
        return list(self._batches(int(epoch)))

    def batch(self, step):
        """Returns the batch of a step.

        Args:
            step: from 0, counted through all epochs.

        Returns:
            Pair (width, caption_indices int64 [B]).
        """
        epoch, index = divmod(int(step), self.steps_per_epoch)
        return self._batches(epoch)[index]

    def _make_batches(self, epoch):
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
        order = self._rounds(generator)
        buckets = self._bucket_of_caption[order]
        full, rest = [], []
        for bucket, width in enumerate(self.widths):
            positions = np.flatnonzero(buckets == bucket)
            num_full = len(positions) // self.batch_size * self.batch_size
            for batch in positions[:num_full].reshape(-1, self.batch_size):
                full.append((batch[-1], width, order[batch]))
            rest.append(order[positions[num_full:]])
        full.sort(key=lambda batch: batch[0])
        batches = [(width, captions) for _, width, captions in full]
        mixed, last = self._regroup(np.concatenate(rest))
        for batch in mixed:
            batches.insert(int(generator.integers(len(batches) + 1)), batch)
        return batches + last

    def _rounds(self, generator):
        """Returns a random order of captions with one caption of each image a round."""
        shuffled = generator.permutation(self.num_captions)
        images = self._image_of_caption[shuffled]
        by_image = np.argsort(images, kind="stable")
        sorted_images = images[by_image]
        first = np.searchsorted(sorted_images, sorted_images)
        round_of = np.empty_like(shuffled)
        round_of[by_image] = np.arange(self.num_captions) - first
        return shuffled[np.argsort(round_of, kind="stable")]

    def _regroup(self, captions):
        """Returns full batches of the captions, sorted by bucket, and the smaller last one."""
        num_full = len(captions) // self.batch_size * self.batch_size
        mixed = [
            (self.widths[self._bucket_of_caption[batch].max()], batch)
            for batch in captions[:num_full].reshape(-1, self.batch_size)
        ]
        # The longest captions go last, where the width is the largest anyway.
        last = captions[num_full:]
        return mixed, [(self.widths[-1], last)] if len(last) else []

    def _check(self):
        if self._lengths.ndim != 1 or self._lengths.size == 0 or self._lengths.min() < 1:
            raise ValueError(
                "Expected the lengths of at least one caption, each at least 1. Received: "
                f"lengths of shape {self._lengths.shape}. Choose a split with captions."
            )
        if self._image_of_caption.shape != self._lengths.shape:
            raise ValueError(
                f"Expected an image of each of {self._lengths.size} captions. Received: "
                f"image_of_caption of shape {self._image_of_caption.shape}."
            )
        if self.batch_size < 1 or self.seed < 0:
            raise ValueError(
                "Expected batch_size of at least 1 and seed of at least 0. Received: "
                f"batch_size={self.batch_size}, seed={self.seed}."
            )


def _checked_widths(widths, longest):
    widths = tuple(int(width) for width in widths)
    ascending = all(a < b for a, b in zip(widths, widths[1:], strict=False))
    if not widths or widths[0] < 1 or not ascending or widths[-1] < longest:
        raise ValueError(
            f"Expected ascending bucket_boundaries up to at least {longest}, the longest caption. "
            f"Received: bucket_boundaries={widths}. Add a wider bucket or lower max_words."
        )
    return widths
