"""The loop of greedy search and sampling, with tokens chosen by the tests."""

import numpy as np
from keras import ops

from tests.decoding.step_models import HistoryModel, assert_scores_are_the_models, captions_of
from vsa_tf.decoding.decoder import Decoder
from vsa_tf.decoding.rollout import roll_out


def chooses(rows_by_time):
    """Chooses these tokens, one list of rows for each time."""
    table = np.array(rows_by_time, np.int32)
    return lambda logits, time: ops.take(table, time, axis=0)


def test_rows_end_one_by_one_and_the_best_of_an_image_comes_first():
    model = HistoryModel(0)
    choose = chooses([[4, 5, 2, 6], [2, 5, 4, 6], [6, 2, 4, 6]])
    captions = roll_out(Decoder(max_length=3), choose, model.step, model.state(2), 2, 2, None)
    assert_scores_are_the_models(captions, model)
    tokens = [{tokens for tokens, _ in image} for image in captions_of(captions)]
    assert tokens == [{(4, 2), (5, 5, 2)}, {(2,), (6, 6, 6)}]
    assert (np.diff(captions.log_prob, axis=1) <= 0).all()


def test_the_loop_stops_when_all_rows_have_ended():
    calls = []
    model = HistoryModel(1)

    def step(token_ids, state):
        calls.append(np.array(token_ids).tolist())
        return model.step(token_ids, state)

    choose = chooses([[5, 2]] + [[2, 6]] * 9)
    roll_out(Decoder(max_length=10), choose, step, model.state(2), 2, 1, None)
    assert calls == [[1, 1], [5, 2]]


def test_a_forced_token_overrules_the_choice():
    model = HistoryModel(2)
    choose = chooses([[4, 4], [5, 5], [2, 2]])
    captions = roll_out(
        Decoder(max_length=3), choose, model.step, model.state(2), 2, 1, np.array([[3, 6], [0, 0]])
    )
    assert [image[0][0] for image in captions_of(captions)] == [(3, 6, 2), (4, 5, 2)]
    assert_scores_are_the_models(captions, model)
