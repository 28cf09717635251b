"""What counting says of captions: how many are new, how many differ, and their perplexity."""

from typing import NamedTuple

import numpy as np


class Novelty(NamedTuple):
    """Counts over generated captions.

    Attributes:
        num_captions: generated captions.
        num_novel: those that are no training caption, word for word.
        num_distinct: different captions among them; 1 if the model says the same of every image.
    """

    num_captions: int
    num_novel: int
    num_distinct: int

    @property
    def novel_share(self):
        """Share of the captions that are no training caption, 0..1."""
        return self.num_novel / self.num_captions


def novelty(captions, training_captions):
    """Compares generated captions with the training captions, and with one another.

    Args:
        captions: list of token lists, at least one.
        training_captions: iterable of token lists, tokenised in the same way.

    Returns:
        `Novelty`.

    Raises:
        ValueError: if there is no caption, or one is not a list of tokens.

    Example:

    >>> novelty([["a", "dog"], ["a", "cat"], ["a", "cat"]], [["a", "dog"]])
    Novelty(num_captions=3, num_novel=2, num_distinct=2)

    Reference: M section 7.5 (71 % novel on MS COCO).
    """
    captions = [_words(caption) for caption in captions]
    if not captions:
        raise ValueError("Expected at least one generated caption. Received: captions=[]")
    seen = {_words(caption) for caption in training_captions}
    return Novelty(
        len(captions), sum(caption not in seen for caption in captions), len(set(captions))
    )


def _words(caption):
    if not isinstance(caption, (list, tuple)):
        raise ValueError(
            "Expected captions as lists of tokens: tokenise them first. "
            f"Received: caption={caption!r} of type {type(caption).__name__}"
        )
    return tuple(caption)


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
