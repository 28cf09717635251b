"""What a decoder returns: captions with their log probabilities."""

from typing import Any, NamedTuple

# The id that fills token ids after END: the vocabulary's PAD.
PAD_ID = 0


class Hypotheses(NamedTuple):
    """The captions of a batch of images, n of each, best first.

    A hypothesis that the model holds impossible, or that is not there because fewer captions exist
    than were asked for, has `log_prob` of minus infinity, PAD for every token and 0 for every
    token's log probability. It stands behind all others.

    Attributes:
        token_ids: int32 `[B, n, L]`; words and END, PAD after them. START is not included. A
            caption that has not ended after L tokens has no END.
        token_log_probs: float32 `[B, n, L]`; natural logarithm of each token's probability, 0 at
            PAD.
        log_prob: float32 `[B, n]`; the sum over the tokens of a caption, END counted.
    """

    token_ids: Any
    token_log_probs: Any
    log_prob: Any
