"""Scores of all images with all sentences, exact, in blocks: D eq. 8, F eq. 6, d_rp of T eq. 8."""

import math
import sys

import numpy as np

from vsa_tf.models.two_branch.settings import SQUARE_OFFSET

DEFAULT_BLOCK_BYTES = 64 << 20
_FLOAT_BYTES = 4
# Words of a block on an accelerator are filled up to a multiple.
_WORDS_MULTIPLE = 512


def max_sum_scores(
    regions,
    region_mask,
    words,
    lengths,
    normalize_by_length=False,
    block_bytes=DEFAULT_BLOCK_BYTES,
    progress=None,
):
    """Scores every image k against every sentence l, exactly, as `max_sum_score` (D eq. 8).

    A masked region never wins, whatever it holds.

    Args:
        regions, region_mask, words, lengths, block_bytes, progress: see `blocked_scores`.
        normalize_by_length: divide each score by the sentence's number of words.

    Returns:
        float32 `[N, M]`; 0 for a sentence without words.

    Raises:
        ValueError: as of `blocked_scores`.

    Example:

    >>> regions = np.array([[[1., 0.], [0., 2.]]], np.float32)
    >>> words = np.array([[3., 1.], [1., 1.], [0., 5.]], np.float32)
    >>> max_sum_scores(regions, None, words, [2, 1]).tolist()
    [[5.0, 10.0]]
    """
    scores = blocked_scores(regions, region_mask, words, lengths, "max", block_bytes, progress)
    if normalize_by_length:
        scores /= np.maximum(lengths, 1).astype(np.float32)
    return scores


def all_fragment_scores(
    regions,
    region_mask,
    fragments,
    lengths,
    smoothing=5.0,
    block_bytes=DEFAULT_BLOCK_BYTES,
    progress=None,
):
    """Scores every image k against every sentence l, exactly, as `fragment_scores` (F eq. 6).

    Args:
        regions, region_mask, lengths, block_bytes, progress: see `blocked_scores`.
        fragments: float `[P, H]`; s_j, its words.
        smoothing: n.

    Returns:
        float32 `[N, M]`; 0 for a sentence without fragments.

    Raises:
        ValueError: as of `blocked_scores`.

    Example: of two regions and one fragment, 1 / (2 (1 + 5)) (6 + 0).

    >>> regions = np.array([[[2.0], [-1.0]]], np.float32)
    >>> all_fragment_scores(regions, None, np.array([[3.0]], np.float32), [1]).tolist()
    [[0.5]]
    """
    scores = blocked_scores(
        regions, region_mask, fragments, lengths, "positive_sum", block_bytes, progress
    )
    regions_of_image = np.full(len(scores), np.shape(regions)[1])
    if region_mask is not None:
        regions_of_image = np.sum(region_mask, axis=1)
    fragments_of_sentence = np.asarray(lengths) + smoothing
    # Where there is nothing to count the sum is 0, whatever it is divided by.
    scores /= regions_of_image[:, None].astype(np.float32)
    scores /= np.maximum(fragments_of_sentence, 1.0).astype(np.float32)
    return scores


