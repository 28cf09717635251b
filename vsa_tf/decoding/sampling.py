"""Captions grown a token at a time: greedy, or drawn by temperature, top-k and nucleus."""

import keras
from keras import ops

from vsa_tf.decoding.decoder import PAD_ID, Decoder, best_hypotheses, repeat_rows, write


class Sampling(Decoder):
    """Draws each token from the model's distribution, sharpened and cut as asked.

    In this order: forbidden tokens are left out, logits are divided by the temperature, the `top_k`
    likeliest tokens are kept, and of these the fewest, likeliest first, whose probabilities (of
    those kept so far, summing to 1) reach `top_p`. Among equally likely tokens the smaller ids are
    kept. Log probabilities are the model's own, before any of this.

    The random numbers of a call are drawn before its loop, one a token, from a seed that moves on
    with every call: a new object with the same seed repeats the captions of the calls in order. The
    numbers of a seed are the backend's; TensorFlow's differ where XLA compiles the call. A function
    that JAX compiles must make the call within a `keras.StatelessScope`, as with all Keras seeds.

    Args:
        temperature: above 0; 1 is the model's distribution, 0 is approached by greedy search.
        top_k: number of tokens kept at each step, 0 for all.
        top_p: probability that the kept tokens reach, above 0; 1 keeps all.
        num_captions: captions drawn for each image. They may be equal.
        seed: an integer, or None for another one each time.
        max_length: the most tokens of a caption, END counted.
        start_id, end_id, forbidden_ids: see `Decoder`.

    Raises:
        ValueError: if an argument is out of its range.

    Reference: Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020 (nucleus).
    """

    def __init__(
        self,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        num_captions=1,
        seed=None,
        max_length=20,
        **token_ids,
    ):
        super().__init__(max_length=max_length, **token_ids)
        if not temperature > 0:
            raise ValueError(
                "Expected a temperature above 0; for 0, use GreedySearch. "
                f"Received: temperature={temperature}"
            )
        if top_k < 0 or not 0 < top_p <= 1:
            raise ValueError(
                "Expected top_k of 0 (all) or more and 0 < top_p <= 1 (all). "
                f"Received: top_k={top_k}, top_p={top_p}"
            )
        if num_captions < 1:
            raise ValueError(
                f"Expected at least one caption an image. Received: num_captions={num_captions}"
            )
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.num_captions = num_captions
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def get_config(self):
        return {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "num_captions": self.num_captions,
            "seed": self.seed,
            **super().get_config(),
        }

    def __call__(self, step, state, batch_size, prefix=None):
        """Returns `Hypotheses`, `num_captions` an image, likeliest first; see `Decoder`."""
        uniform = keras.random.uniform(
            (self.max_length, batch_size * self.num_captions),
            dtype="float32",
            seed=self.seed_generator,
        )

        def draw(logits, time):
            return self._draw(logits, ops.take(uniform, time, axis=0)[:, None])

        return roll_out(self, draw, step, state, batch_size, self.num_captions, prefix)

    def _draw(self, logits, uniform):
        # The largest is subtracted first: a small temperature must not overflow.
        logits = (logits - ops.max(logits, axis=1, keepdims=True)) / self.temperature
        if self.top_k == 0 and self.top_p == 1:
            return _position(ops.exp(logits), uniform)
        num_tokens = logits.shape[1]
        logits, tokens = ops.top_k(logits, min(self.top_k or num_tokens, num_tokens))
        weight = ops.exp(logits)
        likelier = ops.cumsum(weight, axis=1) - weight
        in_nucleus = likelier < self.top_p * ops.sum(weight, axis=1, keepdims=True)
        position = _position(ops.where(in_nucleus, weight, 0.0), uniform)
        return ops.take_along_axis(tokens, position[:, None], axis=1)[:, 0]


def _position(weight, uniform):
    """Draws a position of `weight` `[N, C]`, as often as its share, by numbers `[N, 1]` in 0..1.

    It is the first one where the running sum exceeds the number's share of all. Where a weight is 0
    the sum is not looked at: it may differ from its neighbour's by rounding.
    """
    running = ops.where(weight > 0, ops.cumsum(weight, axis=1), 0.0)
    exceeds = running > uniform * ops.max(running, axis=1, keepdims=True)
    return ops.cast(ops.argmax(ops.cast(exceeds, "int32"), axis=1), "int32")


