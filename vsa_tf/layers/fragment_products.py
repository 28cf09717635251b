"""Inner products of all image fragments with all sentence fragments."""

from keras import ops


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
