"""The layout of what decoders return."""

from vsa_tf.decoding.hypotheses import PAD_ID, Hypotheses
from vsa_tf.text import vocabulary


def test_padding_is_the_vocabularys():
    assert PAD_ID == vocabulary.PAD_ID


def test_fields_are_tokens_then_their_log_probabilities_then_the_sum():
    assert Hypotheses._fields == ("token_ids", "token_log_probs", "log_prob")