class GreedySearch(Decoder):
    """Takes the likeliest token at every step; of equally likely ones the smallest id.

    Args:
        max_length: the most tokens of a caption, END counted.
        start_id, end_id, forbidden_ids: see `Decoder`.

    Example:

    >>> import numpy as np
    >>> next_token = np.array([0, 5, 0, 0, 2, 4])  # 5 after START, 4 after 5, END after 4
    >>> def step(token_ids, state):
    ...     return 9.0 * ops.one_hot(ops.take(next_token, token_ids), 6), state
    >>> captions = GreedySearch(max_length=5)(step, (), batch_size=1)
    >>> np.array(captions.token_ids).tolist()
    [[[5, 4, 2, 0, 0]]]
    """

    def __call__(self, step, state, batch_size, prefix=None):
        """Returns `Hypotheses`, one an image; see `Decoder`."""
        return roll_out(self, _likeliest, step, state, batch_size, 1, prefix)


def _likeliest(logits, time):
    del time
    return ops.cast(ops.argmax(logits, axis=1), "int32")


def roll_out(decoder, choose, step, state, batch_size, num_captions, prefix):
    """Grows captions of each image until all have ended.

    Args:
        decoder: a `Decoder`.
        choose: a function of logits float32 `[N, V]`, minus infinity at forbidden tokens, and the
            time (a scalar, 0 at the first token), which returns the chosen tokens, int32 `[N]`.
        step: the step function, see `Decoder`.
        state: its state, B rows.
        batch_size: B, a number or a scalar tensor.
        num_captions: n, captions of each image.
        prefix: int `[B, P]` or None.

    Returns:
        `Hypotheses` with n captions an image.
    """
    num_rows = batch_size * num_captions
    forced = decoder.forced_tokens(prefix, batch_size, num_captions)

    def is_unfinished(time, token, log_prob, *_):
        return ops.logical_and(time < decoder.max_length, ops.any(decoder.is_open(token, log_prob)))

    def extend(time, token, log_prob, token_ids, token_log_probs, state):
        is_open = decoder.is_open(token, log_prob)
        logits, state = step(token, state)
        logits = ops.cast(logits, "float32")
        allowed = decoder.allowed(logits)
        token = choose(allowed, time)
        token_logit = ops.take_along_axis(allowed, token[:, None], axis=1)[:, 0]
        if forced is not None:
            forced_now = ops.take(forced, time, axis=0)
            forced_logit = ops.take_along_axis(logits, forced_now[:, None], axis=1)[:, 0]
            is_forced = ops.not_equal(forced_now, PAD_ID)
            token = ops.where(is_forced, forced_now, token)
            token_logit = ops.where(is_forced, forced_logit, token_logit)
        token = ops.where(is_open, token, PAD_ID)
        token_log_prob = ops.where(is_open, token_logit - ops.logsumexp(logits, axis=1), 0.0)
        return (
            time + 1,
            token,
            log_prob + token_log_prob,
            write(token_ids, time, token),
            write(token_log_probs, time, token_log_prob),
            state,
        )

    _, _, log_prob, token_ids, token_log_probs, _ = ops.while_loop(
        is_unfinished,
        extend,
        (
            ops.convert_to_tensor(0, "int32"),
            ops.full((num_rows,), decoder.start_id, "int32"),
            ops.zeros((num_rows,), "float32"),
            ops.full((num_rows, decoder.max_length), PAD_ID, "int32"),
            ops.zeros((num_rows, decoder.max_length), "float32"),
            repeat_rows(state, num_captions),
        ),
    )

    shape = (batch_size, num_captions, decoder.max_length)
    log_prob = ops.reshape(log_prob, shape[:2])
    return best_hypotheses(
        log_prob,
        num_captions,
        ops.reshape(token_ids, shape),
        ops.reshape(token_log_probs, shape),
        log_prob,
    )
