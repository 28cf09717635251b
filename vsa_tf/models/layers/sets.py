"""Sets of vectors, of regions or words: parts left out in training, and one vector of each."""

import math

import keras
from keras import ops

from vsa_tf.errors import check_choice

POOLINGS = ("mean", "max", "learned")
_POSITION_SIZE = 32
# As in the authors' code; it lets weights move away from the mean soon.
_TEMPERATURE = 0.1
# Of more values than these, the graph of a network of exchanges is too large.
_MOST_EXCHANGED = 40


def drop_parts(mask, rate, seed, keep_first=False):
    """Leaves parts of each row out at random; of a row that has any, at least one stays.

    Args:
        mask: bool `[B, P]`, which of a row's regions, words or relations are real.
        rate: probability with which each is left out, from 0 to below 1.
        seed: a `keras.random.SeedGenerator`, or an int.
        keep_first: whether the first of each row always stays: of regions, the whole frame.

    Returns:
        bool `[B, P]`, the real ones that stay.

    Example:

    >>> import numpy as np
    >>> mask = np.array([[True, True, False], [False, False, False]])
    >>> np.array(drop_parts(mask, 0.999, seed=0, keep_first=True)).tolist()
    [[True, False, False], [False, False, False]]

    Reference: Chen et al., Learning the Best Pooling Strategy for Visual Semantic Embedding, CVPR
    2021 ("size augmentation", there of 20 %).
    """
    noise = keras.random.uniform(ops.shape(mask), dtype="float32", seed=seed)
    if keep_first:
        noise = ops.where(ops.equal(ops.arange(ops.shape(mask)[1]), 0), 1.0, noise)
    noise = ops.where(mask, noise, -1.0)
    # The row's largest number always passes.
    threshold = ops.minimum(ops.max(noise, axis=1, keepdims=True), rate)
    return ops.logical_and(mask, noise >= threshold)


def drop_from_batch(batch, region_dropping, word_dropping, seed, ids="token_ids"):
    """Returns a batch without the regions and words that a step of training leaves out.

    What is left out has the mask, or the id, of padding: no score counts it, and a recurrence goes
    on as if it were not there.

    Args:
        batch: dict of `region_mask`, bool `[B, R]`, and `ids`, int `[B, W]`, 0 for padding; each
            where some of it is left out.
        region_dropping, word_dropping: rates, as of `drop_parts`; the first region always stays.
        seed: as of `drop_parts`.
        ids: what of the batch numbers the words, or relations.
    """
    batch = dict(batch)
    if region_dropping:
        mask = batch["region_mask"]
        batch["region_mask"] = drop_parts(mask, region_dropping, seed, keep_first=True)
    if word_dropping:
        kept = drop_parts(ops.not_equal(batch[ids], 0), word_dropping, seed)
        batch[ids] = ops.where(kept, batch[ids], ops.zeros_like(batch[ids]))
    return batch


