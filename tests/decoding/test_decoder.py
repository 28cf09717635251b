"""Forbidden and forced tokens, and the settings all decoders share."""

import json

import numpy as np
import pytest
from keras import ops

from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.decoder import PAD_ID, Decoder, Hypotheses, best_hypotheses
from vsa_tf.decoding.sampling import GreedySearch, Sampling
from vsa_tf.text import vocabulary

DECODERS = [
    (GreedySearch, {"max_length": 9, "end_id": 5, "forbidden_ids": [0, 1]}),
    (
        Sampling,
        {
            "temperature": 0.5,
            "top_k": 3,
            "top_p": 0.9,
            "num_captions": 2,
            "seed": 4,
            "max_length": 7,
            "start_id": 6,
        },
    ),
    (BeamSearch, {"beam_size": 5, "num_captions": 3, "length_normalization": True}),
]


@pytest.mark.parametrize("decoder_class, arguments", DECODERS)
def test_configuration_makes_an_equal_decoder(decoder_class, arguments):
    config = json.loads(json.dumps(decoder_class(**arguments).get_config()))
    assert config.items() >= arguments.items()
    assert decoder_class(**config).get_config() == config


@pytest.mark.parametrize("decoder_class, arguments", DECODERS)
def test_defaults_are_the_vocabularys_ids_and_twenty_tokens(decoder_class, arguments):
    del arguments
    default = decoder_class().get_config()
    assert default["start_id"] == vocabulary.START_ID
    assert default["end_id"] == vocabulary.END_ID
    assert default["forbidden_ids"] == [vocabulary.PAD_ID, vocabulary.START_ID, vocabulary.UNK_ID]
    assert default["max_length"] == 20


def test_forbidden_tokens_and_padding_have_no_chance():
    allowed = Decoder(forbidden_ids=(3, 99)).allowed(np.zeros((2, 5), np.float32))
    assert np.array(allowed).tolist() == [[-np.inf, 0, 0, -np.inf, 0]] * 2


def test_a_vocabulary_of_forbidden_tokens_is_an_error():
    with pytest.raises(ValueError, match="a vocabulary of 2 tokens"):
        Decoder().allowed(np.zeros((1, 2), np.float32))


@pytest.mark.parametrize("make", [np.array, lambda prefix: ops.convert_to_tensor(prefix, "int32")])
def test_forced_tokens_are_laid_out_by_time_and_row(make):
    forced = Decoder(max_length=3).forced_tokens(make([[7, 3], [8, 0]]), 2, 2)
    assert np.array(forced).tolist() == [[7, 7, 8, 8], [3, 3, 0, 0], [0, 0, 0, 0]]


def test_a_prefix_may_be_empty_or_fill_the_caption():
    decoder = Decoder(max_length=2)
    empty = decoder.forced_tokens(np.zeros((3, 0), np.int32), 3, 1)
    assert np.array(empty).tolist() == [[0, 0, 0]] * 2
    assert np.array(decoder.forced_tokens([[5, 6]], 1, 1)).tolist() == [[5], [6]]


@pytest.mark.parametrize(
    "prefix, message",
    [
        ([[5, 6, 7]], "at most max_length=2 tokens"),
        ([5, 6], "shape"),
        ([[5], [6]], "batch_size=1"),
        ([[5, 2]], "without START"),
        ([[1, 5]], "without START"),
        ([[0, 5]], "padding"),
        ([[-1, 0]], "Received: prefix=.*-1"),
    ],
)
def test_a_bad_prefix_is_an_error(prefix, message):
    with pytest.raises(ValueError, match=message):
        Decoder(max_length=2).forced_tokens(prefix, 1, 1)


def test_captions_without_tokens_are_an_error():
    with pytest.raises(ValueError, match="max_length=0"):
        Decoder(max_length=0)


def test_best_hypotheses_keep_the_order_of_equals_and_blank_the_impossible():
    token_ids = np.array([[[4], [5], [6], [7]]], np.int32)
    log_prob = np.array([[-2.0, -1.0, -np.inf, -1.0]], np.float32)
    best = best_hypotheses(log_prob, 4, token_ids, log_prob[:, :, None], log_prob)
    assert np.array(best.token_ids).tolist() == [[[5], [7], [4], [0]]]
    assert np.array(best.token_log_probs).tolist() == [[[-1], [-1], [-2], [0]]]
    assert np.array(best.log_prob).tolist() == [[-1, -1, -2, -np.inf]]


def test_padding_is_the_vocabularys():
    assert PAD_ID == vocabulary.PAD_ID


def test_fields_are_tokens_then_their_log_probabilities_then_the_sum():
    assert Hypotheses._fields == ("token_ids", "token_log_probs", "log_prob")
