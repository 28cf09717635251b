"""What all decoders share, and the hypotheses that they return."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

# The id that fills token ids after END: the vocabulary's PAD.
PAD_ID = 0


class Decoder:
    """Base of decoders: their common settings, and the rules of forbidden and forced tokens.

    A decoder is called with a step function, which gives the next token's logits:

        logits, state = step(token_ids, state)

    `token_ids` is int32 `[N]`, the last token of each row; `state` any nest of tensors whose first
    axis is N, the image included; `logits` float `[N, V]`, not normalised. Rows that have ended
    step on with PAD, and what comes of it is ignored.

    Args:
        max_length: the most tokens of a caption, END counted.
        start_id: the token before the first one.
        end_id: the token after which a caption has ended.
        forbidden_ids: tokens that are never chosen; PAD never is. They keep their share of the
            probability: the other tokens' log probabilities are those of the model's softmax over
            the whole vocabulary.

    Raises:
        ValueError: if `max_length` is below 1.
    """

    def __init__(self, max_length=20, start_id=1, end_id=2, forbidden_ids=(0, 1, 3)):
        if max_length < 1:
            raise ValueError(
                f"Expected captions of at least one token. Received: max_length={max_length}"
            )
        self.max_length = max_length
        self.start_id = start_id
        self.end_id = end_id
        self.forbidden_ids = tuple(forbidden_ids)

    def get_config(self):
        return {
            "max_length": self.max_length,
            "start_id": self.start_id,
            "end_id": self.end_id,
            "forbidden_ids": list(self.forbidden_ids),
        }

    def __call__(self, step, state, batch_size, prefix=None):
        """Returns the `Hypotheses` of a batch of images, as each decoder says.

        Args:
            step: the step function, see above.
            state: its state, a nest of tensors with B rows: one an image.
            batch_size: B, a number or a scalar tensor.
            prefix: int32 `[B, P]`, PAD on the right, or None; words that the captions start with.
                They count with their own log probabilities, and may be forbidden ones.

        Raises:
            ValueError: on a prefix that is none, see `forced_tokens`.
        """
        raise NotImplementedError

    def allowed(self, logits):
        """Logits float32 `[N, V]` with minus infinity at forbidden tokens.

        Raises:
            ValueError: if no token of the vocabulary is allowed.
        """
        forbidden = np.isin(np.arange(logits.shape[1]), (PAD_ID, *self.forbidden_ids))
        if forbidden.all():
            raise ValueError(
                "Expected a vocabulary with a token that is not forbidden. Received: a vocabulary "
                f"of {len(forbidden)} tokens, forbidden_ids={self.forbidden_ids}"
            )
        return ops.where(forbidden, -float("inf"), logits)

    def forced_tokens(self, prefix, batch_size, rows_per_image):
        """The tokens that a prefix leaves no choice about, by time.

        Args:
            prefix: int `[B, P]`, PAD on the right, or None.
            batch_size: B.
            rows_per_image: K.

        Returns:
            int32 `[max_length, B * K]`, PAD where a row is free to choose; None without a prefix.

        Raises:
            ValueError: if the prefix is no matrix of one row an image, is longer than captions may
                be, or (looked for unless it is a tensor) holds START, END, a negative id, or PAD
                before a word.
        """
        if prefix is None:
            return None
        if not ops.is_tensor(prefix):
            prefix = self._checked(np.asarray(prefix))
        shape = tuple(prefix.shape)
        if (
            len(shape) != 2
            or (shape[1] or 0) > self.max_length
            or (isinstance(batch_size, int) and shape[0] not in (None, batch_size))
        ):
            raise ValueError(
                f"Expected a prefix [images, tokens] of at most max_length={self.max_length} "
                "tokens: shorten it or allow longer captions. Received: prefix of shape "
                f"{shape}, batch_size={batch_size}"
            )
        free = ops.full((batch_size, self.max_length), PAD_ID, "int32")
        forced = ops.concatenate([ops.cast(prefix, "int32"), free], axis=1)[:, : self.max_length]
        return ops.transpose(ops.repeat(forced, rows_per_image, axis=0))

    def _checked(self, prefix):
        words = prefix[np.not_equal(prefix, PAD_ID)]
        after_padding = (
            prefix.ndim == 2 and ((prefix[:, :-1] == PAD_ID) & (prefix[:, 1:] != PAD_ID)).any()
        )
        if after_padding or np.isin(words, (self.start_id, self.end_id)).any() or (words < 0).any():
            raise ValueError(
                f"Expected a prefix of words with padding ({PAD_ID}) on the right, without START "
                f"({self.start_id}) or END ({self.end_id}). Received: prefix={prefix.tolist()}"
            )
        return prefix

    def has_ended(self, token):
        """Whether the last token `[N]` of each row is END, or PAD after it."""
        return ops.logical_or(ops.equal(token, self.end_id), ops.equal(token, PAD_ID))

    def is_open(self, token, log_prob):
        """Whether each row goes on: it has not ended and is not impossible."""
        return ops.logical_and(ops.logical_not(self.has_ended(token)), log_prob > -float("inf"))


def repeat_rows(state, times):
    """The state with each row `times` times in succession."""
    return keras.tree.map_structure(lambda rows: ops.repeat(rows, times, axis=0), state)


def write(history, time, values):
    """The history `[N, L]` with the values `[N]` at this time."""
    now = ops.equal(ops.arange(history.shape[1]), time)
    return ops.where(now, values[:, None], history)


def best_hypotheses(rank, num_captions, token_ids, token_log_probs, log_prob):
    """The captions of highest rank, best first; of equals the earlier.

    Args:
        rank: float `[B, K]`.
        num_captions: n, at most K.
        token_ids: int32 `[B, K, L]`.
        token_log_probs: float32 `[B, K, L]`.
        log_prob: float32 `[B, K]`.

    Returns:
        `Hypotheses` of n captions an image, impossible ones blank.
    """
    best = ops.top_k(rank, num_captions)[1]
    log_prob = ops.take_along_axis(log_prob, best, axis=1)
    possible = (log_prob > -float("inf"))[:, :, None]
    token_ids = ops.take_along_axis(token_ids, best[:, :, None], axis=1)
    token_log_probs = ops.take_along_axis(token_log_probs, best[:, :, None], axis=1)
    return Hypotheses(
        ops.where(possible, token_ids, PAD_ID), ops.where(possible, token_log_probs, 0.0), log_prob
    )


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
