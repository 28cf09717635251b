"""The image-sentence score of the alignment model (D eq. 1)."""

from keras import ops


def max_sum_score(regions, region_mask, words, word_mask, length_normalization=False):
    """`S_kl = sum over words t of sentence l of max over regions i of image k of v_i . s_t`.

    One matrix product of all regions with all words, then the maximum: on every backend this is
    faster than a four-dimensional einsum.

    Args:
        regions: float `[N, R, H]`, v.
        region_mask: bool `[N, R]`; masked regions cannot win the maximum.
        words: float `[M, W, H]`, s.
        word_mask: bool `[M, W]`; masked words add nothing.
        length_normalization: divide by the number of words.

    Returns:
        float `[N, M]`; 0 for a sentence without words or an image without regions.
    """
    num_images, num_regions, width = ops.shape(regions)
    num_sentences, num_words, _ = ops.shape(words)
    products = ops.matmul(
        ops.reshape(regions, (num_images * num_regions, width)),
        ops.transpose(ops.reshape(words, (num_sentences * num_words, width))),
    )
    products = ops.reshape(products, (num_images, num_regions, num_sentences * num_words))
    # A finite number: infinity times a masked word's zero would be NaN.
    lowest = ops.cast(ops.logical_not(region_mask), products.dtype) * -1e9
    best = ops.max(products + ops.expand_dims(lowest, 2), axis=1)
    best = ops.reshape(best, (num_images, num_sentences, num_words))
    weights = ops.cast(word_mask, best.dtype)
    if length_normalization:
        weights = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    scores = ops.einsum("kln,ln->kl", best, weights)
    has_regions = ops.cast(ops.any(region_mask, axis=1), best.dtype)
    return scores * ops.expand_dims(has_regions, 1)
