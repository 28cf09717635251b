"""Captions grown a token at a time: the loop of greedy search and sampling."""

from keras import ops

from vsa_tf.decoding.decoder import best_hypotheses, repeat_rows, write
from vsa_tf.decoding.hypotheses import PAD_ID


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
