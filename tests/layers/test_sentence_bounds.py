import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.layers.sentence_bounds import with_end, with_start

# A sentence that fills its row, a shorter one, and one without words.
TOKEN_IDS = np.int32([[5, 6, 7], [8, 0, 0], [0, 0, 0]])


def test_start_comes_before_the_words():
    expected = [[1, 5, 6, 7], [1, 8, 0, 0], [1, 0, 0, 0]]
    assert np.array(with_start(TOKEN_IDS)).tolist() == expected


def test_end_comes_right_after_the_words():
    expected = [[5, 6, 7, 2], [8, 2, 0, 0], [2, 0, 0, 0]]
    assert np.array(with_end(TOKEN_IDS)).tolist() == expected


def test_what_is_written_is_read_at_the_next_step():
    read, written = np.array(with_start(TOKEN_IDS)), np.array(with_end(TOKEN_IDS))
    is_word = TOKEN_IDS != 0
    np.testing.assert_array_equal(written[:, :-1][is_word], read[:, 1:][is_word])
    assert ((written != 0).sum(axis=1) == is_word.sum(axis=1) + 1).all()


def test_unknown_words_are_words():
    assert np.array(with_end(np.int32([[3, 3, 0]]))).tolist() == [[3, 3, 2, 0]]


def test_other_ids():
    assert np.array(with_start(TOKEN_IDS, start_id=9))[:, 0].tolist() == [9, 9, 9]
    assert np.array(with_end(TOKEN_IDS[1:], end_id=9)).tolist() == [[8, 9, 0, 0], [9, 0, 0, 0]]


@pytest.mark.parametrize("bound", [with_start, with_end])
def test_a_graph_need_not_know_the_sizes(bound):
    graph = tf.function(bound, input_signature=[tf.TensorSpec((None, None), tf.int32)])
    for width in (1, 3):
        result = graph(TOKEN_IDS[:, :width])
        assert result.dtype == tf.int32
        np.testing.assert_array_equal(result, bound(TOKEN_IDS[:, :width]))
