"""Image-sentence scores from the products of their fragments (D eq. 8, F eq. 6)."""

from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.alignment.score_blocks import (
    BLOCK_BYTES,
    blocked_max_sums,
    in_blocks,
    num_blocks,
)
from vsa_tf.models.layers.vector_length import unit_length

SCORES = ("words", "regions", "both")
REGION_POOLINGS = ("max", "log_sum_exp", "attention")
WORD_POOLINGS = ("sum", "log_sum_exp")
# Added to the products of masked regions. Finite: infinity times a masked word's 0 would be NaN.
_LOWEST = -1e9


class AlignmentScore:
    """Scores images against sentences: D eq. 8, and options that the paper does not have.

        words:    S_kl = sum_t |s_t| pool_i cos(v_i, s_t)
        regions:  S_kl = (sum_t |s_t|) mean_i pool_t cos(v_i, s_t)
        both:     their mean

    t runs over the words of sentence l, i over the regions of image k, cos(v_i, s_t) is short for
    `v_i . s_t / |s_t|`, a cosine where the v_i have length 1. With the maximum as the pool the
    first line is D eq. 8. Both lines grow with the words' lengths alike, and where the v_i have
    length 1 both are at most `sum_t |s_t|`: they can be added as they are.

    Args:
        score: `words` (the paper), `regions` or `both`.
        region_pooling: the pool, see `pooled_products`; of `regions` the words are pooled so.
        region_sharpness: lambda of the pool.
        word_pooling: of `words`: their `sum` (the paper), or `log_sum_exp`, which puts
            `1/lambda log sum_t exp(lambda x_t)` for `sum_t x_t` (the LSE of SCAN).
        word_sharpness: its lambda.
        length_normalization: put means over words for the sums over words.

    Attributes:
        block_bytes: of more products than these, scores are made in blocks, see `num_blocks`.

    Raises:
        ValueError: for another choice than these, or a word_pooling that is not read.

    Reference: Lee et al., Stacked Cross Attention for Image-Text Matching (SCAN), ECCV 2018: with
    words of length 1 and `attention`, `words` is its text-to-image score, `regions` its
    image-to-text score.
    """

    def __init__(
        self,
        score="words",
        region_pooling="max",
        region_sharpness=9.0,
        word_pooling="sum",
        word_sharpness=6.0,
        length_normalization=False,
    ):
        for name, value, choices in (
            ("score", score, SCORES),
            ("region_pooling", region_pooling, REGION_POOLINGS),
            ("word_pooling", word_pooling, WORD_POOLINGS),
        ):
            check_choice(name, value, choices)
        if word_pooling != "sum" and score == "regions":
            raise ValueError(
                "Expected score='words' or 'both' with another word_pooling than 'sum': 'regions' "
                f"pools none. Received: word_pooling={word_pooling!r}"
            )
        self.score = score
        self.region_pooling = region_pooling
        self.region_sharpness = region_sharpness
        self.word_pooling = word_pooling
        self.word_sharpness = word_sharpness
        self.length_normalization = length_normalization
        self.block_bytes = BLOCK_BYTES

    @property
    def is_max_sum(self):
        """Whether it is D eq. 8."""
        chosen = self.score, self.region_pooling, self.word_pooling
        return chosen == ("words", "max", "sum")

    def __call__(self, regions, region_mask, words, word_mask, training=False):
        """Returns `S`, float `[N, M]`; arguments as of `max_sum_score`."""
        score = {"words": self._of_words, "regions": self._of_regions, "both": self._of_both}
        score, given = score[self.score], (regions, region_mask, words, word_mask)
        if (self.region_pooling, self.word_pooling) == ("max", "sum"):
            return score(*given, training)  # `max_sums` has blocks of its own.
        return in_blocks(score, *given, self.block_bytes)

    def _of_both(self, *given):
        return (self._of_words(*given) + self._of_regions(*given)) / 2.0

    def _of_words(self, regions, region_mask, words, word_mask, training=False):
        if (self.region_pooling, self.word_pooling) == ("max", "sum"):
            return max_sum_score(
                *(regions, region_mask, words, word_mask),
                self.length_normalization,
                self.block_bytes,
                training,
            )
        directions, lengths, counts = _parts(words, word_mask)
        pooled = self._pooled(regions, region_mask, directions, word_mask)
        pooled = pooled * ops.expand_dims(lengths, 0)
        if self.word_pooling == "sum":
            scores = ops.sum(pooled, axis=2)
            if self.length_normalization:
                scores = scores / counts
        else:
            lowest = _lowest(word_mask, pooled.dtype)
            scores = ops.logsumexp(self.word_sharpness * pooled + lowest, axis=2)
            if self.length_normalization:
                scores = scores - ops.log(counts)
            scores = ops.where(ops.any(word_mask, axis=1), scores / self.word_sharpness, 0.0)
        return scores * ops.cast(ops.any(region_mask, axis=1, keepdims=True), scores.dtype)

    def _of_regions(self, regions, region_mask, words, word_mask, training=False):
        directions, lengths, counts = _parts(words, word_mask)
        weights = ops.cast(region_mask, directions.dtype)
        weights = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
        if self.region_pooling == "max":
            scores = max_sums(
                *(directions, word_mask, regions, weights), self.block_bytes, training
            )
            scores = ops.transpose(scores)
        else:
            pooled = self._pooled(directions, word_mask, regions, region_mask)
            scores = ops.einsum("lki,ki->kl", pooled, weights)
        scores = scores * ops.sum(lengths, axis=1)
        return scores / counts if self.length_normalization else scores

    def _pooled(self, *sides):
        return pooled_products(*sides, self.region_pooling, self.region_sharpness)

    def get_config(self):
        return {
            "score": self.score,
            "region_pooling": self.region_pooling,
            "region_sharpness": self.region_sharpness,
            "word_pooling": self.word_pooling,
            "word_sharpness": self.word_sharpness,
            "length_normalization": self.length_normalization,
        }


