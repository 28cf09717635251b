"""Perplexity of a sentence generator."""

import numpy as np


def perplexity(log_probs):
    """`PPL = 2 ^ (-1/N sum log2 P(word))` (M eq. 5).

    Args:
        log_probs: float `[N]`, natural logarithms, of every word and END.

    Returns:
        float of at least 1.

    Raises:
        ValueError: there is no word.

    Example: a word in four, and one in one.

    >>> round(perplexity(np.log([0.25, 1.0])), 6)
    2.0
    """
    log_probs = np.asarray(log_probs, np.float64)
    if not log_probs.size:
        raise ValueError("Expected at least one word. Received: none; choose a split with captions")
    return float(np.exp(-log_probs.mean()))