@keras.saving.register_keras_serializable("vsa_tf")
class SetPooling(keras.layers.Layer):
    """Mean, maximum, or a learned pooling between them, of each number over a set.

        sum over n = 1..N of theta_n z_n,   z_1 >= z_2 >= ... the N values of a number, sorted
        theta = softmax(w^T GRU(p_1 .. p_N) / .1),   p_n the sinusoids of n

    theta, the same for all numbers, depends on N alone: 1/N is the mean, (1, 0, .., 0) the
    maximum. The recurrence reads the positions in both directions; w begins at 0, with the mean.

    Args:
        pooling: `mean`, `max` or `learned`.
        units: width of the recurrence of `learned`.

    Call arguments:
        values: float `[B, P, D]`.
        value_mask: bool `[B, P]`, True at values that are of the set, in any places.

    Output shape: `[B, D]`; zeros for an empty set.

    Raises:
        ValueError: for another pooling.

    Reference: Chen, Hu, Wu, Jiang, Wang, Learning the Best Pooling Strategy for Visual Semantic
    Embedding, CVPR 2021, section 4.
    """

    def __init__(self, pooling="mean", units=32, **kwargs):
        super().__init__(**kwargs)
        check_choice("pooling", pooling, POOLINGS)
        self.pooling = pooling
        self.units = units
        self.supports_masking = True
        if pooling == "learned":
            # cuDNN's kernels cannot be compiled by XLA, and refuse masks on JAX.
            layer = keras.layers.GRU(units, return_sequences=True, use_cudnn=False)
            self.recurrence = keras.layers.Bidirectional(layer, merge_mode="ave", name="recurrence")
            self.projection = keras.layers.Dense(
                1, use_bias=False, kernel_initializer="zeros", name="projection"
            )

    def build(self, values_shape, value_mask_shape=None):
        if self.pooling == "learned":
            self.recurrence.build((None, None, _POSITION_SIZE))
            self.projection.build((None, None, self.units))

    def call(self, values, value_mask):
        if values.shape[1] == 0:  # images of which there is the frame alone
            return ops.sum(values, axis=1)
        mask = ops.expand_dims(value_mask, -1)
        if self.pooling == "mean":
            weights = ops.cast(mask, values.dtype)
            return ops.sum(values * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)
        if self.pooling == "max":
            largest = ops.max(ops.where(mask, values, -math.inf), axis=1)
            return ops.where(ops.any(mask, axis=1), largest, 0.0)
        largest_first = descending(ops.where(mask, values, -math.inf))
        places = ops.cumsum(ops.ones_like(value_mask, dtype="int32"), axis=1)
        in_set = places <= ops.sum(ops.cast(value_mask, "int32"), axis=1, keepdims=True)
        largest_first = ops.where(ops.expand_dims(in_set, -1), largest_first, 0.0)
        return ops.sum(largest_first * self._weights(places, in_set), axis=1)

    def _weights(self, places, in_set):
        """theta, `[B, P, 1]`."""
        rates = [10000.0 ** (-2 * each / _POSITION_SIZE) for each in range(_POSITION_SIZE // 2)]
        angles = ops.expand_dims(ops.cast(places, "float32"), -1) * ops.convert_to_tensor(rates)
        positions = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        scores = self.projection(self.recurrence(positions, mask=in_set)) / _TEMPERATURE
        return ops.softmax(ops.where(ops.expand_dims(in_set, -1), scores, -1e4), axis=1)

    def compute_mask(self, inputs, previous_mask):
        """Returns None: a set has become one vector."""

    def compute_output_shape(self, values_shape, value_mask_shape=None):
        return (values_shape[0], values_shape[2])

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling, "units": self.units}


def descending(values):
    """Sorts along axis 1, the largest first.

    Args:
        values: float `[B, P, D]`. Where P is known and at most 40, Batcher's network of exchanges
            sorts whole slices, many times sooner on a CPU than `ops.sort`.

    Returns:
        float `[B, P, D]`.

    Example:

    >>> import numpy as np
    >>> np.array(descending(np.float32([[[1, 5], [3, 4], [2, 6]]]))).tolist()
    [[[3.0, 6.0], [2.0, 5.0], [1.0, 4.0]]]
    """
    count = values.shape[1]
    if count is None or count > _MOST_EXCHANGED:
        return -ops.sort(-values, axis=1)
    slices = ops.unstack(values, axis=1)
    for first, second in _exchanges(count):
        one, other = slices[first], slices[second]
        slices[first], slices[second] = ops.maximum(one, other), ops.minimum(one, other)
    return ops.stack(slices, axis=1)


def _exchanges(count):
    """Pairs of places (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M)."""
    bits = (count - 1).bit_length()
    step = 1 << bits >> 1
    while step:
        jump, remainder, distance = 1 << bits >> 1, 0, step
        while True:
            for first in range(count - distance):
                if first & step == remainder:
                    yield first, first + distance
            if jump == step:
                break
            distance, jump, remainder = jump - step, jump >> 1, step
        step >>= 1
