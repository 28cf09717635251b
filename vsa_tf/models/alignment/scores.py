"""Image-sentence scores from the products of their fragments (D eq. 8, F eq. 6)."""

from keras import ops


def max_sum_score(regions, region_mask, words, word_mask, length_normalization=False):
    """`S_kl = sum over words t of sentence l of max over regions i of image k of v_i . s_t`.

    D eq. 8, which is eq. 1 of the supplement.

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
