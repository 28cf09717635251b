"""Greedy search: always the likeliest token."""

from keras import ops

from vsa_tf.decoding.decoder import Decoder
from vsa_tf.decoding.rollout import roll_out


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
        """Returns `Hypotheses` with one caption an image.

        Args:
            step: the step function, see `Decoder`.
            state: its state, a nest of tensors with B rows.
            batch_size: B, a number or a scalar tensor.
            prefix: int32 `[B, P]`, PAD on the right, or None; words that the captions start with.
                They count with their own log probabilities, and may be forbidden ones.

        Raises:
            ValueError: on a prefix that is none, see `Decoder.forced_tokens`.
        """
        return roll_out(self, _likeliest, step, state, batch_size, 1, prefix)


def _likeliest(logits, time):
    del time
    return ops.cast(ops.argmax(logits, axis=1), "int32")
