"""Scores of large batches in blocks: all products of regions and words are never there at once.

What a plain step keeps of N images and M sentences for its backward pass is `N R M W` products,
2.3 GiB for a batch of 1024 with 20 regions and 30 words, several times. Here it is a block of them.
"""

import math

import keras
from keras import ops

# Products that are made at once, of 4 bytes each.
BLOCK_BYTES = 128 << 20


def num_blocks(regions, words, block_bytes=BLOCK_BYTES):
    """Returns in how many blocks images, and sentences, are scored.

    Args:
        regions: float `[N, R, H]`.
        words: float `[M, W, H]`.
        block_bytes: bound of a block's products, unless one image or sentence has more. TensorFlow
            may have as many blocks in hand as there are cores, up to ten.

    Returns:
        `(of_images, of_sentences)`, whole numbers, that divide N and M where such are near; int
        tensors in a graph that is built before all sizes are known.

    Example: 2.3 GiB.

    >>> import numpy as np
    >>> num_blocks(np.empty((1024, 20, 1)), np.empty((1024, 30, 1)))
    (32, 32)
    """
    sizes = *ops.shape(regions)[:2], *ops.shape(words)[:2]
    known = all(isinstance(size, int) for size in sizes)
    counts = []
    for size, others in ((sizes[0], sizes[1:]), (sizes[2], (*sizes[:2], sizes[3]))):
        if known:
            rows = max(block_bytes // (4 * max(math.prod(others), 1)), 1)
            counts.append(_near_divisor(size, max(math.ceil(size / rows), 1)))
            continue
        # In floats: the product of whole numbers may pass 2^31.
        row_bytes = math.prod((ops.cast(other, "float32") for other in others), start=4.0)
        rows = ops.cast(ops.floor(block_bytes / ops.maximum(row_bytes, 1.0)), "int32")
        rows = ops.clip(rows, 1, ops.maximum(size, 1))
        counts.append(ops.maximum((size + rows - 1) // rows, 1))
    return tuple(counts)


def _near_divisor(size, least):
    return next((count for count in range(least, 2 * least) if size % count == 0), least)


def in_blocks(score, regions, region_mask, words, word_mask, block_bytes=BLOCK_BYTES):
    """Returns `score(regions, region_mask, words, word_mask)`, of many products in blocks.

    A block is some of the images with all sentences. The backward pass computes its products once
    more: four matrix products for a plain step's three. Where a graph is built before the sizes are
    known (TensorFlow's, of several buckets, of a smaller last batch, or of replicas) there is one.

    Args:
        score: function to a tensor with a row for each image.
        regions, region_mask, words, word_mask: as of `max_sum_score`.
        block_bytes: see `num_blocks`.
    """
    regions, words = ops.convert_to_tensor(regions), ops.convert_to_tensor(words)
    counts = num_blocks(regions, words, block_bytes)

    if not isinstance(counts[0], int) or counts == (1, 1):
        return score(regions, region_mask, words, word_mask)
    region_blocks, mask_blocks = (_blocks(each, counts[0]) for each in (regions, region_mask))

    def of_block(block):
        # Not an argument: TensorFlow recomputes functions of numbers alone.
        mask = ops.take(mask_blocks, block, axis=1)
        recomputed = keras.remat(lambda v, s: score(v, mask, s, word_mask))
        return recomputed(ops.take(region_blocks, block, axis=1), words)

    return _unblocked(ops.map(of_block, ops.arange(counts[0])), regions)


def blocked_max_sums(regions, penalties, words, weights, counts):
    """`sum_t c_t max_i (v_i . s_t + p_i)` of every image and sentence.

    Nothing is computed twice: which region won is kept, `[N, M, W]` bytes, and the backward pass
    makes each block's gradients of that. Where products are equal the first wins it all.

    Args:
        regions: float `[N, R, H]`, v.
        penalties: float `[N, R]`, p: 0, or of masked regions so low that they cannot win.
        words: float `[M, W, H]`, s.
        weights: float `[M, W]`, c. Neither these nor the penalties are differentiated.
        counts: of `num_blocks`.

    Returns:
        float `[N, M]`.
    """
    num_images, num_regions, width = ops.shape(regions)
    num_sentences, num_words = ops.shape(words)[:2]
    is_few = isinstance(num_regions, int) and num_regions <= 256
    place_type = "uint8" if is_few else "int32"
    places = ops.cast(ops.arange(num_regions), place_type)
    images, sentences = map(ops.arange, counts)

    @ops.custom_gradient
    def scores_of(regions, words):
        region_rows = ops.reshape(regions, (-1, width))
        word_rows = ops.reshape(words, (-1, width))
        word_columns = ops.transpose(word_rows)
        region_blocks = _blocks(regions, counts[0])
        penalty_blocks = _blocks(penalties, counts[0])

        def score(block):
            rows = ops.reshape(ops.take(region_blocks, block, axis=1), (-1, width))
            products = ops.matmul(rows, word_columns)
            products = ops.reshape(products, (-1, num_regions, num_sentences * num_words))
            products = products + ops.expand_dims(ops.take(penalty_blocks, block, axis=1), 2)
            best = ops.max(products, axis=1, keepdims=True)
            # Of truths, as Keras would first look for zeros below zero among numbers; but where
            # these are narrow, XLA may have rounded `best` alone.
            is_wide = keras.backend.standardize_dtype(products.dtype) == "float32"
            winners = ops.argmax(products >= best if is_wide else products, axis=1)
            winners = ops.cast(winners, place_type)
            best = ops.reshape(best, (-1, num_sentences, num_words))
            return ops.einsum("kln,ln->kl", best, weights), winners

        scores, winners = ops.map(score, images)
        scores, winners = _unblocked(scores, regions), _unblocked(winners, regions)
        winners = ops.reshape(winners, (num_images, num_sentences, num_words))

        def gradients(*args, upstream=None):
            # PyTorch names it, and gives the arguments of `scores_of` before.
            upstream = ops.cast(args[0] if upstream is None else upstream, words.dtype)
            image_costs = _blocks(upstream, counts[0])
            image_winners = _blocks(winners, counts[0])
            sentence_costs = _blocks(ops.transpose(upstream), counts[1])
            sentence_weights = _blocks(weights, counts[1])
            sentence_winners = _blocks(ops.swapaxes(winners, 0, 1), counts[1])

            def of_regions(block):
                costs = ops.expand_dims(ops.take(image_costs, block, axis=1), 2) * weights
                won = ops.take(image_winners, block, axis=1)
                won = ops.equal(ops.expand_dims(won, 1), ops.reshape(places, (-1, 1, 1)))
                chosen = ops.where(won, ops.expand_dims(costs, 1), 0.0)
                chosen = ops.reshape(chosen, (-1, num_sentences * num_words))
                return ops.reshape(ops.matmul(chosen, word_rows), (-1, num_regions, width))

            def of_words(block):
                costs = ops.expand_dims(ops.take(sentence_costs, block, axis=1), 1)
                costs = costs * ops.expand_dims(ops.take(sentence_weights, block, axis=1), 2)
                won = ops.swapaxes(ops.take(sentence_winners, block, axis=1), 1, 2)
                won = ops.equal(ops.expand_dims(won, 3), places)
                chosen = ops.where(won, ops.expand_dims(costs, 3), 0.0)
                chosen = ops.reshape(chosen, (-1, num_images * num_regions))
                return ops.reshape(ops.matmul(chosen, region_rows), (-1, num_words, width))

            return (
                _unblocked(ops.map(of_regions, images), regions),
                _unblocked(ops.map(of_words, sentences), words),
            )

        return scores, gradients

    return scores_of(regions, words)


def _blocks(values, count):
    """`[N, ...]` to `[ceil(N / count), count, ...]`: block k has every count-th row from k on.

    Rows that are spread over devices are so spread in every block. What is missing is zeros.
    """
    values = ops.convert_to_tensor(values)
    size, *shape = ops.shape(values)
    rows = (size + count - 1) // count
    missing = rows * count - size
    if not isinstance(missing, int) or missing:
        padding = ops.zeros((missing, *shape), values.dtype)
        values = ops.concatenate([values, padding], axis=0)
    return ops.reshape(values, (rows, count, *shape))


def _unblocked(values, like):
    """`[count, rows, ...]`, block after block, to `[N, ...]`, as many rows as `like` has."""
    values = ops.swapaxes(values, 0, 1)
    return ops.reshape(values, (-1, *ops.shape(values)[2:]))[: ops.shape(like)[0]]