def _parts(words, word_mask):
    """Returns words as `s_t / |s_t|` `[M, W, H]` and `|s_t|` `[M, W]`, and their number `[M]`."""
    directions = unit_length(words)
    real = ops.cast(word_mask, directions.dtype)
    # Not the root of the square, which has no gradient at 0.
    lengths = ops.sum(directions * words, axis=-1) * real
    return directions, lengths, ops.maximum(ops.sum(real, axis=1), 1.0)


def _lowest(mask, dtype):
    return ops.cast(ops.logical_not(mask), dtype) * _LOWEST


def pooled_products(regions, region_mask, words, word_mask, pooling="max", sharpness=9.0):
    """Pools `x_i = v_i . s_t` over the regions i of every image, for every word t.

        max:          max_i x_i
        log_sum_exp:  1/lambda log mean_i exp(lambda x_i), between mean and maximum
        attention:    a . s_t / |a|, a = sum_i w_i v_i, w_i ~ exp(lambda y_i), where
                      y_i = [x_i]_+ / sqrt( sum_t [x_i]_+^2 ), t all words of the sentence

    One matrix product of all regions with all words, then the pool: on every backend this is
    faster than a four-dimensional einsum. The attended vectors a are never made: `a . s_t` is
    `sum_i w_i x_i`, and |a| follows from the products of the regions with one another.

    Args:
        regions: float `[N, R, H]`, v; of length 1 for `attention`.
        region_mask: bool `[N, R]`; masked regions do not count.
        words: float `[M, W, H]`, s; of length 1 for `attention`.
        word_mask: bool `[M, W]`; for `attention`.
        pooling: as above.
        sharpness: lambda.

    Returns:
        float `[N, M, W]`; of images without regions and masked words the values mean nothing.

    Example: of two regions and one word, the maximum; a ln of the mean of 1 and 3; and where both
    count alike, the diagonal between them.

    >>> import numpy as np
    >>> sides = np.float32([[[1, 0], [0, 1]]]), np.ones((1, 2), bool)
    >>> sides += np.float32([[[0, np.log(3)]]]), np.ones((1, 1), bool)
    >>> print(np.array(pooled_products(*sides)).round(3))
    [[[1.099]]]
    >>> print(np.exp(pooled_products(*sides, "log_sum_exp", 1.0)).round(3))
    [[[2.]]]
    >>> print(np.array(pooled_products(*sides, "attention", 0.0)).round(3))
    [[[0.777]]]
    """
    num_images, num_regions, _ = ops.shape(regions)
    num_sentences, num_words, _ = ops.shape(words)
    products = fragment_products(regions, words)
    products = ops.reshape(products, (num_images, num_regions, num_sentences * num_words))
    lowest = ops.expand_dims(_lowest(region_mask, products.dtype), 2)
    if pooling == "max":
        pooled = ops.max(products + lowest, axis=1)
    elif pooling == "log_sum_exp":
        count = ops.sum(ops.cast(region_mask, products.dtype), axis=1, keepdims=True)
        pooled = ops.logsumexp(sharpness * products + lowest, axis=1)
        pooled = (pooled - ops.log(ops.maximum(count, 1.0))) / sharpness
    else:
        parts = (num_images, num_regions, num_sentences, num_words)
        positive = ops.relu(ops.reshape(products, parts))
        shares = unit_length(positive * ops.cast(word_mask, products.dtype))
        logits = sharpness * ops.reshape(shares, ops.shape(products)) + lowest
        weights = ops.exp(logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True)))
        gram = ops.matmul(regions, ops.transpose(regions, (0, 2, 1)))
        squares = ops.sum(weights * ops.matmul(gram, weights), axis=1)
        pooled = ops.sum(weights * products, axis=1) * ops.rsqrt(ops.maximum(squares, 1e-8))
    return ops.reshape(pooled, (num_images, num_sentences, num_words))


