"""Which captions make up each batch of training, a pure function of (seed, epoch, step).

`BatchPlan` spreads the captions of an image and batches what is of like length; `NeighborhoodPlan`
brings captions of a group together.
"""

import functools

import numpy as np


class _EpochPlan:
    """Steps through epochs, whose batches are made when first asked for; the base of the plans."""

    def __init__(self, batch_size, seed):
        self.batch_size = int(batch_size)
        self.seed = int(seed)
        # The last epoch's batches, and one more: reading ahead crosses the border of epochs.
        self._batches = functools.lru_cache(maxsize=2)(
            lambda epoch: self._make_batches(
                np.random.Generator(np.random.PCG64([self.seed, epoch]))
            )
        )

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

    def whole_batch(self, step):
        """Returns the captions of a step's batch on all hosts, and which of them `batch` has.

        Args:
            step: from 0, counted through all epochs.

        Returns:
            Pair (caption_indices int64 [N], slice of its rows).
        """
        return self.batch(step)[1], slice(None)

    def _make_batches(self, generator):
        """Returns the batches of the epoch of a `np.random.Generator`, as of `batches`."""
        raise NotImplementedError


class BatchPlan(_EpochPlan):
    """Batches of captions of like length, those of an image far from each other.

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
        super().__init__(batch_size, seed)
        self._lengths = np.asarray(lengths, np.int64)
        self._image_of_caption = np.asarray(image_of_caption, np.int64)
        self._check()
        if bucket_boundaries is None:
            bucket_boundaries = choose_bucket_widths(self._lengths)
        self.widths = _checked_widths(bucket_boundaries, self._lengths.max())
        self._bucket_of_caption = np.searchsorted(self.widths, self._lengths)

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

    def _make_batches(self, generator):
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


class NeighborhoodPlan(_EpochPlan):
    """Batches in which every caption stands beside others of its group.

    The captions of a group, those of one image or the phrases of one coreference chain, are
    shuffled and cut into runs of `num_neighbors`, which stay together. Where a group leaves a
    shorter run, its first captions fill it: an epoch has every caption at least once, and a group
    of one caption has it `num_neighbors` times in a row.

    Args:
        lengths: int [M], tokens of each caption.
        group_of_caption: int [M].
        batch_size: captions in a batch, a multiple of `num_neighbors`.
        num_neighbors: captions of a group in a batch (paper: 2).
        width: of the token rows; at least the longest length.
        seed: whole number of at least 0.

    Attributes:
        batch_size, seed: the arguments.
        widths: `(width,)`.
        num_captions: M.
        steps_per_epoch: the number of whole batches; what is left over is skipped, other captions
            each epoch.
        has_smaller_batch: False.

    Raises:
        ValueError: a setting that fits none of the above, or fewer captions than a batch.

    Example:

    >>> plan = NeighborhoodPlan([3] * 5, [0, 0, 1, 1, 1], 2, 2, width=3)
    >>> [sorted(captions.tolist()) in ([0, 1], [2, 3], [2, 4], [3, 4])
    ...  for _, captions in plan.batches(epoch=0)]
    [True, True, True]
    """

    has_smaller_batch = False

    def __init__(self, lengths, group_of_caption, batch_size, num_neighbors=2, width=None, seed=0):
        super().__init__(batch_size, seed)
        longest = int(np.max(lengths))
        self._group_of_caption = np.asarray(group_of_caption, np.int64)
        self.num_neighbors = int(num_neighbors)
        self.widths = (int(width or longest),)
        if self.num_neighbors < 1 or self.batch_size % self.num_neighbors:
            raise ValueError(
                "Expected batch_size to be a multiple of num_neighbors. Received: "
                f"batch_size={batch_size}, num_neighbors={num_neighbors}"
            )
        if self.widths[0] < longest:
            raise ValueError(f"Expected width of at least {longest}. Received: width={width}")
        sizes = np.unique(self._group_of_caption, return_counts=True)[1]
        runs = int((-(-sizes // self.num_neighbors)).sum())
        self.steps_per_epoch = runs * self.num_neighbors // self.batch_size
        if not self.steps_per_epoch:
            raise ValueError(
                f"Expected captions for a batch of {batch_size}. Received: {len(lengths)} captions "
                f"in {len(sizes)} groups. Choose a smaller batch_size"
            )

    @property
    def num_captions(self):
        return len(self._group_of_caption)

    def _make_batches(self, generator):
        shuffled = generator.permutation(self.num_captions)
        captions = shuffled[np.argsort(self._group_of_caption[shuffled], kind="stable")]
        _, first, sizes = np.unique(
            self._group_of_caption[captions], return_index=True, return_counts=True
        )
        runs = -(-sizes // self.num_neighbors)
        group = np.repeat(np.arange(len(sizes)), runs)
        run = np.arange(len(group)) - np.repeat(np.cumsum(runs) - runs, runs)
        place = run[:, None] * self.num_neighbors + np.arange(self.num_neighbors)
        order = captions[first[group, None] + place % sizes[group, None]]
        order = order[generator.permutation(len(order))].ravel()
        order = order[: self.steps_per_epoch * self.batch_size].reshape(-1, self.batch_size)
        return [(self.widths[0], captions) for captions in order]


def choose_bucket_widths(lengths, num_buckets=4):
    """Chooses the widths that leave the least padding.

    The total padding when each caption takes the smallest width that holds it is minimised exactly,
    by dynamic programming over the distinct lengths.

    Args:
        lengths: int [M], tokens of each caption, each at least 1.
        num_buckets: most widths.

    Returns:
        Tuple of at most `num_buckets` ascending widths, the last the longest length.

    Raises:
        ValueError: no captions, or `num_buckets` is not positive.

    Example:

    >>> choose_bucket_widths([3, 3, 3, 4, 9, 10], num_buckets=2)
    (4, 10)
    """
    if len(lengths) == 0 or num_buckets < 1:
        raise ValueError(
            "Expected captions and at least one bucket. Received: "
            f"{len(lengths)} captions, num_buckets={num_buckets}."
        )
    widths, counts = np.unique(np.asarray(lengths, np.int64), return_counts=True)
    captions_up_to = np.concatenate([[0], np.cumsum(counts)])
    # cost[k] is the least padded total of the first k widths, the k-th of them chosen.
    cost = np.where(np.arange(len(widths) + 1) == 0, 0.0, np.inf)
    choices = []
    for _ in range(min(num_buckets, len(widths))):
        # total[k, j]: as cost[k] when the width chosen before is the j-th.
        total = cost[None, :] + np.concatenate([[0], widths])[:, None] * (
            captions_up_to[:, None] - captions_up_to[None, :]
        )
        total[np.triu_indices(len(total), 1)] = np.inf
        choices.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    chosen, k = [], len(widths)
    for choice in reversed(choices):
        if choice[k] != k:
            chosen.append(int(widths[k - 1]))
        k = choice[k]
    return tuple(reversed(chosen))


def _checked_widths(widths, longest):
    widths = tuple(int(width) for width in widths)
    ascending = all(a < b for a, b in zip(widths, widths[1:], strict=False))
    if not widths or widths[0] < 1 or not ascending or widths[-1] < longest:
        raise ValueError(
            f"Expected ascending bucket_boundaries up to at least {longest}, the longest caption. "
            f"Received: bucket_boundaries={widths}. Add a wider bucket or lower max_words."
        )
    return widths
