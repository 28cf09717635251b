"""The image-sentence score of deep fragment embeddings."""

from keras import ops


def fragment_scores(products, region_mask, fragment_mask, smoothing=5.0):
    """`S_kl = 1 / (|g_k| (|g_l| + n)) * sum_i sum_j max(0, v_i . s_j)` (models.md 3).

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
