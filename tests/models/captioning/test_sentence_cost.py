import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.models.captioning.sentence_cost import with_end, with_start, word_cost, word_log_probs

TARGETS = np.int32([[4, 2, 0, 0], [3, 5, 4, 2], [2, 0, 0, 0]])
# A sentence that fills its row, a shorter one, and one without words.
TOKEN_IDS = np.int32([[5, 6, 7], [8, 0, 0], [0, 0, 0]])


def _logits(seed=0, size=6):
    return np.random.default_rng(seed).normal(scale=2, size=(3, 4, size)).astype("float32")


def _log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


class TestWordLogProbs:
    def test_values_are_those_of_the_softmax(self):
        logits = _logits()
        result = np.array(word_log_probs(logits, TARGETS))
        expected = np.take_along_axis(_log_softmax(logits), TARGETS[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(result, np.where(TARGETS, expected, 0), rtol=1e-5)

    def test_padding_is_zero_whatever_its_logits(self):
        logits = _logits()
        logits[TARGETS == 0] = 1e4 * np.arange(6)
        assert not np.array(word_log_probs(logits, TARGETS))[TARGETS == 0].any()

    def test_large_logits_stay_finite(self):
        result = word_log_probs(np.float32([[[1e4, -1e4, 0]]]), np.int32([[1]]))
        np.testing.assert_allclose(result, [[-2e4]])

    def test_low_precision_logits_have_precise_log_probs(self):
        logits = tf.cast(_logits(), tf.bfloat16)
        result = word_log_probs(logits, TARGETS)
        assert result.dtype == tf.float32
        expected = word_log_probs(tf.cast(logits, tf.float32), TARGETS)
        np.testing.assert_array_equal(result, expected)


class TestWordCost:
    def test_of_equally_probable_words_each_costs_the_same_bits(self):
        np.testing.assert_allclose(word_cost(np.zeros((3, 4, 8), "float32"), TARGETS), 3, rtol=1e-6)

    def test_the_mean_is_over_words_not_sentences(self):
        # A word of probability 1/2 costs 1 bit, of 1/4 two, of 1/8 three.
        logits = np.log(np.float32([[[1, 1, 2, 4], [1, 1, 4, 2]], [[0.5, 0.5, 1, 6]] * 2]))
        targets = np.int32([[3, 3], [2, 0]])
        np.testing.assert_allclose(word_cost(logits, targets), (1 + 2 + 3) / 3, rtol=1e-6)

    def test_perplexity_is_two_to_the_cost(self):
        logits = _logits()
        probabilities = np.exp(np.array(word_log_probs(logits, TARGETS)))[TARGETS != 0]
        # M eq. 5 of all words together: the inverse of their geometric mean.
        expected = np.prod(probabilities, dtype=np.float64) ** (-1 / 7)
        np.testing.assert_allclose(2 ** float(word_cost(logits, TARGETS)), expected, rtol=1e-5)

    def test_longer_rows_cost_the_same(self):
        logits = _logits()
        longer = np.pad(logits, ((0, 0), (0, 3), (0, 0)), constant_values=7)
        targets = np.pad(TARGETS, ((0, 0), (0, 3)))
        np.testing.assert_allclose(
            word_cost(longer, targets), word_cost(logits, TARGETS), rtol=1e-6
        )

    def test_gradient_is_softmax_less_target_over_the_number_of_words(self):
        logits = tf.constant(_logits())
        with tf.GradientTape() as tape:
            tape.watch(logits)
            cost = word_cost(logits, TARGETS)
        # Seven words, in bits: d C / d y = (softmax(y) - target) / (7 ln 2), and 0 at PAD.
        softmax = np.exp(_log_softmax(np.array(logits)))
        expected = (softmax - np.eye(6)[TARGETS]) / (7 * np.log(2))
        np.testing.assert_allclose(
            tape.gradient(cost, logits), expected * (TARGETS != 0)[..., None], rtol=1e-4, atol=1e-7
        )

    @pytest.mark.parametrize("targets", [[[2, 0]], [[3, 2]]])
    def test_sentences_without_known_words_have_a_finite_cost(self, targets):
        assert np.isfinite(word_cost(np.zeros((1, 2, 5), "float32"), np.int32(targets)))


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
    graph = tf.function(
        bound, input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False
    )
    for width in (1, 3):
        result = graph(TOKEN_IDS[:, :width])
        assert result.dtype == tf.int32
        np.testing.assert_array_equal(result, bound(TOKEN_IDS[:, :width]))
