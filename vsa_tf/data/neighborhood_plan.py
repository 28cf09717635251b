"""Batches that hold several sentences of every image that they hold (T section 3.2.3)."""

import functools

import numpy as np


class NeighborhoodPlan:
    """The order of training data, a pure function of (seed, epoch, step).

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

    def __init__(self, lengths, group_of_caption, batch_size, num_neighbors=2, width=None, seed=0):
        longest = int(np.max(lengths))
        self._group_of_caption = np.asarray(group_of_caption, np.int64)
        self.batch_size, self.num_neighbors = int(batch_size), int(num_neighbors)
        self.widths = (int(width or longest),)
        self.seed = int(seed)
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
        # The last epoch's batches, and one more: reading ahead crosses the border of epochs.
        self._order = functools.lru_cache(maxsize=2)(self._make_order)

    has_smaller_batch = False

    @property
    def num_captions(self):
        return len(self._group_of_caption)

    def batches(self, epoch):
        """Returns the batches of an epoch (from 0), a list as of `BatchPlan.batches`."""
        return [(self.widths[0], captions) for captions in self._order(int(epoch))]

    def batch(self, step):
        """Returns the batch of a step (from 0), `(width, caption_indices int64 [B])`."""
        epoch, index = divmod(int(step), self.steps_per_epoch)
        return self.widths[0], self._order(epoch)[index]

    def _make_order(self, epoch):
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch]))
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
        return order[: self.steps_per_epoch * self.batch_size].reshape(-1, self.batch_size)