def phrase_distances(
    regions,
    region_mask,
    phrases,
    sentence_of_phrase,
    num_sentences,
    block_bytes=DEFAULT_BLOCK_BYTES,
):
    """The mean over a sentence's phrases of their distance to the best region: d_rp of T eq. 8.

        d_rp(x, y) = mean over phrases p of sentence y of  min over regions r of image x of  d(r, p)
        d(r, p)    = sqrt(|r - p|^2 + 1e-4)

    Exact. The smallest distance is where `r . p - |r|^2 / 2` is largest, so that `max_sum_scores`
    finds it, of vectors with one more entry; a block of images at a time.

    Args:
        regions: float `[N, R, H]`, of a region-phrase `EmbeddingNetwork`.
        region_mask: bool `[N, R]`, True where a region is real; None if all are.
        phrases: float `[P, H]`, of the same network.
        sentence_of_phrase: int `[P]`, in any order.
        num_sentences: M.
        block_bytes: about the memory taken besides arguments and result, twice.

    Returns:
        float32 `[N, M]`; 0 for a sentence without phrases, which has no such distance.

    Raises:
        ValueError: if shapes do not fit, an image has no real region, or a vector is not finite.

    Example:

    >>> regions = np.array([[[0., 0.], [3., 0.]]])
    >>> phrases = np.array([[3., 4.], [0., 2.], [0., 1.]])
    >>> phrase_distances(regions, None, phrases, [0, 0, 2], num_sentences=3).round(2).tolist()
    [[3.0, 0.0, 1.0]]

    Reference: T section 5.6.
    """
    regions, phrases = np.asanyarray(regions), np.asarray(phrases, np.float32)
    sentence_of_phrase = np.asarray(sentence_of_phrase)
    if regions.ndim != 3 or phrases.shape != (len(sentence_of_phrase), regions.shape[2]):
        raise ValueError(
            "Expected regions [N, R, H], phrases [P, H] and one sentence per phrase. Received: "
            f"regions of shape {regions.shape}, phrases of shape {phrases.shape}, "
            f"{len(sentence_of_phrase)} sentences"
        )
    distances = np.zeros((len(regions), num_sentences), np.float32)
    if not len(phrases):
        return distances
    if not 0 <= sentence_of_phrase.min() <= sentence_of_phrase.max() < num_sentences:
        raise ValueError(
            f"Expected sentences from 0 to {num_sentences - 1}. Received: sentence_of_phrase from "
            f"{sentence_of_phrase.min()} to {sentence_of_phrase.max()}"
        )
    order = np.argsort(sentence_of_phrase, kind="stable")
    counts = np.bincount(sentence_of_phrase, minlength=num_sentences)
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[filled]
    phrases = phrases[order]
    squares = np.square(phrases).sum(axis=1)
    phrases = np.concatenate([phrases, np.ones((len(phrases), 1), np.float32)], axis=1)
    one_each = np.ones(len(phrases), np.int64)
    image_floats = regions.shape[1] * phrases.shape[1] + len(phrases)
    rows = max(1, block_bytes // (phrases.itemsize * image_floats))
    for first in range(0, len(regions), rows):
        block = np.asarray(regions[first : first + rows], np.float32)
        half_squares = -0.5 * np.square(block).sum(axis=2, keepdims=True)
        nearest = max_sum_scores(
            np.concatenate([block, half_squares], axis=2),
            None if region_mask is None else region_mask[first : first + rows],
            phrases,
            one_each,
            block_bytes=block_bytes,
        )
        # In place, from products to distances.
        nearest *= -2.0
        nearest += squares
        np.maximum(nearest, 0.0, out=nearest)
        nearest += SQUARE_OFFSET
        np.sqrt(nearest, out=nearest)
        sums = np.add.reduceat(nearest, starts, axis=1)
        distances[first : first + rows, filled] = sums / counts[filled].astype(np.float32)
    return distances


def blocked_scores(
    regions, region_mask, words, lengths, pooling, block_bytes=DEFAULT_BLOCK_BYTES, progress=None
):
    """Scores every image k against every sentence l, exactly.

        S_kl = sum over fragments t of sentence l of  pool over regions i of image k of  v_i . s_t

    A block of regions times a block of packed fragments is one matrix product, with the regions
    laid out `[R, images]` so that the pooling runs over contiguous rows. Nothing is spent on padded
    fragments, and the N x M x R x W products never exist at once. Blocks end where sentences end:
    the size of the blocks changes a score only by the rounding of the matrix product.

    On a CPU the products are numpy's, which were faster than the backend's; where Keras's backend
    has an accelerator they run there, in the precision that its float32 products have
    (TensorFloat-32 is the backend's own setting).

    Args:
        regions: float `[N, R, H]`; v_i. float16 and memory-mapped arrays are converted by block.
        region_mask: bool `[N, R]`, True where a region is real, or None if all are. A masked region
            changes nothing, whatever it holds.
        words: float `[P, H]`; s_t of the real words or other fragments, sentence after sentence,
            without padding.
        lengths: int `[M]`; fragments per sentence, `P` in all. A sentence without any scores 0.
        pooling: `max`, or `positive_sum`, the sum of what is above 0.
        block_bytes: bound of the memory taken besides arguments and result. One image against one
            sentence is the smallest block there is.
        progress: `progress(done, total)` is called after each block of images.

    Returns:
        float32 `[N, M]`.

    Raises:
        ValueError: if shapes do not fit, an image has no real region, or a real region or fragment
            holds a value that is not finite.
    """
    regions, region_mask, words, lengths = _checked(regions, region_mask, words, lengths)
    if block_bytes < 1:
        raise ValueError(f"Expected block_bytes of 1 or more. Received: block_bytes={block_bytes}")
    num_images, num_regions, width = regions.shape
    scores = np.zeros((num_images, len(lengths)), np.float32)
    if not len(words):
        return scores
    images, words_per_block = _block_sizes(num_regions, width, int(lengths.max()), block_bytes)
    word_blocks = _sentence_blocks(lengths, words_per_block)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    accelerated = _has_accelerator()
    most_words = max(ends[last - 1] - starts[first] for first, last in word_blocks)
    buffer = np.empty(
        0 if accelerated else most_words * num_regions * min(images, num_images), np.float32
    )
    for first_image in range(0, num_images, images):
        rows = slice(first_image, first_image + images)
        block = _region_block(regions[rows], region_mask[rows], first_image, pooling)
        if accelerated:
            from keras import ops

            block = ops.convert_to_tensor(block)
        for first, last in word_blocks:
            first_word = starts[first]
            word_block = np.asarray(words[first_word : ends[last - 1]], np.float32)
            if first_image == 0 and not np.isfinite(word_block).all():
                raise ValueError(
                    "Expected finite word vectors: the model has diverged. Received: "
                    f"NaN or infinity in sentences {first} to {last - 1}"
                )
            pooled = _pooled_products(word_block, block, buffer, pooling)
            filled = first + np.flatnonzero(lengths[first:last])
            # reduceat would give an empty sentence its neighbour's word.
            scores[rows, filled] = np.add.reduceat(pooled, starts[filled] - first_word, axis=0).T
        if progress:
            progress(min(rows.stop, num_images), num_images)
    return scores


def _checked(regions, region_mask, words, lengths):
    regions, words = np.asanyarray(regions), np.asanyarray(words)
    lengths = np.asarray(lengths)
    if regions.ndim != 3 or words.ndim != 2 or regions.shape[2] != words.shape[1]:
        raise ValueError(
            "Expected regions [N, R, H] and packed words [P, H] of one width. Received: regions of "
            f"shape {regions.shape}, words of shape {words.shape}"
        )
    lengths = lengths.astype(np.int64) if lengths.size == 0 else lengths
    if (
        lengths.ndim != 1
        or not np.issubdtype(lengths.dtype, np.integer)
        or (lengths.size and lengths.min() < 0)
        or lengths.sum() != len(words)
    ):
        raise ValueError(
            "Expected a vector of lengths that sum to the number of packed words. Received: "
            f"{len(words)} words, lengths of shape {lengths.shape} and sum {lengths.sum()}"
        )
    if region_mask is None:
        region_mask = np.ones(regions.shape[:2], bool)
    region_mask = np.asarray(region_mask, bool)
    if region_mask.shape != regions.shape[:2]:
        raise ValueError(
            f"Expected a region mask of shape {regions.shape[:2]}. "
            f"Received: region_mask of shape {region_mask.shape}"
        )
    empty = np.flatnonzero(~region_mask.any(axis=1))
    if empty.size:
        raise ValueError(
            "Expected at least one real region in every image (the whole frame). "
            f"Received: none in image {empty[0]}"
        )
    return regions, region_mask, words, lengths.astype(np.int64)


def _block_sizes(num_regions, width, longest, block_bytes):
    """Images and words of a block: near a square product, within the bound with all copies.

    With r regions and w words a block takes r w products, r w / R pooled twice, and at most
    three copies of r and two of w vectors of the width.
    """
    floats = block_bytes / _FLOAT_BYTES
    per_product = 1.0 + 2.0 / num_regions
    linear = 5.0 * width / (2.0 * per_product)
    side = math.sqrt(linear * linear + floats / per_product) - linear
    words = max(int(side), longest)
    regions = (floats - 2.0 * words * width) / (per_product * words + 3.0 * width)
    return max(1, int(regions / num_regions)), words


def _sentence_blocks(lengths, words_per_block):
    """Pairs (first, last + 1) of whole sentences with at most `words_per_block` words a pair."""
    ends = np.cumsum(lengths)
    blocks, first, done = [], 0, 0
    while first < len(lengths):
        last = int(np.searchsorted(ends, done + words_per_block, side="right"))
        if ends[last - 1] > done:
            blocks.append((first, last))
        first, done = last, ends[last - 1]
    return blocks


def _has_accelerator():
    # Where nothing has loaded Keras there is no model, and it is not loaded for this question.
    keras = sys.modules.get("keras")
    devices = keras.distribution.list_devices() if keras else []
    return any(not device.lower().startswith("cpu") for device in devices)


def _region_block(regions, mask, first_image, pooling):
    """Float32 `[R, n, H]`, each masked region replaced by one that changes nothing.

    A copy of a real region of its image cannot change the maximum, and zeros add nothing to the
    sum; neither needs a pass over the products.
    """
    regions = np.asarray(regions, np.float32)
    if not mask.all():
        neutral = np.float32(0.0)
        if pooling == "max":
            neutral = regions[np.arange(len(regions)), np.argmax(mask, axis=1)][:, None, :]
        regions = np.where(mask[:, :, None], regions, neutral)
    if not np.isfinite(regions).all():
        raise ValueError(
            "Expected finite region vectors: the model has diverged or a feature is not finite. "
            f"Received: NaN or infinity in images {first_image} to "
            f"{first_image + len(regions) - 1}"
        )
    return np.ascontiguousarray(regions.transpose(1, 0, 2))


def _pooled_products(words, regions, buffer, pooling):
    """`[P, H]` and `[R, n, H]` to the products pooled over regions, a numpy array `[P, n]`.

    A region block in numpy is multiplied into `buffer`, which saves touching fresh memory for every
    block; one on an accelerator is multiplied there.
    """
    num_regions, images, width = regions.shape
    shape = (len(words), num_regions, images)
    if isinstance(regions, np.ndarray):
        products = buffer[: math.prod(shape)].reshape(len(words), -1)
        np.matmul(words, regions.reshape(-1, width).T, out=products)
        if pooling == "max":
            return products.reshape(shape).max(axis=1)
        return np.maximum(products, 0.0, out=products).reshape(shape).sum(axis=1)
    from keras import ops

    columns = ops.transpose(ops.reshape(regions, (num_regions * images, width)))
    # Of a few lengths: JAX compiles for each that it has not seen.
    words = np.pad(words, ((0, -len(words) % _WORDS_MULTIPLE), (0, 0)))
    products = ops.reshape(ops.matmul(words, columns), (-1, *shape[1:]))
    pooled = ops.max(products, axis=1) if pooling == "max" else ops.sum(ops.relu(products), axis=1)
    return ops.convert_to_numpy(pooled)[: shape[0]]