def max_sum_score(
    regions,
    region_mask,
    words,
    word_mask,
    length_normalization=False,
    block_bytes=BLOCK_BYTES,
    training=False,
):
    """`S_kl = sum over words t of sentence l of max over regions i of image k of v_i . s_t`.

    D eq. 8, which is eq. 1 of the supplement.

    Args:
        regions: float `[N, R, H]`, v.
        region_mask: bool `[N, R]`; masked regions cannot win the maximum.
        words: float `[M, W, H]`, s.
        word_mask: bool `[M, W]`; masked words add nothing.
        length_normalization: divide by the number of words.
        block_bytes, training: see `max_sums`.

    Returns:
        float `[N, M]`; 0 for a sentence without words or an image without regions.
    """
    words = ops.convert_to_tensor(words)
    weights = ops.cast(word_mask, words.dtype)
    if length_normalization:
        weights = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    scores = max_sums(regions, region_mask, words, weights, block_bytes, training)
    has_regions = ops.cast(ops.any(region_mask, axis=1), scores.dtype)
    return scores * ops.expand_dims(has_regions, 1)


def max_sums(regions, region_mask, words, weights, block_bytes=BLOCK_BYTES, training=False):
    """`sum_t c_t max_i v_i . s_t` of every image and sentence, in blocks where they are many.

    Args:
        regions: float `[N, R, H]`, v.
        region_mask: bool `[N, R]`; masked regions cannot win.
        words: float `[M, W, H]`, s.
        weights: float `[M, W]`, c, not differentiated.
        block_bytes: see `num_blocks`.
        training: of a graph that is built before its sizes are known: whether it is made for
            blocks, whose backward pass needs little memory, or for all at once.

    Returns:
        float `[N, M]`; of images without regions the values mean nothing.

    Example: 1 times the larger of 2 and 1, and 10 times that of 0 and 3; in two blocks as in one.

    >>> import numpy as np
    >>> regions = np.float32([[[2, 0], [1, 3]], [[0, 1], [0, 0]]])
    >>> words, mask = np.float32([[[1, 0], [0, 1]]] * 2), np.ones((2, 2), bool)
    >>> weights = np.float32([[1, 10], [0, 1]])
    >>> for block_bytes in (BLOCK_BYTES, 32):
    ...     print(np.array(max_sums(regions, mask, words, weights, block_bytes)).tolist())
    [[32.0, 3.0], [10.0, 1.0]]
    [[32.0, 3.0], [10.0, 1.0]]
    """
    regions, words = ops.convert_to_tensor(regions), ops.convert_to_tensor(words)
    counts = num_blocks(regions, words, block_bytes)
    if training if not isinstance(counts[0], int) else counts != (1, 1):
        return blocked_max_sums(regions, _lowest(region_mask, words.dtype), words, weights, counts)
    best = pooled_products(regions, region_mask, words, None)
    return ops.einsum("kln,ln->kl", best, weights)


def fragment_products(regions, fragments):
    """Computes `v_i . s_j` for every region of every image and fragment of every sentence.

    Args:
        regions: float `[N, R, H]`, v.
        fragments: float `[M, E, H]`, s.

    Returns:
        float `[N, R, M, E]`.
    """
    num_images, num_regions, width = ops.shape(regions)
    num_sentences, num_fragments, _ = ops.shape(fragments)
    products = ops.matmul(
        ops.reshape(regions, (num_images * num_regions, width)),
        ops.transpose(ops.reshape(fragments, (num_sentences * num_fragments, width))),
    )
    return ops.reshape(products, (num_images, num_regions, num_sentences, num_fragments))


def fragment_scores(products, region_mask, fragment_mask, smoothing=5.0):
    """`S_kl = 1 / (|g_k| (|g_l| + n)) * sum_i sum_j max(0, v_i . s_j)` (F eq. 6).

    i runs over the |g_k| regions of image k, j over the |g_l| fragments of sentence l.

    Args:
        products: float `[N, R, M, E]`, `v_i . s_j`, see `fragment_products`.
        region_mask: bool `[N, R]`; masked regions neither add nor count.
        fragment_mask: bool `[M, E]`; masked fragments neither add nor count.
        smoothing: n; keeps sentences of few fragments from scoring high by chance.

    Returns:
        float `[N, M]`; 0 for a sentence without fragments or an image without regions.

    Example: of two regions and one fragment, 1 / (2 (1 + 5)) (6 + 0).

    >>> import numpy as np
    >>> products = np.float32([6, -3]).reshape(1, 2, 1, 1)
    >>> float(fragment_scores(products, np.ones((1, 2), bool), np.ones((1, 1), bool))[0, 0])
    0.5
    """
    region_mask = ops.cast(region_mask, products.dtype)
    fragment_mask = ops.cast(fragment_mask, products.dtype)
    totals = ops.einsum("kilj,ki,lj->kl", ops.relu(products), region_mask, fragment_mask)
    num_regions = ops.sum(region_mask, axis=1, keepdims=True)
    num_fragments = ops.expand_dims(ops.sum(fragment_mask, axis=1), 0) + smoothing
    # Where nothing is counted the total is 0, whatever it is divided by.
    return totals / (ops.maximum(num_regions, 1.0) * ops.maximum(num_fragments, 1.0))
