"""The cost of a sentence generator (M eq. 5 and 6), and what it reads and writes of a sentence."""

import math

from keras import ops

from vsa_tf.models.layers.pair_costs import own_rows


def word_log_probs(logits, targets):
    """`log P(w_t | w_1 .. w_{t-1}, I)`, natural logarithm.

    Args:
        logits: float `[B, T, V]`, unnormalised.
        targets: int `[B, T]`, PAD = 0 on the right.

    Returns:
        float32 `[B, T]`; 0 at PAD.
    """
    costs = ops.sparse_categorical_crossentropy(
        targets, ops.cast(logits, "float32"), from_logits=True
    )
    return -costs * ops.cast(ops.not_equal(targets, 0), costs.dtype)


def word_cost(logits, targets, gather=own_rows):
    """`C = 1/N sum_i L_i log2 PPL(w^i | I^i)`: the mean over words of `-log2 P(word)` (M eq. 6).

    The perplexity of M eq. 5 is 2 to this number. END counts as a word.

    Args:
        logits: float `[B, T, V]`, unnormalised.
        targets: int `[B, T]`, the words and END, PAD = 0 on the right.
        gather: brings together the sentences of all replicas, see `own_rows`.

    Returns:
        A scalar, in bits a word.

    Example: of four equally probable tokens, each costs two bits.

    >>> import numpy as np
    >>> round(float(word_cost(np.zeros((1, 3, 4), "float32"), np.array([[3, 2, 0]]))), 6)
    2.0
    """
    log_probs = ops.sum(word_log_probs(logits, targets), axis=1)
    num_words = ops.sum(ops.cast(ops.not_equal(targets, 0), "float32"), axis=1)
    log_probs, num_words = gather((log_probs, num_words))
    return -ops.sum(log_probs) / (ops.sum(num_words) * math.log(2.0))


def with_start(token_ids, start_id=1):
    """Returns what a generator reads.

    Args:
        token_ids: int `[B, W]`, words, PAD = 0 on the right.
        start_id: the token before the first word.

    Returns:
        int `[B, W + 1]`: START, then the words, then PAD.

    Example:

    >>> ops.convert_to_numpy(with_start(ops.array([[5, 6], [7, 0]]))).tolist()
    [[1, 5, 6], [1, 7, 0]]
    """
    return ops.pad(token_ids, [[0, 0], [1, 0]], constant_values=start_id)


def with_end(token_ids, end_id=2):
    """Returns what a generator shall write: the next token at every position of `with_start`.

    Args:
        token_ids: int `[B, W]`, words, PAD = 0 on the right.
        end_id: the token after the last word.

    Returns:
        int `[B, W + 1]`: the words, then END, then PAD.

    Example:

    >>> ops.convert_to_numpy(with_end(ops.array([[5, 6], [7, 0]]))).tolist()
    [[5, 6, 2], [7, 2, 0]]
    """
    padded = ops.pad(token_ids, [[0, 0], [0, 1]])
    is_word = ops.cast(ops.not_equal(padded, 0), padded.dtype)
    # One where a word, or the start, is followed by no word.
    is_end = ops.pad(is_word[:, :-1], [[0, 0], [1, 0]], constant_values=1) - is_word
    return padded + is_end * end_id
