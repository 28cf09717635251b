"""Sentences as a generator reads and writes them: START before, END after."""

from keras import ops


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
