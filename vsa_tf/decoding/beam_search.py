"""Beam search: the best captions that a beam of a given width finds."""

import keras
from keras import ops

from vsa_tf.decoding.decoder import PAD_ID, Decoder, best_hypotheses, repeat_rows, write


class BeamSearch(Decoder):
    """Keeps the K best partial captions of each image at every step.

    The candidates of a step are all extensions of the open beams by one allowed token, and each
    ended beam once, with the score it has: it occupies a slot until K better captions are found.
    The score is the sum of the tokens' log probabilities, and the K best candidates are the next
    beams. Of candidates with equal scores the one of the better beam comes first, and within one
    beam the likelier token, then the smaller id. There is one beam before the first step, so no two
    beams are ever equal; where fewer than K captions exist, the others are impossible (see
    `Hypotheses`).

    The search stops once the captions to return have ended, since extending others only lowers
    their scores, or after `max_length` tokens.

    Args:
        beam_size: K. With 1, this is `GreedySearch`.
        num_captions: captions to return for each image, at most K.
        length_normalization: rank the captions of the final beam by log probability per token (END
            and prefix counted). The beam itself is still pruned by the sum, and `log_prob` remains
            the sum.
        max_length: the most tokens of a caption, END counted.
        start_id, end_id, forbidden_ids: see `Decoder`.

    Raises:
        ValueError: if `num_captions` is not from 1 to `beam_size`.

    Example: after START, token 3 is likelier, but what follows it is not.

    >>> import numpy as np
    >>> probability = np.zeros((6, 6), "float32")
    >>> probability[1, 3:5] = 0.6, 0.4
    >>> probability[3, 2:6] = 0.25
    >>> probability[4, 2] = 1
    >>> probability[5, 2] = 1
    >>> def step(token_ids, state):
    ...     return ops.log(ops.take(probability, token_ids, axis=0)), state
    >>> search = BeamSearch(beam_size=2, num_captions=2, max_length=3, forbidden_ids=(0, 1))
    >>> captions = search(step, (), batch_size=1)
    >>> np.array(captions.token_ids).tolist()
    [[[4, 2, 0], [3, 2, 0]]]
    >>> (100 * np.exp(captions.log_prob)).round().tolist()
    [[40.0, 15.0]]
    """

    def __init__(
        self, beam_size=7, num_captions=1, length_normalization=False, max_length=20, **token_ids
    ):
        super().__init__(max_length=max_length, **token_ids)
        if not 1 <= num_captions <= beam_size:
            raise ValueError(
                "Expected from 1 to beam_size captions an image: take a wider beam. Received: "
                f"num_captions={num_captions}, beam_size={beam_size}"
            )
        self.beam_size = beam_size
        self.num_captions = num_captions
        self.length_normalization = length_normalization

    def get_config(self):
        return {
            "beam_size": self.beam_size,
            "num_captions": self.num_captions,
            "length_normalization": self.length_normalization,
            **super().get_config(),
        }

    def __call__(self, step, state, batch_size, prefix=None, beam_sizes=None):
        """Returns `Hypotheses`, `num_captions` an image, best first; see `Decoder`.

        Row b * K + k of what goes to the step function is beam k of image b.

        Args:
            step, state, batch_size, prefix: see `Decoder`.
            beam_sizes: int `[B]`, from 1 to K: narrower beams of some images, which find what a
                search with so many finds; None: K for all.
        """
        num_beams, num_rows = self.beam_size, batch_size * self.beam_size
        forced = self.forced_tokens(prefix, batch_size, num_beams)
        image = ops.arange(batch_size, dtype="int32")
        num_decisive = num_beams if self.length_normalization else self.num_captions

        def is_undecided(time, token, score, *_):
            is_open = ops.reshape(self.is_open(token, score), (batch_size, num_beams))
            return ops.logical_and(time < self.max_length, ops.any(is_open[:, :num_decisive]))

        def extend(time, token, score, histories, state):
            logits, state = step(token, state)
            forced_now = None if forced is None else ops.take(forced, time, axis=0)
            candidates, log_probs = self._candidates(token, logits, forced_now)
            width = candidates.shape[1]
            scores = ops.reshape(score[:, None] + log_probs, (batch_size, num_beams * width))
            score, best = ops.top_k(scores, num_beams)
            if beam_sizes is not None:
                is_beam = ops.arange(num_beams, dtype="int32") < beam_sizes[:, None]
                score = ops.where(is_beam, score, -float("inf"))
            best = ops.reshape(best + image[:, None] * (num_beams * width), (num_rows,))
            parent = best // width
            (token_ids, token_log_probs), state = keras.tree.map_structure(
                lambda rows: ops.take(rows, parent, axis=0), (histories, state)
            )
            token = ops.take(ops.reshape(candidates, (-1,)), best)
            token_log_prob = ops.take(ops.reshape(log_probs, (-1,)), best)
            histories = write(token_ids, time, token), write(token_log_probs, time, token_log_prob)
            return time + 1, token, ops.reshape(score, (num_rows,)), histories, state

        is_first = ops.equal(ops.arange(num_rows, dtype="int32") % num_beams, 0)
        _, _, score, histories, _ = ops.while_loop(
            is_undecided,
            extend,
            (
                ops.convert_to_tensor(0, "int32"),
                ops.full((num_rows,), self.start_id, "int32"),
                ops.log(ops.cast(is_first, "float32")),
                (
                    ops.full((num_rows, self.max_length), PAD_ID, "int32"),
                    ops.zeros((num_rows, self.max_length), "float32"),
                ),
                repeat_rows(state, num_beams),
            ),
        )

        token_ids, token_log_probs = (
            ops.reshape(history, (batch_size, num_beams, self.max_length)) for history in histories
        )
        rank = log_prob = ops.reshape(score, (batch_size, num_beams))
        if self.length_normalization:
            lengths = ops.sum(ops.cast(ops.not_equal(token_ids, PAD_ID), "float32"), axis=2)
            rank = log_prob / ops.maximum(lengths, 1.0)
        return best_hypotheses(rank, self.num_captions, token_ids, token_log_probs, log_prob)

    def _candidates(self, token, logits, forced):
        """The best extensions of each beam, or the only one where it has ended or is forced.

        Args:
            token: int32 `[N]`; the last of each beam.
            logits: float `[N, V]`.
            forced: int32 `[N]`, PAD where a beam is free, or None if all are.

        Returns:
            Tokens, int32 `[N, C]`, best first, and their log probabilities, float32 `[N, C]`. C is
            K, or V if that is less: no beam can place more candidates among the best K.
        """
        logits = ops.cast(logits, "float32")
        log_normalizer = ops.logsumexp(logits, axis=1, keepdims=True)
        width = min(self.beam_size, logits.shape[1])
        best, tokens = ops.top_k(self.allowed(logits), width)
        log_probs = best - log_normalizer
        if forced is not None:
            forced = forced[:, None]
            forced_log_prob = ops.take_along_axis(logits, forced, axis=1) - log_normalizer
            is_forced = ops.not_equal(forced, PAD_ID)
            tokens = ops.where(is_forced, forced, tokens)
            log_probs = ops.where(is_forced, _only(forced_log_prob, width), log_probs)
        has_ended = self.has_ended(token)[:, None]
        return (
            ops.where(has_ended, PAD_ID, tokens),
            ops.where(has_ended, _only(ops.zeros_like(log_normalizer), width), log_probs),
        )


def _only(log_prob, width):
    """Log probabilities `[N, C]` of a first candidate, given as `[N, 1]`, and no other."""
    return ops.pad(log_prob, ((0, 0), (0, width - 1)), constant_values=-float("inf"))
